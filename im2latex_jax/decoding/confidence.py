"""The confidence of an answer, from the log-probability that the search gives it."""

import math


def from_log_prob(log_prob: float, temperature: float) -> float:
    """The probability that a formula is right, 0 to 1, from its log-probability."""
    return math.exp(min(0.0, log_prob) / temperature)
