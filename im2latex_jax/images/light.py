"""The light on the paper, and the noise of the sensor: estimated, and taken away."""

import cv2
import numpy as np

from im2latex_jax.images.backgrounds import flat_mask, shrunk
from im2latex_jax.images.histograms import quantiles

# Light is estimated on a copy of at most this many pixels a side.
LIGHT_SIDE = 384
# Whether it is uneven at all is seen on a smaller copy.
GLANCE_SIDE = 160
# Smaller flat areas (share of the image) may be thick strokes rather than paper.
MIN_PAPER_SHARE = 0.08
# Levels by which the paper's brightness may vary before it is evened out.
MAX_VARIATION = 24
# Pixels at the working scale over which the light is averaged where there is paper, and by which a
# sharp shadow's edge may be misplaced.
REACH, EDGE = 3, 5
# Noise with a smaller deviation (in levels) does no harm, or in small images less than its cure.
MIN_NOISE = 5.0
MIN_NOISE_OF_SMALL = 9.0
# In images of more pixels than this a letter is large enough to be blurred.
LARGE = 600 * 600
# Smaller images are all strokes: neither light nor noise can be told from them.
MIN_SIDE = 40


def paper_levels(grey: np.ndarray) -> np.ndarray | None:
    """The brightness of the paper everywhere: float32 at the working scale, or None if even.

    Paper is the large flat areas; under the writing, and across the edge of a shadow, it is
    interpolated.
    """
    if min(grey.shape) < MIN_SIDE or _paper(shrunk(grey, GLANCE_SIDE)) is None:
        return None
    found = _paper(shrunk(grey, LIGHT_SIDE))
    if found is None:
        return None
    small, paper = found
    mask = paper.astype(np.float32)
    weighted = small * mask
    levels = np.zeros(small.shape, np.float32)
    missing = np.ones(small.shape, bool)
    reach = REACH
    while missing.any() and reach < 8 * LIGHT_SIDE:
        weight = cv2.blur(mask, (reach, reach), borderType=cv2.BORDER_REPLICATE)
        total = cv2.blur(weighted, (reach, reach), borderType=cv2.BORDER_REPLICATE)
        known = missing & (weight > 1e-3)
        levels[known] = total[known] / weight[known]
        missing &= ~known
        reach = 2 * reach + 1
    return levels


def _paper(small: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """An image without its thin strokes, and where it is paper; None if the light is even."""
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(
        flat_mask(small), connectivity=4, ltype=cv2.CV_16U
    )
    large = (boxes[:, cv2.CC_STAT_AREA] >= MIN_PAPER_SHARE * small.size).astype(np.uint8)
    large[0] = 0
    if not large.any():
        return None
    paper = large[labels]
    # Thin strokes may count as flat where there is noise, and vanish in the median.
    small = cv2.medianBlur(small, 5)
    low, high = quantiles(small, (0.02, 0.98), paper)
    return None if high - low < MAX_VARIATION else (small, paper)


def is_lighter_writing(grey: np.ndarray, levels: np.ndarray) -> bool:
    """Whether the writing is lighter than the paper, whose `levels` are known."""
    size = levels.shape[::-1]
    difference = cv2.resize(grey, size, interpolation=cv2.INTER_AREA) - levels
    # Across the edge of a shadow the levels are not exact.
    edge = cv2.morphologyEx(levels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 8
    difference[edge] = 0
    return bool((difference * difference * difference).sum() > 0)


def even_light(grey: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Divides an image of dark writing by its paper's brightness.

    Across the edge of a shadow its darker side counts, so that the edge is no ink.
    """
    levels = cv2.erode(levels, np.ones((EDGE, EDGE), np.uint8))
    levels = cv2.resize(levels, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    brightest = float(np.percentile(levels[:: 1 + len(levels) // 64], 98))
    paper = cv2.max(cv2.convertScaleAbs(levels), np.ones_like(grey))
    return cv2.divide(grey, paper, scale=brightest)


def noise_level(grey: np.ndarray) -> float:
    """Standard deviation of the noise of single pixels, in levels.

    The median response to a mask that is blind to edges and gradients: J. Immerkaer, "Fast Noise
    Variance Estimation", Computer Vision and Image Understanding 64 (1996).
    """
    height, width = grey.shape
    top, left = max(0, (height - 384) // 2), max(0, (width - 384) // 2)
    part = grey[top : top + 384, left : left + 384]
    if min(part.shape) < MIN_SIDE:
        return 0.0
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.convertScaleAbs(cv2.filter2D(part, cv2.CV_32F, mask))
    return quantiles(response, [0.5])[0] / (6 * 0.6745)


def denoise(grey: np.ndarray) -> np.ndarray:
    """Takes the noise of a sensor away; images with little noise stay as they are."""
    noise = noise_level(grey)
    if noise < (MIN_NOISE if grey.size >= LARGE else MIN_NOISE_OF_SMALL):
        return grey
    if grey.size >= LARGE:
        # A Gaussian of deviation s leaves 1 / (2 s sqrt(pi)) of the noise.
        return cv2.GaussianBlur(grey, (0, 0), min(2.5, max(1.0, noise / 10)))
    return cv2.fastNlMeansDenoising(grey, None, h=1.2 * noise, templateWindowSize=5,
                                    searchWindowSize=11)  # fmt: skip
