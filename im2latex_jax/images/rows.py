"""The rows of an image's writing: lines of text, formulas, and the lines of a formula.

Marks become rows by their vertical extents: two marks are in one row where these overlap. What
stands above and below a fraction bar, a large operator or a brace is tied to it first; brackets
reach over all lines of a matrix, and so keep it whole.
"""

import dataclasses

import cv2
import numpy as np

from im2latex_jax.images.components import INK_THRESHOLD, components

# Sizes in em: 12pt Computer Modern has 16.6 pixels an em at the network's scale.
# Browsers leave less between the lines of a display than TeX does.
MIN_GAP = 0.12
# How far numerator and denominator may be from their bar, and limits from their operator.
BAR_REACH, OPERATOR_REACH = 0.62, 0.42
# Small writing closer than this to a row of larger writing is its limit or label.
LABEL_GAP, LABEL_SIZE = 0.5, 0.75
# A row lower than this is part of a sign: one bar of an equals sign, an accent, dots.
MIN_HEIGHT = 0.3
# The number of an equation stands at least this far from it.
NUMBER_GAP = 2.5
MAX_MARKS = 4000


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of writing, in pixels of the ink.

    Attributes:
      box: left, top, right and bottom (ends exclusive).
      is_text: whether it looks like words rather than a formula.
      words: number of words, where it is text.
      number_left: left edge of an equation number far right of the formula, or None.
      equals_left: left edge of the first equals sign, or None.
    """

    box: tuple[int, int, int, int]
    is_text: bool = False
    words: int = 0
    number_left: int | None = None
    equals_left: int | None = None


def find(ink: np.ndarray, em: float) -> list[Row]:
    """The rows of writing, from top to bottom.

    Args:
      ink: uint8 `[height, width]`, 0 is paper, cropped to the writing.
      em: the size of the font in pixels.
    """
    mask = cv2.threshold(ink, INK_THRESHOLD - 1, 255, cv2.THRESH_BINARY)[1]
    boxes = components(mask)
    boxes = boxes[boxes[:, 2:4].max(axis=1) >= max(2, 0.06 * em)]
    if not 1 <= len(boxes) <= MAX_MARKS:
        return [Row((0, 0, ink.shape[1], ink.shape[0]))]
    edges = np.stack(
        [boxes[:, 0], boxes[:, 1], boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]], axis=1
    ).astype(float)
    groups = _grouped(edges, em)
    return [_row(edges[group], em, ink.shape) for group in groups]


def _grouped(edges: np.ndarray, em: float) -> list[np.ndarray]:
    """The numbers of the marks of each row, from top to bottom."""
    spans = edges[:, [1, 3]].copy()  # the vertical extent of what each mark is tied to
    for number, near in _ties(edges, em):
        spans[number] = (
            min(spans[number, 0], edges[near, 1].min()),
            max(spans[number, 1], edges[near, 3].max()),
        )
    order = np.argsort(spans[:, 0], kind="stable")
    groups: list[list[int]] = []
    bottom = -np.inf
    for number in order:
        if spans[number, 0] - bottom >= MIN_GAP * em:
            groups.append([])
        groups[-1].append(int(number))
        bottom = max(bottom, spans[number, 1])
    rows = [np.array(group) for group in groups]
    # Limits and labels that were not tied: \lim, \overset.
    merged = [rows[0]]
    for row in rows[1:]:
        if _is_label(edges[merged[-1]], edges[row], em):
            merged[-1] = np.concatenate([merged[-1], row])
        else:
            merged.append(row)
    return merged


def _is_label(above: np.ndarray, below: np.ndarray, em: float) -> bool:
    """Whether one of two rows is the label of the other: close, smaller and narrower."""
    if below[:, 1].min() - above[:, 3].max() >= LABEL_GAP * em:
        return False
    if min(np.ptp(part[:, [1, 3]]) for part in (above, below)) < MIN_HEIGHT * em:
        return True
    widths = [part[:, 2].max() - part[:, 0].min() for part in (above, below)]
    sizes = [_size(part, em) for part in (above, below)]
    label = int(np.argmin(sizes))
    narrow = widths[label] < 0.6 * widths[1 - label] or widths[1 - label] < 2.2 * em
    return bool(narrow and min(sizes) < LABEL_SIZE * max(sizes))


def _ties(edges: np.ndarray, em: float):
    """Each bar, brace and large operator, with the marks above and below that belong to it."""
    left, top, right, bottom = edges.T
    width, height = right - left, bottom - top
    middle = (left + right) / 2
    bar = (width >= 0.3 * em) & (height <= np.maximum(3, 0.2 * em))
    brace = (width >= 1.5 * em) & (height <= 0.8 * em) & ~bar
    operator = (height >= 1.0 * em) & (width >= 0.5 * em) & (width <= 3 * em)
    for number in np.flatnonzero(bar | brace | operator):
        reach = (OPERATOR_REACH if operator[number] else BAR_REACH) * em
        side = 0.6 * em if operator[number] else 0.1 * em
        beside = (middle > left[number] - side) & (middle < right[number] + side)
        beside[number] = False
        over, under = top[number] - bottom, top - bottom[number]
        above = beside & (over >= -0.1 * em) & (over <= reach)
        below = beside & (under >= -0.1 * em) & (under <= reach)
        if bar[number] and not (above.any() and below.any()):
            continue  # a minus sign, an overline
        if bar[number]:
            # What belongs to a bar is not wider than it; minus signs stand alone.
            tied = above | below
            if right[tied].max() - left[tied].min() > width[number] + 0.4 * em:
                continue
        near = np.flatnonzero(above | below)
        if len(near):
            yield number, near


def _size(edges: np.ndarray, em: float) -> float:
    """The height of a row's letters, without brackets, bars and dots; NaN where there are none."""
    width, height = edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1]
    letters = (width > 0.2 * em) & (height > 0.2 * em) & (height < 0.95 * em)
    return float(np.median(height[letters])) if letters.any() else float("nan")


def _row(edges: np.ndarray, em: float, shape: tuple[int, ...]) -> Row:
    left, top = np.floor(edges[:, :2].min(axis=0)).astype(int)
    right, bottom = np.ceil(edges[:, 2:].max(axis=0)).astype(int)
    # The faint feet of antialiased strokes.
    box = (
        max(0, int(left) - 1),
        max(0, int(top) - 1),
        min(shape[1], int(right) + 1),
        min(shape[0], int(bottom) + 1),
    )
    words = _words(edges, em)
    return Row(box, words > 0, words, _number_left(edges, em), _equals_left(edges, em))


def _equals_left(edges: np.ndarray, em: float) -> int | None:
    """The left edge of the first equals sign: two like bars, one close above the other."""
    left, top, right, bottom = edges.T
    width = right - left
    bars = np.flatnonzero((bottom - top <= np.maximum(3, 0.2 * em)) & (width > 0.3 * em))
    found = [
        left[upper]
        for upper in bars
        for lower in bars
        if 0 < top[lower] - bottom[upper] < 0.35 * em
        and abs(left[lower] - left[upper]) <= max(2, 0.1 * em)
        and abs(right[lower] - right[upper]) <= max(2, 0.1 * em)
    ]
    return int(min(found)) if found else None


def _words(edges: np.ndarray, em: float) -> int:
    """The number of words where a row looks like text, else 0.

    Letters stand on one line, or hang from it (g, p), and are of two heights; there are no bars;
    and words have several letters.
    """
    left, top, right, bottom = edges.T
    width, height = right - left, bottom - top
    dots = (width < 0.2 * em) & (height < 0.2 * em)
    letters = ~dots
    if letters.sum() < 5:
        return 0
    if ((height < 0.13 * em) & (width > 0.4 * em)).any():
        return 0  # minus, equals, a fraction bar
    line = float(np.median(bottom[letters]))
    tolerance = 0.1 * em
    standing = np.abs(bottom - line) <= tolerance
    hanging = (bottom > line) & (bottom < line + 0.4 * em) & (top > line - 0.62 * em)
    normal = (top > line - 1.0 * em) & (height > 0.25 * em)
    if ((standing | hanging) & normal)[letters].mean() < 0.9:
        return 0
    order = np.argsort(left[letters])
    lefts, rights = left[letters][order], right[letters][order]
    gaps = lefts[1:] - np.maximum.accumulate(rights)[:-1]
    words = 1 + int((gaps > 0.17 * em).sum())
    return words if letters.sum() / words >= 2.7 else 0


def _number_left(edges: np.ndarray, em: float) -> int | None:
    """The left edge of the number of an equation, far right of the formula, or None."""
    order = np.argsort(edges[:, 0])
    left, right = edges[order, 0], np.maximum.accumulate(edges[order, 2])
    gaps = left[1:] - right[:-1]
    if not len(gaps):
        return None
    last = int(np.argmax(gaps))
    number = edges[order[last + 1 :]]
    width = number[:, 2].max() - number[:, 0].min()
    height = number[:, 3].max() - number[:, 1].min()
    if gaps[last] < NUMBER_GAP * em or not 3 <= len(number) <= 12:
        return None
    # Its parentheses are its tallest marks.
    heights = number[:, 3] - number[:, 1]
    first, final = number[0], number[np.argmax(number[:, 2])]
    bracketed = min(first[3] - first[1], final[3] - final[1]) >= 0.85 * heights.max()
    if width > 5 * em or height > 1.5 * em or not bracketed:
        return None
    return int(number[:, 0].min())
