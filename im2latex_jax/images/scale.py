"""The size of the writing, and the way to the network's scale: see the package."""

import cv2
import numpy as np

from im2latex_jax.images.components import INK_THRESHOLD, components
from im2latex_jax.images.errors import BlankImageError, ImageError

# A page of text at the network's scale has a million pixels; a formula that needs more is none.
MAX_PREPARED_PIXELS = 4_000_000
# Pixels of paper around the writing in a prepared picture: half a letter.
MARGIN = 4
# The sizes of connected components in formulas at the network's scale, as a mixture of normal
# distributions of (log height, log width): weight, median height and width in pixels, and spread
# of the two logarithms. Capitals and digits are 11 high, letters without ascender 7.4, minus
# signs 0.6 by 10, brackets 16, and so on. Fitted by expectation maximization to 29,000 components
# of 330 formulas (im2latex-100k validation lines past the 1,000th, and arXiv) that latex and
# dvipng drew at 60 to 600 dpi, scaled to 102 dpi: halved pages of im2latex-100k come out 1 to 4 %
# larger than dvipng's pictures at 100 dpi, and this lies between the two.
COMPONENT_SIZES = np.array([
    (0.259, 11.08, 8.67, 0.086, 0.365),
    (0.232, 7.36, 6.30, 0.082, 0.388),
    (0.101, 0.56, 10.20, 0.282, 0.113),
    (0.081, 16.38, 3.64, 0.076, 0.129),
    (0.059, 4.73, 5.61, 0.157, 0.406),
    (0.046, 14.13, 10.20, 0.166, 0.368),
    (0.044, 5.17, 2.15, 0.118, 0.300),
    (0.034, 13.22, 2.46, 0.192, 0.144),
    (0.032, 0.67, 6.41, 0.716, 0.289),
    (0.031, 1.27, 1.41, 0.291, 0.196),
    (0.018, 38.08, 8.30, 0.178, 0.496),
    (0.017, 0.56, 26.78, 0.285, 0.567),
    (0.017, 15.28, 22.61, 0.401, 0.286),
    (0.011, 16.34, 0.64, 0.124, 0.361),
    (0.010, 3.78, 1.00, 0.127, 0.301),
    (0.008, 5.14, 4.48, 0.168, 0.273),
])  # fmt: skip
OUTLIERS = 0.03
BLUR = 0.6
STROKE = 0.70
# The scales that are tried: writing drawn at 25 to 2,500 dpi.
LOG_SCALE_STEP = 0.03
LOG_SCALES = np.arange(np.log(0.04), np.log(4.0), LOG_SCALE_STEP)
MAX_CANDIDATES = 4
CANDIDATE_RANGE = 6.0
# An estimate this close to 1 is within its own error: not worth the blur of resampling.
SCALE_TOLERANCE = 0.04


def halve(ink: np.ndarray) -> np.ndarray:
    """Averages blocks of 2 x 2 pixels; odd sides are made even with paper."""
    height, width = ink.shape
    even = pad(ink, height + height % 2, width + width % 2)
    return cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)


def pad(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Adds paper at the right and at the bottom, up to `height` and `width`.

    Raises:
      ImageError: the picture is larger than that.
    """
    rows, columns = ink.shape
    if rows > height or columns > width:
        raise ImageError(
            f"a picture {columns} wide and {rows} high does not fit into {width} x {height}"
        )
    padded = np.zeros((height, width), ink.dtype)
    padded[:rows, :columns] = ink
    return padded


def resize(ink: np.ndarray, factor: float) -> np.ndarray:
    """Scales a picture: area average down, cubic up.

    Raises:
      ImageError: the result would be larger than MAX_PREPARED_PIXELS.
    """
    height, width = ink.shape
    new_height, new_width = max(1, round(height * factor)), max(1, round(width * factor))
    if new_height * new_width > MAX_PREPARED_PIXELS:
        raise ImageError(
            f"the writing is {new_width} x {new_height} pixels large at the network's scale: "
            "more than one formula; cut out a single one"
        )
    if (new_height, new_width) == (height, width):
        return ink
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(ink, (new_width, new_height), interpolation=method)


def estimate_scale(ink: np.ndarray) -> float:
    """The factor that brings a picture to the network's scale, from the size of its writing.

    Raises:
      BlankImageError: there is nothing but paper.
    """
    return scale_candidates(ink)[0]


def scale_candidates(ink: np.ndarray) -> list[float]:
    """Plausible factors to the network's scale, the likeliest first; one where it is clear.

    A maximum-likelihood estimate over a grid of scales: the heights and widths of the connected
    components under COMPONENT_SIZES, and the thickness of the strokes. Pictures of few symbols
    may be read at several scales (a lone x is a smaller X): each peak of the likelihood within
    CANDIDATE_RANGE of the highest is a candidate.

    Args:
      ink: uint8 `[height, width]`, 0 is paper, cropped to the writing.

    Raises:
      BlankImageError: there is nothing but paper.
    """
    shrink = min(1.0, (MAX_PREPARED_PIXELS / ink.size) ** 0.5)
    if shrink < 1:
        ink = resize(ink, 0.99 * shrink)
    log_likelihood = _size_log_likelihood(ink) + _thickness_log_likelihood(ink)
    # A peak is at least as high as its neighbours; the parabola through the three is its place.
    left = np.concatenate([[-np.inf], log_likelihood[:-1]])
    right = np.concatenate([log_likelihood[1:], [-np.inf]])
    peaks = np.flatnonzero((log_likelihood >= left) & (log_likelihood > right))
    peaks = peaks[np.argsort(-log_likelihood[peaks], kind="stable")]
    best = log_likelihood[peaks[0]]
    candidates = []
    for peak in peaks[:MAX_CANDIDATES]:
        if log_likelihood[peak] < best - CANDIDATE_RANGE:
            break
        log_scale = LOG_SCALES[peak]
        if 0 < peak < len(LOG_SCALES) - 1:
            below, above = log_likelihood[peak - 1], log_likelihood[peak + 1]
            curvature = below - 2 * log_likelihood[peak] + above
            if curvature < 0:
                log_scale += 0.5 * (below - above) / curvature * LOG_SCALE_STEP
        # Rounded, because sums of floating point differ in the last digits from run to run.
        candidates.append(round(float(np.exp(log_scale)) * shrink, 4))
    return candidates


def _size_log_likelihood(ink: np.ndarray) -> np.ndarray:
    """Log likelihood of the components' sizes at each of LOG_SCALES, `[scales]`."""
    _, mask = cv2.threshold(ink, INK_THRESHOLD - 1, 255, cv2.THRESH_BINARY)
    sizes = components(mask)[:, [cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH]]
    if not len(sizes):
        raise BlankImageError("the picture is blank: there is no writing in it")
    large = sizes.max(axis=1) >= 3
    sizes = sizes[large] if large.any() else sizes
    # More components tell no more, and cost time.
    sizes = sizes[np.linspace(0, len(sizes) - 1, min(len(sizes), 96)).astype(int)]
    # Antialiasing makes everything look larger by about BLUR.
    log_sizes = np.log(np.maximum(sizes - BLUR, 0.5))
    weight, height, width, height_spread, width_spread = COMPONENT_SIZES.T
    # Broadcast to [scales, components, kinds].
    scaled = log_sizes + LOG_SCALES[:, None, None]
    exponent = ((scaled[:, :, :1] - np.log(height)) / height_spread) ** 2
    exponent += ((scaled[:, :, 1:] - np.log(width)) / width_spread) ** 2
    density = np.exp(-0.5 * exponent) @ (weight / (2 * np.pi * height_spread * width_spread))
    # Some components are none of these (letters that touch, dirt): uniform over 4 by 4 e-folds.
    likelihood = (1 - OUTLIERS) * density + OUTLIERS / 16
    # Components are not independent: the same letter comes again. n of them count as n ** 0.7.
    return np.log(likelihood).sum(axis=1) * len(sizes) ** -0.3


def _thickness_log_likelihood(ink: np.ndarray) -> np.ndarray:
    """Log likelihood of the strokes' thickness at each of LOG_SCALES, `[scales]`."""
    # A stroke of length l and thickness t has an area of l t and an outline of 2 l; the outline
    # is the sum of the gradient's length, which antialiasing does not change.
    paper = cv2.copyMakeBorder(ink, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0).astype(np.float32)
    across = paper[:, 1:] - paper[:, :-1]
    down = paper[1:] - paper[:-1]
    outline = 0.5 * cv2.magnitude(across[1:] + across[:-1], down[:, 1:] + down[:, :-1])
    thickness = 2 * float(paper.sum(dtype=np.float64)) / float(outline.sum(dtype=np.float64))
    # Strokes are STROKE pixels thick at the network's scale, and blurred by a pixel at any.
    expected = np.sqrt(1.1 + (STROKE * np.exp(-LOG_SCALES)) ** 2)
    deviation = (np.log(thickness) - np.log(expected)) / 0.08
    # Student's t with 3 degrees of freedom: bold and light fonts must not outvote the sizes.
    return -2 * np.log1p(deviation**2 / 3)
