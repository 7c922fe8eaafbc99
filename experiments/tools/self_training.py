"""python -m experiments.tools.self_training --images FOLDER --out DIR [--checkpoint PATH]

Reads images without formulas, draws what was read, and keeps the formulas whose drawing comes near
to the image: a list to train on (`DIR/self.tsv`: group, kind, formula), for the dataset `corpus`.
The network learns from the drawings, with which the formulas agree by construction; the images only
say which formulas there are. FOLDER is in the layout of im2latex-100k-train-images: `images.bin.xz`
(rows of 4-bit ink, two pixels a byte) and `index.npy` (number, height, width, offset).

Finished pieces stay in `DIR/pieces`: the same command goes on where it was stopped. `figures.json`
says how many were kept, and why the others were not.
"""

import argparse
import collections
import dataclasses
import json
import lzma
import pathlib
import sys
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import tqdm
from absl import logging

from experiments import command_line
from im2latex_jax import images
from im2latex_jax.errors import Im2latexError
from im2latex_jax.rendering.tex.render import render_formulas
from im2latex_jax.runtime import files

_PIECE = 2_000  # images that are read and drawn at a time
_LEVEL = 17  # a step of 4-bit ink, in levels of 8 bits
_BLUR = 1.2  # pixels; what two renderings of one formula may differ by
# Differences of the size in pixels: so many, and so large a share of the larger side.
_SIZE_PIXELS, _SIZE_SHARE = 4, 0.015
_SHIFTS = (-1, 0, 1)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is kept.

    Attributes:
      confidence: of the recognizer, at the least.
      distance: of the drawing from the image, at the most; see `distance`.
    """

    confidence: float
    distance: float


@dataclasses.dataclass(frozen=True)
class Pair:
    """An image by its number, what was read in it, and whether that is kept: "" or why not."""

    number: int
    formula: str
    confidence: float
    distance: float
    problem: str = ""


def main() -> int:
    parser = command_line.parser("tools.self_training", __doc__)
    add = parser.add_argument
    add("--images", type=pathlib.Path, required=True, help="folder of the images")
    add("--out", type=pathlib.Path, required=True, help="folder of the list")
    add("--checkpoint", help="the model that reads; default: that of the package")
    add("--min-confidence", type=float, default=0.5)
    add("--max-distance", type=float, default=0.12, help="0: same ink; 1: none in common")
    add("--limit", type=int, help="images read at most")
    add("--batch-size", type=int, default=16)
    logging.set_verbosity(logging.ERROR)
    try:
        print(json.dumps(run(parser.parse_args())))
    except Im2latexError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(settings: argparse.Namespace) -> dict[str, int]:
    """Reads, draws and chooses; returns how many were kept, and the reasons of the others."""
    from im2latex_jax.recognizer import Recognizer
    from im2latex_jax.runtime import compilation

    compilation.enable_cache()
    recognizer = Recognizer.load(settings.checkpoint, batch_size=settings.batch_size)
    limits = Limits(settings.min_confidence, settings.max_distance)
    found = load_images(settings.images, settings.limit)
    pieces = settings.out / "pieces"
    pieces.mkdir(parents=True, exist_ok=True)
    pairs: list[Pair] = []
    with tqdm.tqdm(total=len(found), disable=not sys.stderr.isatty()) as bar:
        for start in range(0, len(found), _PIECE):
            piece = found[start : start + _PIECE]
            path = pieces / f"{start:06d}.json"
            if not path.exists():
                read = [dataclasses.asdict(pair) for pair in read_images(recognizer, piece)]
                files.write_text(path, json.dumps(read) + "\n")
            pairs += [Pair(**row) for row in json.loads(path.read_text("utf-8"))]
            bar.update(len(piece))
    return write(settings.out, pairs, limits)


def load_images(folder: pathlib.Path, limit: int | None = None) -> list[tuple[int, np.ndarray]]:
    """Number and ink (uint8 `[height, width]`, 255 is ink) of each image.

    Raises:
      Im2latexError: the files are missing or do not belong together.
    """
    try:
        index = np.load(folder / "index.npy")
        with lzma.open(folder / "images.bin.xz") as file:
            data = np.frombuffer(file.read(), np.uint8)
    except (OSError, ValueError, lzma.LZMAError) as error:
        raise Im2latexError(f"{folder}: the images cannot be read: {error}") from error
    found = []
    for number, height, width, offset in index[:limit].tolist():
        row = (width + 1) // 2
        packed = data[offset : offset + height * row]
        if packed.size != height * row:
            raise Im2latexError(f"{folder}: image {number} reaches beyond the end of images.bin.xz")
        packed = packed.reshape(height, row)
        levels = np.stack([packed >> 4, packed & 15], -1).reshape(height, 2 * row)
        found.append((number, levels[:, :width] * _LEVEL))
    return found


def read_images(recognizer, found: Sequence[tuple[int, np.ndarray]]) -> Iterator[Pair]:
    """What is read in each image, and how far its drawing is from the image."""
    margin = 8  # as images have it that users read
    pictures = [255 - np.pad(ink, margin) for _, ink in found]
    answers = list(recognizer.stream(pictures))
    formulas = [" ".join(answer.tokens) for answer in answers]
    readable = [place for place, formula in enumerate(formulas) if formula]
    drawn = dict(
        zip(readable, render_formulas([formulas[place] for place in readable]), strict=True)
    )
    for place, (number, ink) in enumerate(found):
        answer, formula = answers[place], formulas[place]
        confidence = round(float(answer.confidence), 4)
        rendered = drawn.get(place)
        if rendered is None or rendered.png is None:
            reason = "nothing read" if rendered is None else "not drawn"
            yield Pair(number, formula, confidence, 1.0, reason)
            continue
        measured = distance(ink, images.crop(255 - images.read(rendered.png)))
        yield Pair(number, formula, confidence, round(measured, 4))


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """How far two renderings of formulas are apart: 0 for the same ink, 1 for none in common.

    Both are blurred a little and laid on each other, up to a pixel off; the difference of the ink
    is taken as a share of all ink. Images of other sizes are 1 apart.
    """
    first, second = (_cropped(image) for image in (first, second))
    for one, other in zip(first.shape, second.shape, strict=True):
        if abs(one - other) > max(_SIZE_PIXELS, _SIZE_SHARE * max(one, other)):
            return 1.0
    height, width = (max(sides) + 2 for sides in zip(first.shape, second.shape, strict=True))
    base = _blurred(_placed(first, height, width, 1, 1))
    total = float(first.sum() + second.sum())
    return min(
        float(np.abs(base - _blurred(_placed(second, height, width, 1 + down, 1 + right))).sum())
        for down in _SHIFTS
        for right in _SHIFTS
    ) / max(total, 1.0)


def _cropped(ink: np.ndarray) -> np.ndarray:
    rows, columns = (np.flatnonzero((ink >= 64).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return ink[:0, :0]
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _placed(ink: np.ndarray, height: int, width: int, top: int, left: int) -> np.ndarray:
    sheet = np.zeros((height + 2, width + 2), np.float32)
    sheet[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return sheet


def _blurred(sheet: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(sheet, (0, 0), _BLUR))


def write(out: pathlib.Path, pairs: Sequence[Pair], limits: Limits) -> dict[str, int]:
    """Writes the list of what is kept, and the figures."""
    counts: collections.Counter[str] = collections.Counter()
    rows = []
    for pair in pairs:
        reason = pair.problem
        if not reason and pair.confidence < limits.confidence:
            reason = "not confident"
        if not reason and pair.distance > limits.distance:
            reason = "drawn otherwise"
        counts[reason or "kept"] += 1
        if not reason:
            rows.append(f"train-{pair.number}\tself\t{pair.formula}\n")
    files.write_text(out / "self.tsv", "".join(rows))
    figures = dict(sorted(counts.items()))
    files.write_text(out / "figures.json", json.dumps(figures, indent=1) + "\n")
    return figures


if __name__ == "__main__":
    sys.exit(main())
