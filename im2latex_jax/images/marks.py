"""Marks beside a formula that are no part of it: rules, quote bars, cursors, bullets, scan edges.

Sizes are in em, the size of the font: 12pt Computer Modern has 16.6 pixels an em at the network's
scale. What belongs to formulas stays: fraction bars, roots, overlines and the bars of determinants
are near to what they belong to, or stand in pairs.
"""

import cv2
import numpy as np

from im2latex_jax.images.components import INK_THRESHOLD, labelled_components

# Pixels of an em at the network's scale.
NETWORK_EM = 16.6
# More marks than this are a page of text or a photo, which is not looked at mark by mark.
MAX_MARKS = 4000
WORKING_EM = 10


def erase_strangers(ink: np.ndarray, em: float) -> np.ndarray:
    """Ink without the marks that are no part of a formula; the same array where there are none.

    Args:
      ink: uint8 `[height, width]`, 0 is paper.
      em: the size of the font in pixels.
    """
    mask = cv2.threshold(ink, INK_THRESHOLD - 1, 255, cv2.THRESH_BINARY)[1]
    labels, boxes = labelled_components(mask)
    if not 2 <= len(boxes) <= MAX_MARKS:
        return ink
    strange = _scan_edges(boxes, labels, em)
    for find in (_rules, _bars, _bullets):
        strange |= find(boxes, ~strange & _is_visible(boxes, em), em)
    if not strange.any() or strange.all():
        return ink
    numbers = np.concatenate([[False], strange])
    erased = numbers[labels].astype(np.uint8)
    # Their faint feet too, but not the writing beside them.
    erased = cv2.dilate(erased, np.ones((5, 5), np.uint8)) & (mask == 0) | erased
    return np.where(erased > 0, 0, ink).astype(np.uint8)


def _is_visible(boxes: np.ndarray, em: float) -> np.ndarray:
    """Marks that are no specks."""
    return boxes[:, 2:4].max(axis=1) >= max(2, 0.06 * em)


def _edges(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Left, top, right and bottom of each mark."""
    left, top, width, height = boxes[:, :4].astype(float).T
    return left, top, left + width, top + height


def _rules(boxes: np.ndarray, considered: np.ndarray, em: float) -> np.ndarray:
    """Horizontal lines above or below all of the writing, and at a distance from it."""
    left, top, right, bottom = _edges(boxes)
    thin = (bottom - top <= np.maximum(3, 0.2 * em)) & (right - left >= 2 * em)
    rest = considered & ~thin
    if not thin.any() or not rest.any():
        return np.zeros(len(boxes), bool)
    above = top[rest].min() - bottom
    below = top - bottom[rest].max()
    distance = np.maximum(above, below)
    wider = (left < left[rest].min() - 0.6 * em) & (right > right[rest].max() + 0.6 * em)
    return considered & thin & ((distance > 0.9 * em) | (wider & (distance > 0.45 * em)))


def _bars(boxes: np.ndarray, considered: np.ndarray, em: float) -> np.ndarray:
    """Vertical bars left or right of all of the writing: of quotes and cells, and text cursors."""
    left, top, right, bottom = _edges(boxes)
    height, width = bottom - top, right - left
    tall = (width <= np.maximum(3, 0.25 * em)) & (height >= 0.7 * em) & (height >= 4 * width)
    strange = np.zeros(len(boxes), bool)
    for number in np.flatnonzero(considered & tall):
        rest = considered & ~strange
        rest[number] = False
        if not rest.any():
            break
        distance = max(left[number] - right[rest].max(), left[rest].min() - right[number])
        if distance <= 0.1 * em:
            continue
        like = rest & tall & (np.abs(height - height[number]) <= 0.1 * height[number])
        like &= np.abs(top - top[number]) <= 0.1 * height[number]
        over = top[rest].min() - top[number]
        under = bottom[number] - bottom[rest].max()
        far = distance > 0.8 * em
        quote = not like.any() and min(over, under) > 0.08 * em and distance > 0.3 * em
        cursor = not like.any() and max(over, under) > 0.15 * em and min(over, under) < 0.1 * em
        strange[number] = far or quote or cursor
    return strange


def _bullets(boxes: np.ndarray, considered: np.ndarray, em: float) -> np.ndarray:
    """A solid disc or square left of all of the writing, at mid height of what follows."""
    strange = np.zeros(len(boxes), bool)
    if considered.sum() < 3:
        return strange
    left, top, right, bottom = _edges(boxes)
    first = int(np.flatnonzero(considered)[np.argmin(left[considered])])
    width, height = right[first] - left[first], bottom[first] - top[first]
    rest = considered.copy()
    rest[first] = False
    solid = boxes[first, cv2.CC_STAT_AREA] >= 0.62 * width * height and height >= 5
    round_ = 0.75 <= width / height <= 1.33 and 0.2 * em <= height <= 0.7 * em
    distance = left[rest].min() - right[first]
    middle = (top[first] + bottom[first]) / 2
    within = top[rest].min() < middle < bottom[rest].max()
    strange[first] = solid and round_ and within and distance >= 0.3 * em
    return strange


def _scan_edges(boxes: np.ndarray, labels: np.ndarray, em: float) -> np.ndarray:
    """Marks along the image's border that nothing else is near to: what lies beside a sheet."""
    rows, columns = labels.shape
    left, top, right, bottom = _edges(boxes)
    touching = (left <= 1) | (top <= 1) | (right >= columns - 1) | (bottom >= rows - 1)
    along = (right - left >= 0.3 * columns) | (bottom - top >= 0.3 * rows)
    large = (boxes[:, 2:4].max(axis=1) > 2 * em) & touching & along
    strange = np.zeros(len(boxes), bool)
    # On a small copy, where an em has WORKING_EM pixels.
    shrink = min(1.0, WORKING_EM / em)
    size = max(1, int(columns * shrink)), max(1, int(rows * shrink))
    reach = np.ones((2 * int(0.6 * WORKING_EM) + 1,) * 2, np.uint8)
    for number in np.flatnonzero(large)[:8]:
        own, others = (
            cv2.resize(part.astype(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
            for part in (labels == number + 1, (labels > 0) & (labels != number + 1))
        )
        strange[number] = not (others[cv2.dilate(own, reach) > 0] > 24).any()
    return strange
