"""Statistics of levels by their histogram: several times as fast as sorting."""

from collections.abc import Sequence

import cv2
import numpy as np


def histogram(levels: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """How many pixels of a uint8 image (of the mask's) have each level, float32 `[256]`."""
    return cv2.calcHist([levels], [0], mask, [256], [0, 256]).reshape(-1)


def quantiles(
    levels: np.ndarray, shares: Sequence[float], mask: np.ndarray | None = None
) -> list[int]:
    """The levels below or at which these shares of an image's pixels (of the mask's) are."""
    cumulative = np.cumsum(histogram(levels, mask))
    return np.searchsorted(cumulative, np.multiply(shares, cumulative[-1])).tolist()
