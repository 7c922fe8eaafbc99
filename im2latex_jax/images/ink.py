"""Grey levels to ink: polarity, light, noise and contrast."""

import cv2
import numpy as np

from im2latex_jax.images.components import INK_THRESHOLD
from im2latex_jax.images.histograms import histogram as histogram_of
from im2latex_jax.images.light import denoise, even_light, is_lighter_writing, paper_levels

# Grey levels from here on count as white paper, levels up to BLACK as black ink.
WHITE, BLACK = 250, 95
# Less contrast than this (of 255) between ink and paper is a blank picture.
MIN_CONTRAST = 12
# Every mark of the writing has ink of this level somewhere.
STRONG_INK = 80


def to_ink(grey: np.ndarray) -> np.ndarray:
    """Grey levels to ink: uint8 `[height, width]`, 0 is paper, 255 is ink.

    Finds out whether the writing is dark or light, evens out the light, takes the paper's noise
    away, and stretches the contrast to the full range. A clean black-on-white picture gives
    exactly `255 - grey`, a clean white-on-black one exactly `grey`, a blank one all zeros.
    """
    histogram = histogram_of(grey)
    inverted = _is_light_on_dark(histogram)
    if _is_clean(histogram[::-1] if inverted else histogram):
        return grey if inverted else cv2.bitwise_not(grey)
    grey = denoise(grey)
    levels = paper_levels(grey)
    if levels is not None:
        inverted = is_lighter_writing(grey, levels)
        levels = 255 - levels if inverted else levels
    if inverted:
        grey = cv2.bitwise_not(grey)
    if levels is not None:
        grey = even_light(grey, levels)
    histogram = histogram_of(grey)
    paper = int(histogram.argmax())
    # Noise makes paper lighter as well as darker, or darker only where the paper is white
    # already; there, levels that are far from the paper are ink.
    contrast = paper - int(np.flatnonzero(histogram)[0])
    darker = histogram[paper - contrast // 10 : paper + 1][::-1]
    noise = max(_deviation(histogram[paper:]), _deviation(darker))
    ink = cv2.subtract(np.full_like(grey, paper), grey)
    ink[ink <= 3 * noise] = 0
    levels = histogram_of(ink)
    levels[: MIN_CONTRAST // 2] = 0
    if not levels.any():
        return np.zeros_like(grey)
    # Noise is single pixels and fades when averaged over neighbours, strokes do not.
    if cv2.blur(ink, (3, 3)).max() < max(MIN_CONTRAST, 2 * noise):
        return np.zeros_like(grey)
    full = int(np.searchsorted(np.cumsum(levels), 0.99 * levels.sum()))
    ink = cv2.convertScaleAbs(ink, alpha=255 / full)
    return _without_faint_marks(ink) if noise > 0.5 else ink


def _without_faint_marks(ink: np.ndarray) -> np.ndarray:
    """Ink without marks that are faint everywhere: what is left of noise and JPEG artefacts."""
    mask = cv2.threshold(ink, INK_THRESHOLD - 1, 255, cv2.THRESH_BINARY)[1]
    # Pixels at the feet of strokes are fainter than the threshold, and belong to them.
    mask = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(mask, ltype=cv2.CV_32S)
    strong = np.zeros(count, np.uint8)
    strong[labels[ink >= STRONG_INK]] = 255
    return cv2.bitwise_and(ink, strong[labels])


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
