"""Pixels of any depth, colour and transparency to grey levels."""

import cv2
import numpy as np

from im2latex_jax.images.errors import ImageError

# Floating point images of 0 to 1 may overshoot a little where they were resampled.
OVERSHOOT = 1.5
# The largest values of images of 8, 12 and 16 bits.
FULL_SCALES = (255.0, 4095.0, 65535.0)


def eight_bit(values: np.ndarray) -> np.ndarray:
    """Values of more than eight bits to uint8 grey levels.

    Integers are taken to be of 8, 12 or 16 bits, the fewest that hold the largest value (scanners
    and microscopes store 12 bits in 16). Floating point is taken to be 0 to 1, with a little
    overshoot, or 0 to 255 and so on; where values are clearly negative (an image normalized for a
    network), the range of the values is stretched to 0 to 255. NaN and infinity become the median
    of the finite values: paper.

    Raises:
      ImageError: no value is finite.
    """
    values = np.asarray(values)
    if np.issubdtype(values.dtype, np.integer):
        top = int(values.max(initial=0))
        white = next((w for w in FULL_SCALES if top <= w), float(top))
        return np.clip(np.rint(values * np.float32(255 / white)), 0, 255).astype(np.uint8)
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        if not finite.any():
            raise ImageError("has no finite values")
        values = np.where(finite, values, np.median(values[finite]))
    highest, lowest = float(values.max(initial=0)), float(values.min(initial=0))
    if lowest < -0.05 * max(highest, -lowest):
        scale = 255 / (highest - lowest)
        return np.clip(np.rint((values - lowest) * scale), 0, 255).astype(np.uint8)
    white = 1.0
    if highest > OVERSHOOT:
        white = next((w for w in FULL_SCALES if highest <= w), highest)
    return np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8)


def opaque_from_array(array: np.ndarray, name: str) -> np.ndarray:
    """Opaque pixels of an array, see `decode.read`: grey `[height, width]` or RGB `[..., 3]`.

    Raises:
      ImageError: the array's shape or values are not an image's; the message begins with `name`.
    """
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4:
        raise ImageError(
            f"{name}: has shape {array.shape}; expected [height, width] or [height, width, 1 to 4]"
        )
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
            raise ImageError(f"{name}: has values of type {array.dtype}; expected numbers")
        try:
            array = eight_bit(array)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from error
    array = np.ascontiguousarray(array)
    channels = array.shape[2]
    if channels >= 3 and _is_grey(array):
        array = array[:, :, 0::3]  # Grey, and alpha where there is one.
        channels -= 2
    if channels in (2, 4):
        array = _compose(array[:, :, :-1], array[:, :, -1])
    return np.ascontiguousarray(array[:, :, 0]) if channels <= 2 else array


def opaque_from_palette(indices: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Opaque pixels of `[height, width]` indices into a palette `[1, 256, RGBA]`.

    As composing every pixel, but on the palette's 256 colours.
    """
    unused = np.bincount(indices.reshape(-1), minlength=256) == 0
    palette[0, unused] = palette[0, np.argmin(unused)]
    composed = _compose(palette[:, :, :3], palette[:, :, 3])
    if _is_grey(composed):
        return cv2.LUT(indices, np.ascontiguousarray(composed[:, :, 0])).reshape(indices.shape)
    return composed[0, indices]


def _is_grey(rgb: np.ndarray) -> bool:
    """Whether red, green and blue are equal everywhere, `[height, width, 3 or more]`."""
    red, green, blue = (cv2.extractChannel(rgb, channel) for channel in range(3))
    return np.array_equal(red, green) and np.array_equal(green, blue)


def _compose(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Puts a transparent picture on white paper, or on black where white would hide it.

    Args:
      colour: uint8 `[height, width, channels]`.
      alpha: uint8 `[height, width]`.
    """
    colour = np.ascontiguousarray(colour)
    alpha = np.ascontiguousarray(alpha)
    if (alpha == 255).all():
        return colour
    weights = cv2.merge([alpha] * colour.shape[2]).reshape(colour.shape)
    on_black = cv2.multiply(colour, weights, scale=1 / 255).reshape(colour.shape)
    paper = cv2.bitwise_not(weights, dst=weights)
    on_white = cv2.add(on_black, paper).reshape(colour.shape)
    contrast = [int(np.ptp(image, axis=(0, 1)).max()) for image in (on_white, on_black)]
    return on_black if 2 * contrast[0] < contrast[1] else on_white


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Grey levels `[height, width]` of grey or RGB pixels on paper of one colour.

    Luminance (ITU-R BT.601), or distance from the paper's colour where luminance loses ink.
    """
    if pixels.ndim == 2:
        return pixels
    rgb = pixels
    luminance = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if _is_grey(rgb):
        return luminance
    paper = np.median(rgb[:: 1 + rgb.shape[0] // 512, :: 1 + rgb.shape[1] // 512], axis=(0, 1))
    paper = paper.astype(np.uint8)
    distance = cv2.absdiff(rgb, np.broadcast_to(paper, rgb.shape)).max(axis=2)
    paper_luminance = int(cv2.cvtColor(paper[None, None], cv2.COLOR_RGB2GRAY)[0, 0])
    contrast = cv2.absdiff(luminance, np.full_like(luminance, paper_luminance))
    inked = distance > 0.4 * int(distance.max())
    lost = contrast[inked] < 0.5 * distance[inked]
    return 255 - distance if lost.mean() > 0.05 else luminance
