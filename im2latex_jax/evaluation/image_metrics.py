"""How near the picture of a predicted formula comes to that of the true one.

The measure of Deng et al. 2017 (Image-to-Markup Generation with Coarse-to-Fine Attention): both
formulas are drawn alike, at 200 dpi and cropped to the ink, and compared as sequences of columns of
black and white pixels. Two formulas that look the same are then equal however they are written.

Deng et al. call two pictures equal within a tolerance: columns that differ in under five pixels are
the same, and runs of fewer than five other columns are overlooked. `near_match` does so too; their
program also overlooks any run of columns that only the prediction has, which this one does not.
The tolerance can overlook a small letter that is taken for another (an index i for t), so that
`near_match` is there to stand beside published figures; `exact_match` overlooks nothing.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex.render import Rendered, render_formulas

STYLE = RenderStyle(dpi=200)
_DARK = 128  # grey levels up to this are ink
_TOLERANCE = 5  # pixels of a column, and columns of a run, from which a difference counts


@dataclasses.dataclass(frozen=True)
class PictureScore:
    """A prediction's picture against the truth's.

    Attributes:
      exact: every pixel is the same.
      exact_without_space: the same, when columns without ink are left out of both.
      near, near_without_space: the same within the tolerance (see the module).
      distance: Levenshtein distance of the pictures' columns.
      length: columns of the wider picture.
    """

    exact: bool
    exact_without_space: bool
    near: bool
    near_without_space: bool
    distance: int
    length: int


@dataclasses.dataclass(frozen=True)
class PictureMetrics:
    """Figures over a set of formulas; shares are 0 to 1.

    Attributes:
      exact_match, exact_match_without_space, near_match, near_match_without_space: shares of the
        predictions whose picture is the truth's, see `PictureScore`.
      edit_distance_score: 1 - sum of the distances / sum of the lengths.
      compile_rate: share of the predictions that TeX can set.
      num_examples: formulas whose truth TeX can set, over which all figures are.
    """

    exact_match: float
    exact_match_without_space: float
    near_match: float
    near_match_without_space: float
    edit_distance_score: float
    compile_rate: float
    num_examples: int


def draw(formulas: Sequence[str], jobs: int | None = None) -> dict[str, Rendered]:
    """Each formula's picture, or why TeX cannot draw it; see `tex.render_formulas`."""
    distinct = list(dict.fromkeys(formulas))
    results = render_formulas(distinct, STYLE, jobs, progress=True)
    return dict(zip(distinct, results, strict=True))


def compare(prediction: np.ndarray | None, truth: np.ndarray) -> PictureScore:
    """Compares two pictures, uint8 [height, width], 0 is ink; None for one that is missing."""
    if prediction is None:
        width = truth.shape[1]
        return PictureScore(False, False, False, False, width, width)
    from rapidfuzz.distance import Levenshtein

    mine, theirs = _columns(prediction, truth)
    both = np.concatenate([mine, theirs])
    numbers, first = number_columns(both)
    ids = both[first]
    sequences = np.split(numbers, [len(mine)])
    distance = Levenshtein.distance(*(sequence.tolist() for sequence in sequences))
    inked: np.ndarray = np.any(ids, axis=1)
    written = [sequence[inked[sequence]] for sequence in sequences]
    exact = distance == 0
    exact_without_space = np.array_equal(written[0], written[1])
    classes = _classes(ids) if not exact else np.arange(len(ids))
    return PictureScore(
        exact=exact,
        exact_without_space=exact_without_space,
        near=exact or _is_near(*(classes[sequence] for sequence in sequences)),
        near_without_space=exact_without_space or _is_near(*(classes[w] for w in written)),
        distance=distance,
        length=max(len(mine), len(theirs)),
    )


def _columns(*pictures: np.ndarray) -> list[np.ndarray]:
    """Columns [width, height] of 0 and 1, of one height: shorter pictures get paper below."""
    height = max(picture.shape[0] for picture in pictures)
    return [
        np.pad(picture <= _DARK, ((0, height - picture.shape[0]), (0, 0))).T.astype(np.uint8)
        for picture in pictures
    ]


def number_columns(columns: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """A number for each of [columns, height], equal ones have the same; and the first of each."""
    numbers: dict[bytes, int] = {}
    first: list[int] = []
    found = np.empty(len(columns), int)
    for place, packed in enumerate(np.packbits(columns, axis=1)):
        found[place] = numbers.setdefault(packed.tobytes(), len(numbers))
        if found[place] == len(first):
            first.append(place)
    return found, first


def _classes(columns: np.ndarray) -> np.ndarray:
    """A number for each of [columns, height]: that of the first before it that is nearly equal."""
    ones = columns.astype(np.float32)
    overlap = ones @ ones.T
    counts = ones.sum(axis=1)
    near = counts[:, None] + counts[None] - 2 * overlap < _TOLERANCE
    classes = np.arange(len(columns))
    for number in np.flatnonzero(near.sum(axis=1) > 1):
        if classes[number] == number:
            later = near[number] & (classes == np.arange(len(columns)))
            later[: number + 1] = False
            classes[later] = number
    return classes


def _is_near(mine: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether no run of differing columns is long enough to count."""
    from rapidfuzz.distance import Levenshtein

    if not len(mine) or not len(theirs):
        return len(mine) == len(theirs)
    return all(
        run.tag == "equal"
        or max(run.src_end - run.src_start, run.dest_end - run.dest_start) < _TOLERANCE
        for run in Levenshtein.opcodes(mine.tolist(), theirs.tolist())
    )


def rows(scores: Sequence[PictureScore | None], compiled: Sequence[bool]) -> np.ndarray:
    """What each formula adds to the sums of `from_sums`: float64 [formulas, columns].

    Args:
      scores: None where the truth has no picture.
      compiled: whether TeX can set each prediction.
    """
    return np.asarray(
        [
            [*dataclasses.astuple(score), good, 1] if score is not None else [0] * 8
            for score, good in zip(scores, compiled, strict=True)
        ],
        float,
    )


def from_sums(sums: np.ndarray) -> PictureMetrics:
    """The figures from the sums over the formulas' `rows`, [columns]."""
    exact, exact_without_space, near, near_without_space, distance, length, compiled, count = (
        sums.tolist()
    )
    total = max(count, 1)
    return PictureMetrics(
        exact / total,
        exact_without_space / total,
        near / total,
        near_without_space / total,
        edit_distance_score=1 - distance / max(length, 1),
        compile_rate=compiled / total,
        num_examples=int(count),
    )
