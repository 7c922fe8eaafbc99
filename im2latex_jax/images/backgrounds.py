"""Backgrounds: the sheet, card, bubble, cell or page that the writing is on.

Flat areas of an image are those where neighbouring pixels are alike; strokes, and the edges between
two backgrounds, are not. Each large connected flat area is a background: the page around a card
and the card itself, the two sides of a frame's line, a table and the paper on it, the lit and the
shaded part of a sheet. Backgrounds without writing are left out, and what is outside of those with
writing becomes paper.

All of this looks at a copy of the image of at most WORKING_SIDE pixels a side.
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from im2latex_jax.images.histograms import quantiles

WORKING_SIDE = 512
# Smaller flat areas (share of the image) are gaps between strokes.
MIN_SHARE = 0.02
# Levels by which neighbouring pixels of a flat area differ at the most, at least.
MIN_FLATNESS = 8
# Writing that covers less than this share of its background is dust.
MIN_WRITING = 0.001
# Smaller images have no room for a background beside that of the writing.
MIN_SIDE = 20


@dataclasses.dataclass(frozen=True)
class Background:
    """Where there is writing on one background, in pixels of the image.

    Attributes:
      box: left, top, right and bottom (ends exclusive).
      mask: uint8 `[bottom - top, right - left]`, 255 where the image belongs to this background;
        None where all of the box does.
      framed: whether a line encloses the background: what is outside of it looks the same.
    """

    box: tuple[int, int, int, int]
    mask: np.ndarray | None = None
    framed: bool = False


@dataclasses.dataclass(frozen=True)
class _Area:
    """A large flat area at the working scale."""

    hull: np.ndarray  # uint8 0 or 1 [height, width]: its convex hull
    level: np.ndarray  # median colour
    written: bool  # whether there is writing on it
    parent: int | None  # the smallest other area whose hull holds this one's


def flat_mask(small: np.ndarray) -> np.ndarray:
    """Where an image `[height, width]` or `[height, width, 3]` is flat, uint8 0 or 1."""
    steps = _steps(small)
    typical = quantiles(steps, [0.5])[0]
    if typical > MIN_FLATNESS / 3 and min(small.shape[:2]) >= 5:
        # Noise has steps everywhere, writing in a small part of the image.
        steps = _steps(cv2.medianBlur(small, 3))
        typical = quantiles(steps, [0.5])[0]
    return (steps <= max(MIN_FLATNESS, 3 * typical)).astype(np.uint8)


def _steps(small: np.ndarray) -> np.ndarray:
    """The range of the levels in each pixel's neighbourhood, `[height, width]`."""
    steps = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return steps if steps.ndim == 2 else steps.max(axis=2)


def shrunk(pixels: np.ndarray, side: int = WORKING_SIDE) -> np.ndarray:
    """A copy of an image of at most `side` pixels a side, by averaging."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def find(pixels: np.ndarray) -> list[Background]:
    """The backgrounds that hold writing; the whole image where there is only one background.

    Args:
      pixels: uint8 `[height, width]` or `[height, width, 3]`.
    """
    height, width = pixels.shape[:2]
    whole = [Background((0, 0, width, height))]
    if min(height, width) < MIN_SIDE:
        return whole
    small = shrunk(pixels)
    flat = flat_mask(small)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(flat, connectivity=4)
    large = np.flatnonzero(boxes[1:, cv2.CC_STAT_AREA] >= MIN_SHARE * flat.size) + 1
    if len(large) < 2:
        return whole
    large = _without_strokes(labels, boxes, large)
    if len(large) < 2:
        return whole
    index = np.zeros(len(boxes), np.uint8)
    index[large] = np.arange(1, len(large) + 1)
    numbers = index[labels]  # 1 and up for the large areas
    areas = _areas(small, numbers, boxes[large])
    written = [n for n, area in enumerate(areas) if area.written]
    if not written:
        return whole
    if _is_one_page(areas, written, numbers):
        return whole
    united = _unite(areas, written)
    if len(united) == 1 and united[0][0].all():
        return whole
    scale = np.array([width, height]) / small.shape[1::-1]
    return [_background(hull, framed, scale) for hull, framed in united]


def _without_strokes(labels: np.ndarray, boxes: np.ndarray, large: np.ndarray) -> np.ndarray:
    """The large areas that are no thick strokes: not about as thin as the other strokes are."""
    is_large = np.zeros(len(boxes), np.uint8)
    is_large[large] = 1
    distances = cv2.distanceTransform(1 - is_large[labels], cv2.DIST_L2, 3)
    strokes = distances[distances > 0]
    thickness = 2 * float(np.percentile(strokes[:: 1 + len(strokes) // 4096], 90))
    sides = boxes[large][:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].min(axis=1)
    return large[sides >= 1.5 * thickness]


def _is_one_page(areas: list[_Area], written: list[int], numbers: np.ndarray) -> bool:
    """Whether there is nothing else beside the background with writing.

    The insides of letters are within it. At the border of a tight image, roots, brackets and
    fraction bars cut pieces off, which look the same as the rest; a frame goes all around.
    """
    levels = np.stack([area.level for area in areas])
    at_border = all(_border(areas[n].hull).any() for n in written)
    if at_border and np.ptp(levels, axis=0).max() <= MIN_FLATNESS:
        return True
    if len(written) > 1:
        return False
    outside = numbers * (1 - areas[written[0]].hull)
    return not outside.any()


def _unite(areas: list[_Area], written: list[int]) -> list[tuple[np.ndarray, bool]]:
    """Hulls of the areas with writing, and whether they are framed.

    Parts of one sheet become one.
    """
    hulls: list[tuple[np.ndarray, bool]] = []
    done: set[int] = set()
    for n in sorted(written, key=lambda n: -int(areas[n].hull.sum())):
        if n in done:
            continue
        area = areas[n]
        hull = area.hull.copy()
        for other in written:
            if other == n or other in done:
                continue
            if areas[other].parent == n:
                hull &= 1 - cv2.dilate(areas[other].hull, np.ones((7, 7), np.uint8))
            elif _is_one_sheet(area, areas[other]):
                hull = _hull(hull | areas[other].hull, 1, (0, 0, *hull.shape[::-1]))
                done.add(other)
        outer = None if area.parent is None else areas[area.parent]
        framed = outer is not None and np.abs(outer.level - area.level).max() <= MIN_FLATNESS
        hulls.append((hull, bool(framed)))
        done.add(n)
    return hulls


def _is_one_sheet(first: _Area, second: _Area) -> bool:
    """Whether two areas are parts of one sheet: one of them in shadow, or cut by a long stroke."""
    if first.parent is not None or second.parent is not None:
        return False
    common = int((first.hull & second.hull).sum())
    apart = common < 0.5 * min(int(first.hull.sum()), int(second.hull.sum()))
    in_shadow = apart and np.abs(first.level - second.level).max() > MIN_FLATNESS
    return bool(in_shadow or (_border(first.hull).any() and _border(second.hull).any()))


def _border(hull: np.ndarray) -> np.ndarray:
    return np.concatenate([hull[0], hull[-1], hull[:, 0], hull[:, -1]])


def _areas(small: np.ndarray, numbers: np.ndarray, boxes: np.ndarray) -> list[_Area]:
    """The large flat areas, whose pixels have `numbers` 1 and up, and their `boxes`."""
    hulls = [_hull(numbers, n, box) for n, box in enumerate(boxes, start=1)]
    sizes = [int(hull.sum()) for hull in hulls]
    writing = _writing(numbers, len(boxes))
    areas = []
    for n, hull in enumerate(hulls):
        parents = [
            other
            for other in range(len(hulls))
            if sizes[other] > sizes[n] and (hulls[other] & hull).sum() > 0.9 * sizes[n]
        ]
        parent = min(parents, key=lambda other: sizes[other], default=None)
        values = small[numbers == n + 1]
        level = np.atleast_1d(np.median(values[:: 1 + len(values) // 4096], axis=0))
        is_written = writing[n] >= max(6, MIN_WRITING * boxes[n][cv2.CC_STAT_AREA])
        areas.append(_Area(hull, level, bool(is_written), parent))
    return areas


def _writing(numbers: np.ndarray, count: int) -> np.ndarray:
    """Pixels of strokes on each area: those of marks that touch no other area, `[count]`."""
    blank = (numbers == 0).astype(np.uint8)
    _, marks, boxes, _ = cv2.connectedComponentsWithStats(blank, connectivity=8)
    kernel = np.ones((3, 3), np.uint8)
    touched = np.zeros((len(boxes), count + 1), bool)
    # The largest and the smallest number of the areas beside each pixel.
    for near in (
        cv2.dilate(numbers, kernel),
        (count + 1 - cv2.dilate((count + 1 - numbers) * (numbers > 0), kernel)) % (count + 1),
    ):
        beside = (near > 0) & (numbers == 0)
        touched[marks[beside], near[beside]] = True
    touched[:, 0] = False
    touched[0] = False
    alone = touched & (touched.sum(axis=1) == 1)[:, None]
    return (alone * boxes[:, cv2.CC_STAT_AREA :]).sum(axis=0)[1:]


def _hull(numbers: np.ndarray, n: int, box: Sequence[int]) -> np.ndarray:
    """The convex hull of the pixels with number `n`, uint8 0 or 1."""
    x, y, columns, rows = box[:4]
    part = (numbers[y : y + rows, x : x + columns] == n).astype(np.uint8)
    contours, _ = cv2.findContours(
        part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(int(x), int(y))
    )
    filled = np.zeros(numbers.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(np.concatenate(contours)), 1)
    return filled


def _background(hull: np.ndarray, framed: bool, scale: np.ndarray) -> Background:
    """A background in pixels of the image, without its edge."""
    # The image's border is no edge.
    mask = cv2.erode(hull, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    mask = mask if mask.any() else hull
    x, y, columns, rows = cv2.boundingRect(mask)
    left, top = (int(np.ceil(v)) for v in scale * (x, y))
    right, bottom = (max(1, int(v)) for v in scale * (x + columns, y + rows))
    left, top = min(left, right - 1), min(top, bottom - 1)
    part = mask[y : y + rows, x : x + columns]
    full = None
    if not part.all():
        full = cv2.resize(part * np.uint8(255), (right - left, bottom - top))
        full = cv2.threshold(full, 127, 255, cv2.THRESH_BINARY)[1]
    return Background((left, top, right, bottom), full, framed)
