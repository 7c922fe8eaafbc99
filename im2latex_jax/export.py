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

How long a file lasts: JAX promises that a program runs on versions of JAX that are up to 6 months
newer than the one it was exported with, and up to 3 weeks older (of jaxlib's release dates), where
the calling convention (`calling_convention_version` in meta.json) is one that the reader knows,
which `jax.export.{minimum,maximum}_supported_calling_convention_version` tell. The weights do not
age: keep the model's folder, and export again.
"""

import contextlib
import io
import json
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
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
from im2latex_jax.runtime import compilation, files

FORMAT = "im2latex_jax.export"
VERSION = 1
PLATFORMS = ("cpu", "cuda")
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
    """An exported model; see the module. Reading with it runs no code of the model's.

    Attributes:
      meta: what meta.json says.
      vocabulary: the tokens.
    """

    def __init__(
        self,
        meta: dict[str, Any],
        vocabulary: Vocabulary,
        weights: dict[str, np.ndarray],
        programs: dict[recognizer.Canvas, Callable],
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
        found = jax.device_get(self._programs[canvas](self._weights, pictures, sizes))
        for row, ink in enumerate(inks):
            log_probs = found["log_probs"][row]
            tokens = self.vocabulary.decode(found["tokens"][row])
            yield recognizer.Recognition(
                latex=lexer.detokenize(tokens),
                tokens=tokens,
                confidence=float(found["confidence"][row]),
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
    """Reads what `export` wrote.

    Raises:
      Im2latexError: if it is no such file, or one that this version of JAX cannot run.
    """
    try:
        with zipfile.ZipFile(path) as file:
            meta = json.loads(file.read("meta.json"))
            _check(path, meta)
            vocabulary = Vocabulary(tuple(json.loads(file.read("vocabulary.json"))))
            with np.load(io.BytesIO(file.read("weights.npz")), allow_pickle=False) as archive:
                weights = dict(archive)
            programs = {
                (shape["height"], shape["width"]): file.read(shape["program"])
                for shape in meta["shapes"]
            }
    except OSError as error:
        raise Im2latexError(f"{path}: cannot be read: {error.strerror}") from error
    except Im2latexError:
        raise
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise Im2latexError(
            f"{path}: is no exported model, or damaged: {error}; export it again"
        ) from error
    return Program(meta, vocabulary, weights, {c: _callable(p) for c, p in programs.items()})


def _check(path: str | os.PathLike[str], meta: dict[str, Any]) -> None:
    if (meta["format"], meta["version"]) != (FORMAT, VERSION):
        raise Im2latexError(
            f"{path}: is {meta['format']} {meta['version']}, and this reads {FORMAT} {VERSION}: "
            "export it again"
        )
    oldest = jax.export.minimum_supported_calling_convention_version
    newest = jax.export.maximum_supported_calling_convention_version
    if not oldest <= meta["calling_convention_version"] <= newest:
        raise Im2latexError(
            f"{path}: was exported with jax {meta['jax_version']}, which jax {jax.__version__} "
            "cannot run: export it again"
        )


def _callable(serialized: bytes) -> Callable:
    """A program, deserialized and compiled for a size of batches when first called with it."""

    def run(weights, pictures, sizes):
        return jax.export.deserialize(bytearray(serialized)).call(weights, pictures, sizes)

    return compilation.jit(run)
