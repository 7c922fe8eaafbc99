"""The angle of the writing's lines, and the way to turn them level."""

import cv2
import numpy as np

from im2latex_jax.images.components import INK_THRESHOLD

# Degrees that are tried: superscripts lead some degrees astray.
MAX_ANGLE = 15.0
COARSE, FINE = 1.0, 0.25
# A smaller angle does no harm.
MIN_ANGLE = 0.8
# How much sharper the profile of the turned lines must be; small angles do less harm.
MIN_GAIN, MIN_GAIN_OF_SMALL = 1.25, 1.7
SMALL_ANGLE = 2.5
MAX_POINTS = 6000
BINS_PER_SIDE = 160
# Writing of fewer em, or of fewer marks, has no line to see.
MIN_WIDTH, MIN_MARKS = 3.0, 4


def angle(ink: np.ndarray, em: float) -> float:
    """Degrees by which the writing is turned clockwise, 0 where it is level or unclear.

    The profile of the rows is sharpest where lines are level: the sum of the squared differences
    of neighbouring rows' ink (W. Postl, "Detection of linear oblique structures and skew scan in
    digitized documents", ICPR 1986).

    Args:
      ink: uint8 `[height, width]`, cropped to the writing.
      em: the size of the font in pixels.
    """
    rows, columns = np.nonzero(ink > 2 * INK_THRESHOLD)
    height, width = ink.shape
    if len(rows) < 50 or width < MIN_WIDTH * em:
        return 0.0
    if cv2.connectedComponents((ink > INK_THRESHOLD).astype(np.uint8))[0] <= MIN_MARKS:
        return 0.0
    step = 1 + len(rows) // MAX_POINTS
    y, x = rows[::step].astype(np.float32), columns[::step].astype(np.float32)
    x -= width / 2
    bin_size = max(1.0, max(height, width / 3) / BINS_PER_SIDE)

    def sharpness(degrees: float) -> float:
        radians = np.deg2rad(degrees)
        turned = (y * np.cos(radians) - x * np.sin(radians)) / bin_size
        turned -= turned.min()
        # Shared between two bins, so that the level position has no advantage.
        low = turned.astype(np.int32)
        part = turned - low
        profile = np.bincount(low, 1 - part, low.max() + 2)
        profile += np.bincount(low + 1, part, len(profile))
        return float((np.diff(profile) ** 2).sum())

    level = sharpness(0.0)
    coarse = np.arange(-MAX_ANGLE, MAX_ANGLE + COARSE / 2, COARSE)
    best = float(coarse[np.argmax([sharpness(a) for a in coarse])])
    if abs(best) > MAX_ANGLE - COARSE / 2:
        return 0.0
    fine = best + np.arange(-COARSE, COARSE + FINE / 2, FINE)
    values = [sharpness(a) for a in fine]
    best = float(fine[np.argmax(values)])
    gain = MIN_GAIN_OF_SMALL if abs(best) < SMALL_ANGLE else MIN_GAIN
    if abs(best) < MIN_ANGLE or max(values) < gain * level:
        return 0.0
    return best


def turn(ink: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Turns ink counterclockwise; the canvas grows so that all of it fits.

    Returns:
      The turned ink, and the matrix `[2, 3]` from its pixels to those of `ink`.
    """
    height, width = ink.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = np.abs(matrix[0, :2])
    columns, rows = int(height * sine + width * cosine) + 2, int(height * cosine + width * sine) + 2
    matrix[:, 2] += (columns - width) / 2, (rows - height) / 2
    turned = cv2.warpAffine(ink, matrix, (columns, rows), flags=cv2.INTER_CUBIC)
    return turned, cv2.invertAffineTransform(matrix)
