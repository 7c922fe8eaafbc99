"""The lines of squared and ruled paper."""

import cv2
import numpy as np

# Lines that cross the whole image, in one direction and in each of two; fewer are rules or parts of
# a formula.
MIN_RULED, MIN_SQUARED = 4, 3
# Pixels of a row or column that are looked at.
SAMPLES = 160
# Spread of the distances between lines, as a share of their median.
MAX_IRREGULARITY = 0.2
# Share of the image's side that a line covers at the least: writing crosses it in places.
COVERAGE = 0.75
# The least difference between a line and the paper beside it, in levels.
MIN_STEP = 6


def remove(pixels: np.ndarray) -> np.ndarray:
    """Takes the lines of squared or ruled paper out of an image, grey or RGB.

    A line of the paper has about the same level from one border of the image to the other, and
    there are several at equal distances. Where writing crosses a line, the difference between the
    line and the paper is taken back. Without such lines the image is returned as it is, else
    as grey levels.
    """
    if min(pixels.shape[:2]) < 24:
        return pixels
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    dark = np.median(grey[:: 1 + len(grey) // SAMPLES, :: 1 + grey.shape[1] // SAMPLES]) < 128
    light = cv2.bitwise_not(grey) if dark else grey
    rows, row_lines = _lines(light)
    columns, column_lines = _lines(light.T)
    squared = min(row_lines, column_lines) >= MIN_SQUARED
    if not squared:
        rows = rows if row_lines >= MIN_RULED else np.zeros_like(rows)
        columns = columns if column_lines >= MIN_RULED else np.zeros_like(columns)
    if not rows.any() and not columns.any():
        return pixels
    cleaned = cv2.add(light, np.maximum(rows[:, None], columns[None, :]))
    return cv2.bitwise_not(cleaned) if dark else cleaned


def _lines(light: np.ndarray) -> tuple[np.ndarray, int]:
    """How much darker than the paper each row is all along, uint8, and how many lines that makes.

    0 lines where they are not at equal distances.
    """
    height, width = light.shape
    sample = light[:, :: 1 + width // SAMPLES]
    rank = int(COVERAGE * (sample.shape[1] - 1))
    levels = np.partition(sample, rank, axis=1)[:, rank]
    paper = int(np.median(levels))
    steps = np.clip(paper - levels.astype(int), 0, 255)
    steps[steps < MIN_STEP] = 0
    (starts,) = np.nonzero(np.diff(np.concatenate([[0], steps > 0])) > 0)
    distances = np.diff(starts)
    if not len(distances) or (steps > 0).mean() > 0.4:
        return np.zeros(height, np.uint8), 0
    typical = float(np.median(distances))
    regular = np.abs(distances - typical) <= max(1.5, MAX_IRREGULARITY * typical)
    if regular.mean() < 0.8:
        return np.zeros(height, np.uint8), 0
    return steps.astype(np.uint8), len(starts)
