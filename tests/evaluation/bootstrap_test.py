import numpy as np
import pytest

from im2latex_jax.evaluation import bootstrap


def _mean(sums: np.ndarray, count: int) -> dict[str, float]:
    return {"mean": sums[0] / count}


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(1).normal(5, 2, size=(400, 1))
    [(low, high)] = bootstrap.intervals(values, _mean).values()
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_the_seed_decides():
    values = np.arange(10.0)[:, None]
    first = bootstrap.intervals(values, _mean, seed=3, resamples=50)
    assert first == bootstrap.intervals(values, _mean, seed=3, resamples=50)
    assert first != bootstrap.intervals(values, _mean, seed=4, resamples=50)


def test_equal_examples_leave_no_doubt():
    assert bootstrap.intervals(np.ones((7, 1)), _mean, resamples=20) == {"mean": [1.0, 1.0]}
