r"""A model as one file that reads pictures without this package: `jax.export` of the whole way.

The file is a zip archive, in which nothing is pickled:

    meta.json        what it is, the shapes it reads, and what made it
    vocabulary.json  the tokens, a list of strings
    weights.npz      the parameters, float32
    HxW.jaxexport    a program for each shape of pictures: (weights, pictures, sizes) -> answers

The programs are StableHLO for CPU and CUDA, for batches of any size. They take pictures prepared as
the network was trained on them: uint8 [batch, height, width, 1], 0 is paper and 255 ink, each
cropped to its writing with `margin` pixels of paper around it, in the upper left corner, with a
letter x about `letter_height` pixels high (both in meta.json); and their sizes before they were put
there, int32 [batch, 2], in pixels. They give a dictionary:

    tokens      int32 [batch, steps], ids in the vocabulary, then <eos>, then <pad>
    lengths     int32 [batch], tokens of the formula, <eos> not counted
    log_probs   float32 [batch, steps], of each token, 0 at <pad>
    confidence  float32 [batch], that the whole formula is right: calibrated, 0 to 1

The search is greedy. A blank picture has length 0 and confidence 0. This is all it takes to read a
picture (an array in a .npy file); it needs jax, numpy, and flatbuffers, on which jax.export rests:

    import io, json, sys, zipfile
    import jax, jax.export, numpy as np

    ink = np.load(sys.argv[2])  # uint8 [height, width]
    height, width = ink.shape
    with zipfile.ZipFile(sys.argv[1]) as file:
        meta = json.loads(file.read("meta.json"))
        vocabulary = json.loads(file.read("vocabulary.json"))
        weights = dict(np.load(io.BytesIO(file.read("weights.npz"))))
        fits = (s for s in meta["shapes"] if height <= s["height"] and width <= s["width"])
        shape = next(fits)  # they are in order of area
        program = jax.export.deserialize(bytearray(file.read(shape["program"])))
    pictures = np.zeros((1, shape["height"], shape["width"], 1), np.uint8)
    pictures[0, :height, :width, 0] = ink
    answer = jax.jit(program.call)(weights, pictures, np.array([[height, width]], np.int32))
    ids = answer["tokens"][0, : answer["lengths"][0]]
    print(" ".join(vocabulary[i] for i in ids), float(answer["confidence"][0]), sep="\t")

A file from elsewhere is data with programs: `load` checks all sizes, and that the programs only
compute (see `runtime.program_check`), before it uses them. The lines above check nothing.

How long a file lasts: JAX promises that a program runs on versions of JAX that are up to 6 months
newer than the one it was exported with, and up to 3 weeks older (of jaxlib's release dates), where
the calling convention (`calling_convention_version` in meta.json) is one that the reader knows,
which `jax.export.{minimum,maximum}_supported_calling_convention_version` tell. The weights do not
age: keep the model's folder, and export again.
"""

import contextlib
import io
import json
import math
import os
import pathlib
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import flax.traverse_util
import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from im2latex_jax import __version__, images, recognizer
from im2latex_jax.decoding import grammar, search
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex import lexer
from im2latex_jax.latex.vocabulary import EOS, PAD, Vocabulary
from im2latex_jax.model import saved_model
from im2latex_jax.runtime import backend, compilation, files, program_check, safe_text, untrusted

FORMAT = "im2latex_jax.export"
VERSION = 1
PLATFORMS = ("cpu", "cuda")
# Limits for files from elsewhere.
MAX_FILE_BYTES = 16 << 30
MAX_MEMBERS = 10_000
_LIMITS = {
    "meta.json": 1 << 20,
    "vocabulary.json": 16 << 20,
    "weights.npz": MAX_FILE_BYTES,
    ".jaxexport": 256 << 20,
}
_MAX_REASON = 300  # characters
# Height of a letter x at the network's scale, in pixels: see `images`.
LETTER_HEIGHT = 7.4


def export(
    model_folder: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    constrain: bool = True,
) -> list[recognizer.Canvas]:
    """Writes a model as one file; see the module. The file appears whole or not at all.

    Args:
      model_folder: as for `model_files.load`.
      path: the file.
      constrain: whether only formulas are written that compile (see `syntax`).

    Returns:
      The shapes of pictures that it reads, (height, width) in pixels: the `Recognizer`'s.

    Raises:
      Im2latexError: if there is no model, or the file cannot be written.
    """
    model = saved_model.load(model_folder)
    canvases = recognizer.canvases(model.buckets)
    weights = {
        name: np.asarray(array)
        for name, array in flax.traverse_util.flatten_dict(model.params, sep="/").items()
    }
    names = [f"{height}x{width}.jaxexport" for height, width in canvases]
    rules = grammar.build(model.vocabulary) if constrain else None
    programs = [_program(model, weights, canvas, rules) for canvas in canvases]
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "platforms": PLATFORMS,
        "shapes": [
            {"height": height, "width": width, "program": name}
            for (height, width), name in zip(canvases, names, strict=True)
        ],
        "margin": images.MARGIN,
        "letter_height": round(LETTER_HEIGHT * model.scale, 2),
        "scale": model.scale,
        "temperature": model.temperature,
        "calling_convention_version": programs[0].calling_convention_version,
        "jax_version": jax.__version__,
        "im2latex_jax_version": __version__,
    }
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **weights)
    entries = {
        "meta.json": json.dumps(meta, indent=2).encode(),
        "vocabulary.json": json.dumps(model.vocabulary.tokens, ensure_ascii=False).encode(),
        "weights.npz": archive.getvalue(),
        **{n: bytes(p.serialize()) for n, p in zip(names, programs, strict=True)},
    }
    _write(pathlib.Path(path), entries)
    return canvases


def _program(
    model: saved_model.TrainedModel,
    weights: dict[str, np.ndarray],
    canvas: recognizer.Canvas,
    rules: grammar.Syntax | None,
) -> jax.export.Exported:
    """The program for one shape of pictures, in batches of any size."""

    def read(weights, pictures, sizes):
        drawn = pictures.any(axis=(1, 2, 3))
        budgets = jnp.where(drawn, recognizer.token_budget(sizes[:, 0], sizes[:, 1]), 0)
        tokens, log_probs = search.greedy(
            model.network,
            flax.traverse_util.unflatten_dict(weights, sep="/"),
            pictures,
            sizes,
            recognizer.token_budget(*canvas),
            budgets=budgets,
            syntax=rules,
        )
        log_prob = jnp.minimum(log_probs.sum(axis=1), 0.0)
        return {
            "tokens": tokens,
            "lengths": ((tokens != PAD) & (tokens != EOS)).sum(axis=1, dtype=jnp.int32),
            "log_probs": log_probs,
            "confidence": jnp.where(drawn, jnp.exp(log_prob / model.temperature), 0.0),
        }

    (batch,) = jax.export.symbolic_shape("batch")
    arguments = (
        {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in weights.items()},
        jax.ShapeDtypeStruct((batch, *canvas, 1), np.uint8),
        jax.ShapeDtypeStruct((batch, 2), np.int32),
    )
    # Not `compilation.jit`: its options are those of the backend here, not of the reader's.
    with _without_source_lines():
        return jax.export.export(jax.jit(read), platforms=PLATFORMS)(*arguments)


@contextlib.contextmanager
def _without_source_lines() -> Iterator[None]:
    """Keeps names of files on this machine out of what is exported."""
    name = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, name)
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, before)


def _write(path: pathlib.Path, entries: dict[str, bytes]) -> None:
    try:
        with files.replacing(path) as part, zipfile.ZipFile(part, "w") as file:
            for name, data in entries.items():
                # A fixed date: the same model gives the same file.
                file.writestr(zipfile.ZipInfo(name), data)
    except OSError as error:
        raise Im2latexError(f"{path}: cannot be written: {error.strerror}") from error


class Program:
    """An exported model; see the module, and `load` for what is known of its programs.

    Attributes:
      meta: what meta.json says.
      vocabulary: the tokens.
    """

    def __init__(
        self,
        meta: dict[str, Any],
        vocabulary: Vocabulary,
        weights: dict[str, np.ndarray],
        programs: "dict[recognizer.Canvas, _Program]",
    ):
        self.meta = meta
        self.vocabulary = vocabulary
        self._weights = jax.device_put(weights)
        self._programs = programs

    def __call__(self, inks: Sequence[np.ndarray]) -> list[recognizer.Recognition]:
        """Reads prepared pictures, a `Recognition` each, in their order.

        Args:
          inks: [height, width] each, in pixels: uint8 from 0 (paper) to 255 (ink), or floating
            point from 0 to 1.

        Raises:
          Im2latexError: if an array is of another kind, or larger than all shapes.
        """
        inks = [_uint8(ink) for ink in inks]
        groups: dict[recognizer.Canvas, list[int]] = {}
        for number, ink in enumerate(inks):
            groups.setdefault(self._canvas(ink), []).append(number)
        answers: dict[int, recognizer.Recognition] = {}
        for canvas, numbers in groups.items():
            part = [inks[number] for number in numbers]
            answers.update(zip(numbers, self._read(part, canvas), strict=True))
        return [answers[number] for number in range(len(inks))]

    def check(self) -> None:
        """Checks all programs without running one; each is checked before its first run anyway.

        Raises:
          Im2latexError: one is damaged, or does more than compute.
        """
        for program in self._programs.values():
            program.check()

    def _canvas(self, ink: np.ndarray) -> recognizer.Canvas:
        height, width = ink.shape
        for canvas in self._programs:
            if height <= canvas[0] and width <= canvas[1]:
                return canvas
        roof = max(h for h, _ in self._programs), max(w for _, w in self._programs)
        raise Im2latexError(
            f"a picture {width} wide and {height} high is larger than {roof[1]} x {roof[0]}, the "
            "most that this model reads: prepare it at the network's scale"
        )

    def _read(
        self, inks: Sequence[np.ndarray], canvas: recognizer.Canvas
    ) -> Iterator[recognizer.Recognition]:
        pictures = np.stack([images.pad(ink, *canvas) for ink in inks])[..., None]
        sizes = np.asarray([ink.shape for ink in inks], np.int32)
        found = self._programs[canvas](self._weights, pictures, sizes)
        for row, ink in enumerate(inks):
            log_probs = found["log_probs"][row]
            if np.isnan(log_probs).any() or np.isnan(found["confidence"][row]):
                yield recognizer.Recognition(error=recognizer.NOT_A_NUMBER, ink=ink)
                continue
            try:
                tokens = self.vocabulary.decode(found["tokens"][row])
            except IndexError as error:
                raise Im2latexError(f"the program wrote what is no token: {error}") from error
            yield recognizer.Recognition(
                normal_form=lexer.detokenize(tokens),
                tokens=tokens,
                confidence=min(max(float(found["confidence"][row]), 0.0), 1.0),
                probabilities=np.exp(log_probs[: len(tokens)]).tolist(),
                log_prob=float(log_probs.sum()),
                ink=ink,
            )


def _uint8(ink: np.ndarray) -> np.ndarray:
    ink = np.asarray(ink)
    if ink.ndim != 2 or not ink.size:
        raise Im2latexError(f"a prepared picture is [height, width], not {ink.shape}")
    if np.issubdtype(ink.dtype, np.floating) and ink.min() >= 0 and ink.max() <= 1:
        return np.rint(ink * 255).astype(np.uint8)
    if ink.dtype != np.uint8:
        raise Im2latexError(
            f"a prepared picture is uint8, or floating point from 0 to 1; this is {ink.dtype} from "
            f"{ink.min()} to {ink.max()}"
        )
    return ink


def load(path: str | os.PathLike[str]) -> Program:
    """Reads what `export` wrote; the file may come from anywhere.

    Everything is checked before it is used: nothing in the file is compressed or pickled, sizes
    have limits, and a program may only compute: see `program_check`. What is left is that a program
    runs as long, and takes as much memory, as its author wanted, and that XLA compiles it: use
    files whose origin you trust, or run them in a sandbox.

    Raises:
      Im2latexError: if it is no such file, or one that this version of JAX cannot run; or JAX does
        not start.
    """
    backend.require()
    name = os.fsdecode(path)
    try:
        with untrusted.open_file(path, MAX_FILE_BYTES) as file:
            members = untrusted.read_stored_zip(file, _LIMITS, MAX_MEMBERS)
        meta = untrusted.parse_json(members["meta.json"])
        _check_meta(name, meta)
        vocabulary = Vocabulary(tuple(untrusted.parse_json(members["vocabulary.json"])))
        vocabulary.check()
        weights = _weights(members["weights.npz"])
        programs = {}
        for shape in meta["shapes"]:
            canvas = shape["height"], shape["width"]
            exported = _deserialized(members[shape["program"]])
            _check_signature(exported, weights, canvas)
            programs[canvas] = _Program(exported, f"{name}: {_shown(shape['program'])}")
    except OSError as error:
        raise Im2latexError(f"{name}: cannot be read: {error.strerror}") from error
    except (untrusted.UntrustedFileError, _RefusedError):
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Im2latexError(
            f"{name}: is no exported model, or damaged: {_one_line(error)}; export it again"
        ) from error
    return Program(meta, vocabulary, weights, programs)


class _RefusedError(Im2latexError):
    """A whole file that this version cannot run."""


def _check_meta(path: str, meta: dict[str, Any]) -> None:
    untrusted.check_settings(meta, greatest=1e6, longest=256)
    if (meta["format"], meta["version"]) != (FORMAT, VERSION):
        raise _RefusedError(
            f"{path}: is {_shown(meta['format'])} {_shown(meta['version'])}, and this reads "
            f"{FORMAT} {VERSION}: "
            "export it again"
        )
    oldest = jax.export.minimum_supported_calling_convention_version
    newest = jax.export.maximum_supported_calling_convention_version
    if not oldest <= meta["calling_convention_version"] <= newest:
        raise _RefusedError(
            f"{path}: was exported with jax {_shown(meta['jax_version'])}, which "
            f"jax {jax.__version__} cannot run: export it again"
        )
    saved_model.check_shapes([(shape["height"], shape["width"]) for shape in meta["shapes"]])
    saved_model.check_calibration(meta["temperature"], meta["scale"])


def _weights(archive: bytes) -> dict[str, np.ndarray]:
    """The float32 arrays of an .npz archive that is not compressed; raises `ValueError`."""
    members = untrusted.read_stored_zip(io.BytesIO(archive), {".npy": MAX_FILE_BYTES}, MAX_MEMBERS)
    return {name.removesuffix(".npy"): _array(name, data) for name, data in members.items()}


def _array(name: str, data: bytes) -> np.ndarray:
    """A float32 array of an .npy file, none of whose bytes may be missing or left over."""
    file = io.BytesIO(data)
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("another version of the format")
        shape, transposed, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception as error:  # NumPy's parser of headers is Python's own
        raise ValueError(f"{name} has a damaged header: {_one_line(error)}") from error
    if dtype != np.dtype("<f4") or transposed:
        raise ValueError(f"{name} holds {dtype} instead of float32")
    if min(shape, default=0) < 0 or 4 * math.prod(shape) != len(data) - file.tell():
        raise ValueError(f"{name} has another size than its shape {str(shape)[:50]}")
    array = np.frombuffer(data, "<f4", offset=file.tell()).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds numbers that are not finite")
    return array


def _deserialized(program: bytes) -> jax.export.Exported:
    """A program; raises `ValueError` if its bytes are none."""
    try:
        return jax.export.deserialize(bytearray(program))
    except Exception as error:  # flatbuffers and JAX raise nearly anything for damaged bytes
        raise ValueError(f"a program cannot be read: {error!r}") from error


def _check_signature(
    exported: jax.export.Exported, weights: dict[str, np.ndarray], canvas: recognizer.Canvas
) -> None:
    """Raises `ValueError` if a program takes or gives something else than the module says."""
    height, width = canvas
    images_, sizes = f"uint8[batch,{height},{width},1]", "int32[batch,2]"
    wanted = [
        *(f"float32[{','.join(map(str, weights[name].shape))}]" for name in sorted(weights)),
        *(images_, sizes),
    ]
    if [_name(aval) for aval in exported.in_avals] != wanted or exported.nr_devices != 1:
        raise ValueError(f"the program for {width} x {height} pixels takes other arguments")
    steps = recognizer.token_budget(height, width)
    answer = {
        "confidence": "float32[batch]",
        "lengths": "int32[batch]",
        "log_probs": f"float32[batch,{steps}]",
        "tokens": f"int32[batch,{steps}]",
    }
    found = jax.tree.unflatten(exported.out_tree, [_name(aval) for aval in exported.out_avals])
    if found != answer:
        raise ValueError(f"the program for {width} x {height} pixels gives other answers")


def _name(aval: Any) -> str:
    return f"{aval.dtype}[{','.join(map(str, aval.shape))}]"


class _Program:
    """A program, checked and compiled for a size of batches when first called with it.

    Args:
      exported: what was read.
      name: for messages.
    """

    def __init__(self, exported: jax.export.Exported, name: str):
        self._exported = exported
        self._name = name
        self._checked = False
        self._compiled = compilation.jit(exported.call)

    def check(self) -> None:
        """Raises `Im2latexError` if the program is damaged, or does more than compute."""
        if self._checked:
            return
        try:
            program_check.check(self._exported)
        except Exception as error:  # MLIR raises nearly anything for damaged bytes
            raise Im2latexError(f"{self._name}: may not be run: {_one_line(error)}") from error
        self._checked = True

    def __call__(self, weights, pictures, sizes) -> dict[str, np.ndarray]:
        """Runs it; raises `Im2latexError` if it may not or cannot run."""
        self.check()
        try:
            return jax.device_get(self._compiled(weights, pictures, sizes))
        except Exception as error:  # whatever XLA makes of it
            raise Im2latexError(f"{self._name}: cannot be run: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return _shown(str(error)) or type(error).__name__


def _shown(value: Any) -> str:
    """What stands in a file from elsewhere, for a message."""
    return safe_text.printable(" ".join(str(value).split())[:_MAX_REASON])
