"""An image to the network's input."""

import cv2
import numpy as np

from im2latex_jax.images.crop import crop
from im2latex_jax.images.decode import Source, describe, one_line, read
from im2latex_jax.images.errors import ImageError
from im2latex_jax.images.ink import to_ink
from im2latex_jax.images.scale import MARGIN, SCALE_TOLERANCE, estimate_scale, resize


def prepare(source: Source, *, margin: int = MARGIN, rescale: float | bool = False) -> np.ndarray:
    """Any picture to the network's input: uint8 ink `[height, width]`, 0 is paper.

    Args:
      source: whatever `read` takes.
      margin: pixels of paper around the writing, at the network's scale.
      rescale: False for pictures that are at the network's scale (training), True to estimate the
        size of the writing, or the factor to scale by.

    Raises:
      ImageError: the source is not a usable picture (BlankImageError: nothing is written on it).
      ValueError: the factor is not a positive number.
    """
    if rescale is not False and rescale is not True and not 0 < rescale < np.inf:
        raise ValueError(f"rescale must be a bool or a positive factor, not {rescale}")
    grey = read(source)
    try:
        ink = crop(to_ink(grey))
        if rescale is not False:
            factor = estimate_scale(ink) if rescale is True else rescale
            if rescale is not True or abs(np.log(factor)) > SCALE_TOLERANCE:
                ink = resize(ink, factor)
    except ImageError as error:
        raise type(error)(f"{describe(source)}: {error}") from error
    except (cv2.error, MemoryError) as error:
        raise ImageError(f"{describe(source)}: cannot be prepared: {one_line(error)}") from error
    return cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)


def use_one_thread() -> None:
    """Keeps OpenCV from starting threads: for worker processes, which have every processor."""
    cv2.setNumThreads(1)
