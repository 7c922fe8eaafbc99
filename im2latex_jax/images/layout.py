"""From an image to its formulas: where they are, and the ink of each of their rows."""

import dataclasses
import itertools

import cv2
import numpy as np

from im2latex_jax.images import deskew, marks, rows, writing
from im2latex_jax.images.components import INK_THRESHOLD, components
from im2latex_jax.images.crop import crop_box
from im2latex_jax.images.errors import ImageError
from im2latex_jax.images.limits import Deadline
from im2latex_jax.images.scale import scale_candidates

Box = tuple[int, int, int, int]

# Rows farther apart than this (in em) are formulas of their own.
MAX_ROW_GAP = 2.0
# Rows of one derivation are no farther apart than this; else each is a formula of its own.
MAX_ALIGNED_GAP = 1.0
# Rows of one formula that are read.
MAX_ROWS = 12
# Writing nearer to its frame than this, left and right, is \boxed; farther it is in a cell or card.
MAX_BOXED_PADDING = 0.6
# Words from which on an image is text rather than a formula.
MIN_WORDS = 3


class TextError(ImageError):
    """The image shows text rather than a formula."""


@dataclasses.dataclass(frozen=True)
class Formula:
    """A formula in an image.

    Attributes:
      box: left, top, right and bottom (ends exclusive) in pixels of the image.
      inks: uint8 `[height, width]` of each row, cropped to its writing.
      boxes: the box of each row, in pixels of the image.
      aligned: whether several rows are aligned at their relation signs; else each stands alone.
      number: the ink of the equation's number at the margin, or None.
      boxed: whether a frame is drawn closely around it.
    """

    box: Box
    inks: list[np.ndarray]
    boxes: list[Box]
    aligned: bool = False
    number: np.ndarray | None = None
    boxed: bool = False


@dataclasses.dataclass(frozen=True)
class Layout:
    """What there is in an image.

    Attributes:
      formulas: from top to bottom.
      scales: plausible factors to the network's scale, the likeliest first.
      marks: number of connected marks of ink.
      mark_height: their median height in pixels of the image.
    """

    formulas: list[Formula]
    scales: list[float]
    marks: int
    mark_height: float


def find(pixels: np.ndarray, deadline: Deadline | None = None) -> Layout:
    """Finds the formulas in an image.

    A clean image of one formula in one row gives what `crop(to_ink(pixels))` gives.

    Args:
      pixels: opaque uint8 pixels, grey `[height, width]` or RGB `[height, width, 3]`.
      deadline: looked at between the stages.

    Raises:
      ImageError: there is text only (TextError), nothing (BlankImageError), or too much.
    """
    deadline = deadline or Deadline()
    found = writing.find(pixels)
    deadline.check()
    ink, origin = found.ink, np.array([[1.0, 0, found.left], [0, 1, found.top]])
    left, top, right, bottom = crop_box(ink)
    scales = scale_candidates(ink[top:bottom, left:right])
    em = marks.NETWORK_EM / scales[0]
    deadline.check()
    degrees = deskew.angle(ink[top:bottom, left:right], em)
    if degrees:
        ink, matrix = deskew.turn(ink, degrees)
        origin = origin @ np.vstack([matrix, [0, 0, 1]])
    kept = marks.erase_strangers(ink, em)
    if degrees or kept is not ink:
        ink = kept
        left, top, right, bottom = crop_box(ink)
        scales = scale_candidates(ink[top:bottom, left:right])
        em = marks.NETWORK_EM / scales[0]
    deadline.check()
    ink = ink[top:bottom, left:right]
    origin = origin @ np.array([[1.0, 0, left], [0, 1, top], [0, 0, 1]])
    padding = min(left, found.ink.shape[1] - right)
    boxed = found.framed and not degrees and padding <= MAX_BOXED_PADDING * em
    image = _Image(ink, origin, pixels.shape[:2], em)
    mask = cv2.threshold(ink, INK_THRESHOLD - 1, 255, cv2.THRESH_BINARY)[1]
    heights = components(mask)[:, cv2.CC_STAT_HEIGHT]
    formulas = _formulas(image, rows.find(ink, em), boxed)
    return Layout(formulas, scales, len(heights), float(np.median(heights)))


@dataclasses.dataclass(frozen=True)
class _Image:
    """Cropped ink, the matrix `[2, 3]` from its pixels to the image's, the image's shape."""

    ink: np.ndarray
    origin: np.ndarray
    shape: tuple[int, ...]
    em: float

    def box(self, box: Box) -> Box:
        """A box of the ink in pixels of the image."""
        left, top, right, bottom = box
        corners = np.array([(x, y, 1) for x in (left, right) for y in (top, bottom)]).T
        x, y = self.origin @ corners
        height, width = self.shape
        return (
            max(0, int(np.floor(x.min()))),
            max(0, int(np.floor(y.min()))),
            min(width, int(np.ceil(x.max()))),
            min(height, int(np.ceil(y.max()))),
        )

    def cut(self, box: Box) -> np.ndarray:
        """The ink of a box, cropped to what is written in it."""
        left, top, right, bottom = box
        part = self.ink[top:bottom, left:right]
        x, y, width, height = cv2.boundingRect(part)
        return part[y : y + height, x : x + width]


def _formulas(image: _Image, found: list[rows.Row], boxed: bool) -> list[Formula]:
    words = sum(row.words for row in found)
    formula_rows = [n for n, row in enumerate(found) if not row.is_text]
    if not formula_rows and words >= MIN_WORDS:
        raise TextError(
            f"shows text ({words} words) rather than a formula; cut out a formula, or use a "
            "program for text recognition"
        )
    if len(found) == 1:
        whole = (0, 0, image.ink.shape[1], image.ink.shape[0])
        if found[0].number_left is None:
            # All of the ink: also the specks that are no marks of the row.
            box = image.box(whole)
            return [Formula(box, [image.ink], [box], boxed=boxed)]
    groups: list[list[int]] = []
    for n in formula_rows or range(len(found)):
        last = groups[-1][-1] if groups else None
        gap = 0 if last is None else found[n].box[1] - found[last].box[3]
        if last != n - 1 or gap > MAX_ROW_GAP * image.em or len(groups[-1]) == MAX_ROWS:
            groups.append([])
        groups[-1].append(n)
    return [_formula(image, [found[n] for n in group], boxed) for group in groups]


def _formula(image: _Image, group: list[rows.Row], boxed: bool) -> Formula:
    number = None
    boxes = [row.box for row in group]
    numbered = [n for n, row in enumerate(group) if row.number_left is not None]
    if len(numbered) == 1:
        left, top, right, bottom = boxes[numbered[0]]
        middle = group[numbered[0]].number_left
        assert middle is not None
        number = image.cut((max(left, middle - 1), top, right, bottom))
        boxes[numbered[0]] = (left, top, middle - 1, bottom)
    inks = [image.cut(box) for box in boxes]
    placed = [image.box(box) for box in boxes]
    lefts, tops, rights, bottoms = zip(*placed, strict=True)
    whole = min(lefts), min(tops), max(rights), max(bottoms)
    return Formula(whole, inks, placed, _is_aligned(group, image.em), number, boxed)


def _is_aligned(group: list[rows.Row], em: float) -> bool:
    """Whether rows are aligned at their relation signs rather than centred."""
    if len(group) < 2:
        return False
    gaps = [below.box[1] - above.box[3] for above, below in itertools.pairwise(group)]
    if max(gaps) > MAX_ALIGNED_GAP * em:
        return False
    places = [row.equals_left for row in group if row.equals_left is not None]
    if len(places) >= 2:
        return max(places) - min(places) <= 0.4 * em
    middles = [(row.box[0] + row.box[2]) / 2 for row in group]
    return max(middles) - min(middles) > 0.5 * em


def turned_back(found: Layout, quarters: int, shape: tuple[int, ...]) -> Layout:
    """A layout whose boxes are those in the image before it was turned.

    Args:
      found: of the turned image.
      quarters: by how many quarters it was turned left.
      shape: of the turned image.
    """

    def back(box: Box) -> Box:
        height, width = shape[:2]
        for _ in range(quarters % 4):
            left, top, right, bottom = box
            box = height - bottom, left, height - top, right
            height, width = width, height
        return box

    formulas = [
        dataclasses.replace(f, box=back(f.box), boxes=[back(box) for box in f.boxes])
        for f in found.formulas
    ]
    return dataclasses.replace(found, formulas=formulas)
