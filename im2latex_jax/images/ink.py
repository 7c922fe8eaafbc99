"""Grey levels to ink: polarity, light, noise and contrast."""

import cv2
import numpy as np

# Grey levels from here on count as white paper, levels up to BLACK as black ink.
WHITE, BLACK = 250, 95
# Less contrast than this (of 255) between ink and paper is a blank picture.
MIN_CONTRAST = 12


def to_ink(grey: np.ndarray) -> np.ndarray:
    """Grey levels to ink: uint8 `[height, width]`, 0 is paper, 255 is ink.

    Finds out whether the writing is dark or light, evens out the light, takes the paper's noise
    away, and stretches the contrast to the full range. A clean black-on-white picture gives
    exactly `255 - grey`, a clean white-on-black one exactly `grey`, a blank one all zeros.
    """
    histogram = _histogram(grey)
    if _is_light_on_dark(histogram):
        grey = cv2.bitwise_not(grey)
        histogram = histogram[::-1]
    if _is_clean(histogram):
        return cv2.bitwise_not(grey)
    grey = _even_light(grey)
    histogram = _histogram(grey)
    paper = int(histogram.argmax())
    # Noise makes paper lighter as well as darker, or darker only where the paper is white
    # already; there, levels that are far from the paper are ink.
    contrast = paper - int(np.flatnonzero(histogram)[0])
    darker = histogram[paper - contrast // 10 : paper + 1][::-1]
    noise = max(_deviation(histogram[paper:]), _deviation(darker))
    ink = cv2.subtract(np.full_like(grey, paper), grey)
    ink[ink <= 3 * noise] = 0
    levels = _histogram(ink)
    levels[: MIN_CONTRAST // 2] = 0
    if not levels.any():
        return np.zeros_like(grey)
    # Noise is single pixels and fades when averaged over neighbours, strokes do not.
    if cv2.blur(ink, (3, 3)).max() < max(MIN_CONTRAST, 2 * noise):
        return np.zeros_like(grey)
    full = int(np.searchsorted(np.cumsum(levels), 0.99 * levels.sum()))
    return cv2.convertScaleAbs(ink, alpha=255 / full)


def _histogram(values: np.ndarray) -> np.ndarray:
    """How many pixels have each level, `[256]`."""
    return cv2.calcHist([values], [0], None, [256], [0, 256]).reshape(-1)


def _deviation(histogram: np.ndarray) -> float:
    """Root mean square distance from the paper, of the levels to one side of it, in levels."""
    return float(np.sqrt(histogram @ np.arange(len(histogram)) ** 2.0 / histogram.sum()))


def _is_light_on_dark(histogram: np.ndarray) -> bool:
    """Paper is most of the picture, so that ink is the longer tail about the median."""
    cumulative = np.cumsum(histogram)
    deviation = np.arange(256.0) - np.searchsorted(cumulative, cumulative[-1] / 2)
    return bool(np.dot(histogram, deviation * deviation * deviation) > 0)


def _is_clean(histogram: np.ndarray) -> bool:
    """Black on white: most is white, some is black, and little lies between.

    Edges of antialiased strokes have light and middle greys about equally often (at most 2.6 to 1
    in any drawn by dvipng or matplotlib); JPEG artefacts are light (4 to 1 and more).
    """
    total = histogram.sum()
    black, middle = histogram[: BLACK + 1].sum(), histogram[180:205].sum()
    return bool(
        histogram[WHITE:].sum() >= total / 2
        and black
        and histogram[128:WHITE].sum() <= 0.35 * total
        and histogram[230:255].sum() <= max(3.5 * middle, 0.01 * total)
    )


def _even_light(grey: np.ndarray) -> np.ndarray:
    """Divides a dark-on-light picture by its paper's brightness where that varies much."""
    height, width = grey.shape
    shrink = max(1.0, max(height, width) / 384)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    # The window must reach from any stroke to paper, and be smaller than a shadow.
    window = max(9, min(size) // 3) | 1
    paper = cv2.dilate(cv2.medianBlur(small, 3), np.ones((window, window), np.uint8))
    paper = cv2.blur(paper, (window, window), borderType=cv2.BORDER_REPLICATE)
    low, high = np.percentile(paper, [2, 98])
    if high - low < 20:
        return grey
    paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.divide(grey, cv2.max(paper, np.full_like(paper, 1)), scale=float(high))
