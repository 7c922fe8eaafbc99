"""All writing in an image, of any look, as ink."""

import dataclasses

import numpy as np

from im2latex_jax.images import backgrounds, grids
from im2latex_jax.images.colour import to_grey
from im2latex_jax.images.ink import to_ink


@dataclasses.dataclass(frozen=True)
class Writing:
    """The writing of an image.

    Attributes:
      ink: uint8 `[height, width]`, 0 is paper.
      left, top: the place of its corner in the image, in pixels.
      framed: whether it stood in a frame, which has been left out.
    """

    ink: np.ndarray
    left: int = 0
    top: int = 0
    framed: bool = False


def find(pixels: np.ndarray) -> Writing:
    """Finds the writing in an image: on any background, in frames, on ruled paper, in any light.

    A clean image with one background gives what `to_ink` gives.

    Args:
      pixels: opaque uint8 pixels, grey `[height, width]` or RGB `[height, width, 3]`.
    """
    pixels = grids.remove(pixels)
    found = backgrounds.find(pixels)
    if len(found) == 1 and found[0].mask is None and not found[0].framed:
        left, top, right, bottom = found[0].box
        return Writing(_ink(pixels[top:bottom, left:right]), left, top)
    left, top = (min(place.box[side] for place in found) for side in (0, 1))
    right, bottom = (max(place.box[side] for place in found) for side in (2, 3))
    ink = np.zeros((bottom - top, right - left), np.uint8)
    for place in found:
        x, y = place.box[0] - left, place.box[1] - top
        part = ink[y : y + place.box[3] - place.box[1], x : x + place.box[2] - place.box[0]]
        np.maximum(part, _ink_on(pixels, place), out=part)
    return Writing(ink, left, top, framed=len(found) == 1 and found[0].framed)


def _ink_on(pixels: np.ndarray, place: backgrounds.Background) -> np.ndarray:
    left, top, right, bottom = place.box
    part = pixels[top:bottom, left:right]
    if place.mask is None:
        return _ink(part)
    inside = place.mask > 0
    values = part[inside]
    paper = np.median(values[:: 1 + len(values) // 65536], axis=0).astype(np.uint8)
    part = part.copy()
    part[~inside] = paper
    ink = _ink(part)
    ink[~inside] = 0
    return ink


def _ink(pixels: np.ndarray) -> np.ndarray:
    return to_ink(to_grey(pixels))
