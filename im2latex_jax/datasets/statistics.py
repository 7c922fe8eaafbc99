"""Statistics of a split, made once and kept beside its records: all that a run needs to start.

A start then reads one file of about 6 bytes an example instead of every record.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import pathlib
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tqdm

from im2latex_jax.errors import CorruptRecordError
from im2latex_jax.latex.canonical import canonicalize
from im2latex_jax.latex.normalizer import NormalizeError
from im2latex_jax.runtime import files, workers

if TYPE_CHECKING:
    from im2latex_jax.datasets.records import Split

_FORMAT = 1
_CHUNK = 10_000  # records that are measured at a time; the fingerprint depends on it
_MANY = 200_000  # from here on worker processes are worth their start
_SIZES = ("heights", "widths", "lengths")


@dataclasses.dataclass(frozen=True, eq=False)
class Statistics:
    """Sizes of a split's N examples, and how often each token comes.

    A damaged record that was skipped has zeros.

    Attributes:
      heights, widths: of the images in pixels, unsigned integers `[N]`.
      lengths: of the formulas in tokens, unsigned integers `[N]`.
      digests: of the formulas, see `formula_digest`, uint64 `[N]`.
      token_counts: of all formulas.
      fingerprint: a hash of all images and formulas, in order; None where records were skipped.
    """

    heights: np.ndarray
    widths: np.ndarray
    lengths: np.ndarray
    digests: np.ndarray
    token_counts: Mapping[str, int]
    fingerprint: str | None


def canonical_form(formula: str) -> str:
    """One spelling for all that draw the same; the formula itself where it cannot be told."""
    with contextlib.suppress(NormalizeError):
        return canonicalize(formula)
    return formula


def formula_digest(formula: str) -> int:
    """A hash of a formula's canonical form: 64 bits."""
    form = canonical_form(formula).encode()
    return int.from_bytes(hashlib.blake2b(form, digest_size=8).digest())


def load(split: "Split", num_workers: int | None = None) -> Statistics:
    """The statistics of a split: those beside its records, which are made where they are missing.

    Where the folder cannot be written, or damaged records were skipped, they are not kept.

    Args:
      split: of a finished dataset.
      num_workers: processes that measure; None takes a process a CPU for large splits.

    Raises:
      CorruptRecordError: a record is damaged, and the split does not skip those.
      Im2latexError: the records cannot be read.
    """
    folder = pathlib.Path(split.directory)
    kept = read(folder, split.name, len(split))
    if kept is not None:
        return kept
    measured, corrupt = _measure_split(split, num_workers)
    for index, message in corrupt:
        split.note_corrupt(index, CorruptRecordError(message))
    if not corrupt:
        # In a dataset of another user, or on a full disk, they are made at every start.
        with contextlib.suppress(OSError):
            write(folder, split.name, measured)
    return measured


def measure(records: Iterable[Mapping[str, Any]]) -> Statistics:
    """The statistics of records in memory, with the keys of `records.Split`."""
    remaining, chunks = iter(records), []
    while chunk := list(itertools.islice(remaining, _CHUNK)):
        chunks.append(_measure_chunk(chunk))
    return _join(chunks)


@dataclasses.dataclass
class _Chunk:
    """Statistics of some records in a row."""

    sizes: np.ndarray  # [N, 3]: height, width, length
    digests: np.ndarray
    token_counts: collections.Counter[str]
    content: bytes  # a hash
    corrupt: list[tuple[int, str]] = dataclasses.field(default_factory=list)


def _measure_chunk(records: Sequence[Mapping[str, Any] | None]) -> _Chunk:
    """None stands for a damaged record."""
    sizes = np.zeros((len(records), 3), np.int64)
    digests = np.zeros(len(records), np.uint64)
    token_counts: collections.Counter[str] = collections.Counter()
    content = hashlib.sha256()
    for number, record in enumerate(records):
        if record is None:
            continue
        formula, image = record["formula"], record["image"]
        tokens = formula.split()
        token_counts.update(tokens)
        sizes[number] = record["height"], record["width"], len(tokens)
        digests[number] = formula_digest(formula)
        for part in (formula.encode(), image):
            content.update(len(part).to_bytes(8, "little"))
            content.update(part)
    return _Chunk(sizes, digests, token_counts, content.digest())


def _measure_range(split: "Split", bounds: tuple[int, int]) -> _Chunk:
    """What a worker does."""
    records: list[Mapping[str, Any] | None] = []
    corrupt = []
    for index in range(*bounds):
        try:
            records.append(split[index])
        except CorruptRecordError as error:
            if not split.skip_corrupt:
                raise
            records.append(None)
            corrupt.append((index, str(error)))
    return dataclasses.replace(_measure_chunk(records), corrupt=corrupt)


def _measure_split(
    split: "Split", num_workers: int | None
) -> tuple[Statistics, list[tuple[int, str]]]:
    count = len(split)
    if count < _MANY:
        num_workers = 0
    elif num_workers is None:
        num_workers = workers.available_cpus()
    ranges = ((start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))
    results = workers.ordered_map(functools.partial(_measure_range, split), ranges, num_workers)
    chunks = list(_progress(results, split.name, count))
    return _join(chunks), [pair for chunk in chunks for pair in chunk.corrupt]


def _progress(chunks: Iterable[_Chunk], name: str, count: int) -> Iterator[_Chunk]:
    quiet = count < _MANY or not sys.stderr.isatty()
    with tqdm.tqdm(total=count, desc=f"Measuring {name}", unit="record", disable=quiet) as bar:
        for chunk in chunks:
            bar.update(len(chunk.digests))
            yield chunk


def _join(chunks: Sequence[_Chunk]) -> Statistics:
    sizes = np.concatenate([chunk.sizes for chunk in chunks] or [np.zeros((0, 3), np.int64)])
    digests = np.concatenate([chunk.digests for chunk in chunks] or [np.zeros(0, np.uint64)])
    token_counts: collections.Counter[str] = collections.Counter()
    content = hashlib.sha256()
    for chunk in chunks:
        token_counts.update(chunk.token_counts)
        content.update(chunk.content)
    fingerprint = None if any(c.corrupt for c in chunks) else content.hexdigest()[:16]
    heights, widths, lengths = (_compact(column) for column in sizes.T)
    return Statistics(heights, widths, lengths, digests, token_counts, fingerprint)


def _compact(values: np.ndarray) -> np.ndarray:
    """In the smallest unsigned type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def _paths(folder: pathlib.Path, name: str) -> tuple[pathlib.Path, pathlib.Path]:
    return folder / f"statistics-{name}.npz", folder / f"digests-{name}.npy"


def write(folder: pathlib.Path, name: str, statistics: Statistics) -> None:
    path, digests_path = _paths(folder, name)
    description = {
        "format": _FORMAT,
        "fingerprint": statistics.fingerprint,
        "token_counts": dict(statistics.token_counts),
    }
    text = np.frombuffer(json.dumps(description).encode(), np.uint8)
    with files.replacing(digests_path) as part, part.open("wb") as file:
        np.save(file, statistics.digests)
    with files.replacing(path) as part, part.open("wb") as file:
        np.savez(file, description=text, **{x: getattr(statistics, x) for x in _SIZES})


def read(folder: pathlib.Path, name: str, count: int) -> Statistics | None:
    """What `write` wrote for `count` records; None where there is none, or it is damaged."""
    path, digests_path = _paths(folder, name)
    try:
        with np.load(path) as file:
            description = json.loads(file["description"].tobytes())
            if description["format"] != _FORMAT:
                return None
            sizes = {x: file[x] for x in _SIZES}
        # Few runs look at them, and they are the largest part.
        digests = np.load(digests_path, mmap_mode="r")
    # NumPy and zipfile raise nearly anything for a damaged file.
    except (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile):
        return None
    if any(array.shape != (count,) for array in (*sizes.values(), digests)):
        return None
    return Statistics(
        **sizes,
        digests=digests,
        token_counts=description["token_counts"],
        fingerprint=description["fingerprint"],
    )
