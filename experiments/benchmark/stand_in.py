"""Pictures of the sizes of im2latex-100k, for timing where the data set is not at hand.

Formulas of the synthetic grammar, drawn by mathtext and set side by side until a line is as wide as
a page's formulas are. Nothing could be learned from them; their decoding, augmentation, buckets and
captions cost what those of real ones cost.
"""

import dataclasses
import functools
from typing import Any

import cv2
import numpy as np

from im2latex_jax.datasets import statistics
from im2latex_jax.datasets.synthetic import grammar
from im2latex_jax.errors import Im2latexError
from im2latex_jax.rendering import mathtext

# Widths of im2latex-100k's pictures, cropped and halved: median in pixels, and the spread of the
# logarithm that puts the 5th and 95th percentile at 115 and 510.
MEDIAN_WIDTH = 244
SPREAD = 0.45
WIDTHS = (60, 700)
NUM_PARTS = 300  # drawn formulas that the pictures are made of
GAP = 5  # pixels between them

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """Records in memory, with the interface of `im2latex_jax.datasets.records.Split`."""

    name: str
    records: list[Record]
    formulas: list[str]
    heights: np.ndarray
    widths: np.ndarray
    lengths: np.ndarray

    @functools.cached_property
    def statistics(self) -> statistics.Statistics:
        return statistics.measure(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]


def draw(name: str, count: int, seed: int) -> Drawn:
    """`count` pictures as a split: `image` (PNG, black on white), `formula`, `height`, `width`."""
    rng = np.random.default_rng((seed, count))
    parts = _parts()
    records: list[Record] = []
    formulas = []
    for number in range(count):
        width = np.clip(MEDIAN_WIDTH * np.exp(SPREAD * rng.standard_normal()), *WIDTHS)
        tokens, picture = _line(parts, width, rng)
        formulas.append(" ".join(tokens))
        records.append(
            {
                "image": mathtext.encode_png(picture),
                "formula": formulas[-1],
                "id": f"{name}-{number}",
                "height": picture.shape[0],
                "width": picture.shape[1],
            }
        )
    sizes = np.asarray([(r["height"], r["width"]) for r in records], np.int32)
    lengths = np.asarray([len(formula.split()) for formula in formulas], np.int32)
    return Drawn(name, records, formulas, sizes[:, 0], sizes[:, 1], lengths)


def splits(count: int, seed: int) -> dict[str, Drawn]:
    """The three splits; `count` training examples."""
    sizes = {"train": count, "validation": max(1, count // 8), "test": max(1, count // 8)}
    return {name: draw(name, size, seed + k) for k, (name, size) in enumerate(sizes.items())}


@functools.cache
def _parts() -> list[tuple[list[str], np.ndarray]]:
    """Formulas and their pictures, black on white."""
    parts: list[tuple[list[str], np.ndarray]] = []
    index = 0
    while len(parts) < NUM_PARTS:
        tokens = grammar.generate(0, index)
        index += 1
        try:
            parts.append((tokens, mathtext.draw(" ".join(tokens))))
        except Im2latexError:
            continue  # mathtext lacks a glyph
    return parts


def _line(parts, width: float, rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Parts side by side, on one axis, as near to `width` as they come; at least one."""
    tokens: list[str] = []
    pictures: list[np.ndarray] = []
    while True:
        more, picture = parts[rng.integers(len(parts))]
        filled = sum(p.shape[1] + GAP for p in pictures)
        if pictures and filled + picture.shape[1] / 2 > width:
            break
        tokens += more
        pictures.append(picture)
    height = max(len(picture) for picture in pictures)
    level = []
    for picture in pictures:
        above = (height - len(picture)) // 2
        below = height - len(picture) - above
        level.append(
            cv2.copyMakeBorder(picture, above, below, 0, GAP, cv2.BORDER_CONSTANT, value=255)
        )
    return tokens, np.hstack(level)[:, :-GAP]
