"""The box of the writing."""

import cv2
import numpy as np

from im2latex_jax.images.components import INK_THRESHOLD, bounds, components
from im2latex_jax.images.errors import BlankImageError


def crop(ink: np.ndarray, margin: int = 0) -> np.ndarray:
    """Cuts out the writing, and puts `margin` pixels of paper around it.

    Specks far from the writing, and lines and frames along the picture's border that keep a
    distance from the writing, are left out.

    Args:
      ink: uint8 `[height, width]`, 0 is paper.

    Raises:
      BlankImageError: there is nothing but paper and specks.
    """
    left, top, right, bottom = crop_box(ink)
    cut = ink[top:bottom, left:right]
    if not margin:
        return cut
    return cv2.copyMakeBorder(cut, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)


def crop_box(ink: np.ndarray) -> tuple[int, int, int, int]:
    """The left, top, right and bottom (ends exclusive) of what `crop` cuts out.

    Raises:
      BlankImageError: there is nothing but paper and specks.
    """
    _, mask = cv2.threshold(ink, INK_THRESHOLD - 1, 255, cv2.THRESH_BINARY)
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        raise BlankImageError("the picture is blank: there is no writing in it")
    boxes = components(mask[y : y + height, x : x + width])
    boxes[:, :2] += (x, y)
    keep = _is_writing(boxes, ink.shape)
    if not keep.any():
        raise BlankImageError("the picture is blank: there are only specks in it")
    left, top, right, bottom = bounds(boxes[keep])
    # The faint feet of antialiased strokes reach a pixel farther than the threshold.
    top -= int(top > 0 and ink[top - 1, left:right].any())
    bottom += int(bottom < ink.shape[0] and ink[bottom, left:right].any())
    left -= int(left > 0 and ink[top:bottom, left - 1].any())
    right += int(right < ink.shape[1] and ink[top:bottom, right].any())
    return left, top, right, bottom


def _is_writing(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which components are writing, bool `[components]`.

    Args:
      boxes: left, top, width, height and area of each, `[components, 5]`.
      shape: height and width of the picture.
    """
    size = boxes[:, 2:4].max(axis=1)
    solid = size >= 3
    if not solid.any():
        return solid
    border = _is_border(boxes, size, solid, shape)
    # The area-weighted median: dust has many components, but little ink.
    heights = boxes[:, 3]
    order = np.argsort(heights)
    ink = np.cumsum(np.where(border, 0, boxes[:, 4])[order])
    letter = float(heights[order[np.searchsorted(ink, ink[-1] / 2)]])
    keep = solid & ~border & (size > 0.35 * letter)
    # Dots and dashes belong to the writing that they are near to: nearer than \qquad and a
    # trailing period. Farther ones are specks.
    pending = np.flatnonzero(~keep & ~border)
    if len(pending) and keep.any():
        keep[pending] = _within_reach(boxes[pending], bounds(boxes[keep]), 6 * letter)
    return keep


def _within_reach(boxes: np.ndarray, start: tuple[int, int, int, int], reach: float) -> np.ndarray:
    """Which boxes are nearer than `reach` to a box that grows by each of them, bool `[boxes]`.

    Args:
      boxes: left, top, width and height of each, `[boxes, 4 or more]`.
      start: left, top, right and bottom of the box to begin with.
    """
    left, top = boxes[:, 0], boxes[:, 1]
    right, bottom = left + boxes[:, 2], top + boxes[:, 3]
    near = (left < start[2] + reach) & (top < start[3] + reach)
    near &= (right > start[0] - reach) & (bottom > start[1] - reach)
    if near.all():
        return near
    # A box is near once its edge on each of the four sides passes the limit of that side. The
    # limits only grow, so that one pass through each side's edges in order does.
    edges = np.stack([left, top, -right, -bottom])
    orders = np.argsort(edges, axis=1, kind="stable").tolist()
    values = edges.tolist()
    reached = np.stack([right, bottom, -left, -top], axis=1).tolist()
    limits = [start[2], start[3], -start[0], -start[1]]
    passed = [0] * len(boxes)
    positions = [0] * 4
    near[:] = False
    grown = True
    while grown:
        grown = False
        for side in range(4):
            order, value, position = orders[side], values[side], positions[side]
            while position < len(order) and value[order[position]] < limits[side] + reach:
                index = order[position]
                position += 1
                passed[index] += 1
                if passed[index] == 4:
                    near[index] = grown = True
                    limits = [max(pair) for pair in zip(limits, reached[index], strict=True)]
            positions[side] = position
    return near


def _is_border(
    boxes: np.ndarray, size: np.ndarray, solid: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Which components are lines or frames along the picture's border, bool `[components]`."""
    left, top, width, height, area = boxes.T
    right, bottom = left + width, top + height
    rows, columns = shape
    touching = (left <= 1) | (top <= 1) | (right >= columns - 1) | (bottom >= rows - 1)
    along = (width >= 0.8 * columns) | (height >= 0.8 * rows)
    thin = area <= 0.06 * size * size
    border = touching & along & thin
    rest = solid & ~border
    if not border.any() or not rest.any():
        return np.zeros_like(border)
    # \overline, \sqrt, \boxed and \frac reach the border of a tight picture too, but they
    # keep within a letter's height of what they belong to.
    letter = float(np.median(height[rest]))
    inner_left, inner_top, inner_right, inner_bottom = bounds(boxes[rest])
    sides = [left - inner_right, inner_left - right, top - inner_bottom, inner_top - bottom]
    beside = np.maximum.reduce(sides) > letter
    clear = [inner_left - left, right - inner_right, inner_top - top, bottom - inner_bottom]
    around = np.minimum.reduce(clear) > letter
    return border & (beside | around)
