"""python -m experiments.tools.fuzz_model_files [--checkpoint DIR] [--count N] [--seed N]

Damages the files of a model and of an exported model in thousands of ways, and reads each: bytes
flipped, cut and inserted, JSON values replaced by absurd ones, headers of arrays that lie, zip
bombs, damaged programs with right checksums. Every file must be read, or refused in one line,
within seconds and without much memory. Prints how many were, and each fault with its number, by
which `--first N --count 1` shows it again.
"""

import collections
import copy
import dataclasses
import io
import json
import multiprocessing
import pathlib
import shutil
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from experiments import command_line
from experiments.tools.damage import damage

SECONDS = 20  # of processor time for one file
PATIENCE = 600  # seconds for one file on a machine that does other things too, else it hangs
MAX_MEMORY = 1 << 30  # bytes of a process above what it needs for the undamaged files
ABSURD: tuple[Any, ...] = (
    *(0, -1, 1, 2**31, 2**63, 10**30, 1e308, float("inf"), float("nan"), -0.5, True, None),
    *("", "x", "\x1b[31m", "\ud800", "a" * 100_000, "../../etc/passwd", "float64", "\u202e"),
    *([], {}, [[]], [0] * 100_000, [2**40] * 3, {"a": {"b": 1}}, list(range(300))),
)
DTYPES = ("BF16", "F64", "I64", "BOOL", "F8_E4M3", "F4", "U8", "XX", "")
Outcome = tuple[str, str]  # "read", "refused" or "fault", and the message


@dataclasses.dataclass(frozen=True)
class Originals:
    """The undamaged files: those of a model's folder, and an exported one."""

    folder: pathlib.Path
    exported: pathlib.Path


def mutate(originals: Originals, number: int, seed: int, place: pathlib.Path) -> pathlib.Path:
    """Writes the damaged file, or folder, of this number; returns its path.

    Args:
      originals: see there.
      number: of the case; each is another.
      seed: of all cases.
      place: an empty folder.
    """
    rng = np.random.default_rng((seed, number))
    if number % 2:
        path = place / "model.zip"
        path.write_bytes(_damaged_archive(originals.exported.read_bytes(), rng))
        return path
    folder = place / "model"
    shutil.copytree(originals.folder, folder)
    name = str(rng.choice(["model.json", "vocabulary.json", "weights.safetensors"]))
    data = (folder / name).read_bytes()
    if rng.random() < 0.3:
        changed = damage(data, rng)
    elif name == "weights.safetensors":
        changed = _damaged_safetensors(data, rng)
    else:
        changed = _damaged_json(data, rng)
    (folder / name).write_bytes(changed)
    return folder


def _damaged_json(data: bytes, rng: np.random.Generator) -> bytes:
    """A JSON document with one value absurd, missing or doubled, or nested without end."""
    if rng.random() < 0.05:
        depth = int(rng.integers(10, 200_000))
        return b"[" * depth + b"]" * depth * int(rng.integers(2))
    value = copy.deepcopy(json.loads(data))
    holder, key = _anywhere(value, rng)
    kind = int(rng.integers(4))
    if holder is None:
        value = _absurd(rng)
    elif kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[key] = _absurd(rng)
    return json.dumps(value).encode()


def _absurd(rng: np.random.Generator) -> Any:
    return copy.deepcopy(ABSURD[int(rng.integers(len(ABSURD)))])


def _anywhere(value: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """A random place in a parsed document: what holds it, and its key; None for the whole."""
    holder, key = None, None
    while isinstance(value, (dict, list)) and value and (holder is None or rng.random() < 0.6):
        holder = value
        key = list(value)[int(rng.integers(len(value)))] if isinstance(value, dict) else None
        key = int(rng.integers(len(value))) if key is None else key
        value = value[key]
    return (None, None) if rng.random() < 0.05 else (holder, key)


def _damaged_safetensors(data: bytes, rng: np.random.Generator) -> bytes:
    """Weights whose header lies, or that are not numbers."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    body = bytearray(data[8 + length :])
    name = list(header)[int(rng.integers(len(header)))]
    entry = header[name] if "shape" in header[name] else {}
    match int(rng.integers(7)):
        case 0:
            entry["dtype"] = str(rng.choice(DTYPES))
        case 1:
            entry["shape"] = _absurd(rng)
        case 2:
            entry["data_offsets"] = [0, int(rng.integers(1, 2**62))]
        case 3:
            header[f"{name}/more"] = entry
        case 4:
            start = int(rng.integers(len(body) // 4)) * 4
            body[start : start + 4] = struct.pack("<f", float(rng.choice([np.nan, np.inf])))
        case 5:
            length = int(rng.choice([0, 1, 2**31, 2**40, 2**63]))
            return struct.pack("<Q", length) + data[8:]
        case _:
            return data[:8] + _damaged_json(data[8 : 8 + length], rng) + bytes(body)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(body)


def _damaged_archive(data: bytes, rng: np.random.Generator) -> bytes:
    """An exported model: damaged as bytes, in one member, or in the way it is packed."""
    if rng.random() < 0.2:
        return damage(data, rng)
    members = _unpacked(data)
    name = list(members)[int(rng.integers(len(members)))]
    packing = zipfile.ZIP_STORED
    match int(rng.integers(8)):
        case 0:
            packing = int(rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
        case 1:
            members[name] = bytes(int(rng.integers(1, 200 << 20)))
            packing = zipfile.ZIP_DEFLATED
        case 2:
            members.pop(name)
        case 3:
            members[str(rng.choice(["x", "../x", "/etc/x", "\x1b[31m", "y.jaxexport"]))] = b"x"
        case 4 if name.endswith(".npz"):
            members[name] = _damaged_npz(members[name], rng)
        case 5:
            name = str(rng.choice([n for n in members if n.endswith(".jaxexport")]))
            members[name] = damage(members[name], rng)
        case _ if name.endswith(".json"):
            members[name] = _damaged_json(members[name], rng)
        case _:
            members[name] = damage(members[name], rng)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    packed = file.getvalue()
    if packing != zipfile.ZIP_STORED and rng.random() < 0.5:
        packed = damage(packed, rng)  # damaged compression
    return packed


def _unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _damaged_npz(data: bytes, rng: np.random.Generator) -> bytes:
    """Arrays whose headers lie about type, order and shape."""
    members = _unpacked(data)
    name = list(members)[int(rng.integers(len(members)))]
    file = io.BytesIO()
    shape = _absurd(rng)
    kind = str(rng.choice(["<f4", "|O", "<f8", "<U1000000", "<c16", "|V99999999", "<f2"]))
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    if rng.random() < 0.3:
        header = "(" * int(rng.integers(1, 60_000))
    text = header.encode("utf-8", "replace")[:65_000]
    members[name] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    with zipfile.ZipFile(file, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return file.getvalue()


def read(path: pathlib.Path) -> Outcome:
    """Reads a file or folder as its user would; whatever it raises is told."""
    from im2latex_jax import export
    from im2latex_jax.errors import Im2latexError
    from im2latex_jax.model import saved_model

    try:
        if path.is_dir():
            saved_model.load(path)
        else:
            export.load(path).check()
    except Im2latexError as error:
        message = str(error)
        return ("refused", message) if message.isprintable() else ("fault", repr(message))
    except Exception as error:
        return "fault", f"{type(error).__name__}: {error}"[:300]
    return "read", ""


def outcomes(
    originals: Originals, numbers: range, seed: int, patience: float = PATIENCE
) -> Iterator[tuple[int, Outcome]]:
    """Damages and reads files in a process of its own, which may crash or hang.

    Args:
      originals: see there.
      numbers: of the cases.
      seed: of all cases.
      patience: seconds for one file, and ten times that to start.
    """
    context = multiprocessing.get_context("spawn")
    while numbers:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(originals, numbers, seed, theirs))
        process.start()
        theirs.close()
        ended: str | None = None
        ours.poll(10 * patience)  # it imports JAX, and reads the undamaged files
        for number in numbers:
            try:
                if not ours.poll(patience):
                    ended = f"hangs for {patience:g} s"
                    break
                yield number, ours.recv()
            except (EOFError, ConnectionResetError):
                process.join()
                ended = f"ends the process (exit status {process.exitcode})"
                break
        process.kill()
        process.join()
        if ended is None:
            return
        yield number, ("fault", ended)
        numbers = range(number + 1, numbers.stop)


def _work(originals: Originals, numbers: range, seed: int, connection: Connection) -> None:
    for path in (originals.folder, originals.exported):
        kind, message = read(path)
        if kind != "read":
            connection.send(("fault", f"{path} itself: {message}"))
            return
    before = _peak_memory()
    for number in numbers:
        with tempfile.TemporaryDirectory() as place:
            path = mutate(originals, number, seed, pathlib.Path(place))
            made, start = _peak_memory(), time.process_time()
            outcome = read(path)
            took = time.process_time() - start
        if _peak_memory() - max(before, made) > MAX_MEMORY:
            outcome = "fault", f"takes {(_peak_memory() - before) / 1e9:.1f} GB"
            before = _peak_memory()
        if took > SECONDS:
            outcome = "fault", f"takes {took:.0f} s"
        connection.send(outcome)


def _peak_memory() -> int:
    """The most memory that this process ever had, in bytes."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> int:
    parser = command_line.parser("tools.fuzz_model_files", __doc__)
    parser.add_argument("--checkpoint", type=pathlib.Path, help="default: the package's weights")
    parser.add_argument("--count", type=int, default=5000, help="files; default 5000")
    parser.add_argument("--first", type=int, default=0, help="number of the first; default 0")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parsed = parser.parse_args()

    from im2latex_jax import export
    from im2latex_jax.errors import Im2latexError
    from im2latex_jax.model import saved_model

    with tempfile.TemporaryDirectory() as place:
        exported = pathlib.Path(place) / "model.zip"
        folder = parsed.checkpoint or saved_model.packaged()
        try:
            export.export(folder, exported)
        except Im2latexError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        counts: collections.Counter[str] = collections.Counter()
        numbers = range(parsed.first, parsed.first + parsed.count)
        for number, (kind, message) in outcomes(Originals(folder, exported), numbers, parsed.seed):
            counts[kind] += 1
            if kind == "fault" or parsed.count == 1:
                print(f"{number}: {kind}: {message}", flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    return 1 if counts["fault"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
