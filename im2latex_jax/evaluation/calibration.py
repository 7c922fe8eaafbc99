"""What a formula's log-probability says about its being right.

The network's probability of a formula is the product of its tokens', and tends to be too sure or
too modest as a whole. A confidence is that probability to the power of 1 / temperature, with the
temperature fitted on formulas that the network has not trained on: temperature scaling (Guo et al.
2017), applied to the whole formula's probability.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

# Beyond these there is nothing to fit: all formulas are right, or all are wrong.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.02, 50.0
BINS = 10


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A fit.

    Attributes:
      temperature: the fitted temperature.
      error_before: expected calibration error with a temperature of 1, 0 to 1.
      error_after: the same with the fitted temperature, on the formulas it was fitted on.
      num_examples: how many those are.
    """

    temperature: float
    error_before: float
    error_after: float
    num_examples: int


def calibrate(log_probs: Sequence[float], correct: Sequence[bool]) -> Calibration:
    """Fits the temperature to formulas' log-probabilities and whether they were right.

    It maximizes the likelihood of `correct` under the confidences.

    Raises:
      ValueError: if there are none, or the two differ in length.
    """
    log_p, right = np.minimum(np.asarray(log_probs, float), 0.0), np.asarray(correct, bool)
    if log_p.shape != right.shape or not log_p.size:
        raise ValueError(f"{log_p.size} log-probabilities for {right.size} answers")
    temperature = _fit(log_p, right)
    before, after = (
        expected_calibration_error(np.exp(log_p / t), right) for t in (1.0, temperature)
    )
    return Calibration(temperature, before, after, len(right))


def _fit(log_p: np.ndarray, right: np.ndarray) -> float:
    def loss(temperature: float) -> float:
        scaled = log_p / temperature
        wrong = np.log(np.maximum(-np.expm1(scaled[~right]), 1e-12))
        return float(-scaled[right].sum() - wrong.sum())

    # The loss is convex in 1 / temperature, so it has one minimum: ever finer grids find it.
    low, high = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)
    for _ in range(5):
        grid = np.linspace(low, high, 33)
        best = int(np.argmin([loss(math.exp(t)) for t in grid]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return math.exp((low + high) / 2)


@dataclasses.dataclass(frozen=True)
class Bin:
    """Answers whose confidence is from `low` to `high`: how sure they were, and how often right.

    Attributes:
      low, high: bounds, 0 to 1.
      num_examples: answers; with none, the two figures are 0.
      confidence: their mean confidence.
      accuracy: share of them that are right.
    """

    low: float
    high: float
    num_examples: int
    confidence: float
    accuracy: float


def reliability(
    confidences: Sequence[float] | np.ndarray, correct: Sequence[bool] | np.ndarray
) -> list[Bin]:
    """Confidence against share of right answers, over BINS equal bins of the confidence."""
    sure, right = np.asarray(confidences, float), np.asarray(correct, float)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    counts, sums, hits = (
        np.bincount(bins, weights=weights, minlength=BINS) for weights in (None, sure, right)
    )
    return [
        Bin(
            number / BINS,
            (number + 1) / BINS,
            int(counts[number]),
            float(sums[number] / max(counts[number], 1)),
            float(hits[number] / max(counts[number], 1)),
        )
        for number in range(BINS)
    ]


def expected_calibration_error(
    confidences: Sequence[float] | np.ndarray, correct: Sequence[bool] | np.ndarray
) -> float:
    """Mean difference between confidence and share of right answers, over BINS equal bins.

    Naeini et al. 2015; 0 is perfect.
    """
    bins = reliability(confidences, correct)
    gaps = sum(b.num_examples * abs(b.accuracy - b.confidence) for b in bins)
    return gaps / len(confidences)
