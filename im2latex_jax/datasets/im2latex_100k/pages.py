"""A page of im2latex-100k to the formula on it."""

import pathlib

import numpy as np

from im2latex_jax import images


def read_page(path: pathlib.Path) -> np.ndarray:
    """The formula of a page at 100 dpi: uint8 `[height, width]`, black on white.

    Pages are pictures at 200 dpi, which are composed over white, cropped and halved.

    Raises:
      ImageError: there is no usable picture (BlankImageError: nothing is written on it).
    """
    return 255 - images.halve(images.crop(images.to_ink(images.read(path))))
