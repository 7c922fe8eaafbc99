import numpy as np
import pytest

from im2latex_jax.decoding import confidence
from im2latex_jax.evaluation import calibration


def _world(temperature: float, count: int = 4000):
    """Formulas that are right exactly as often as their probability at `temperature` says."""
    rng = np.random.default_rng(0)
    log_probs = -rng.exponential(2.0, count)
    return log_probs, rng.random(count) < np.exp(log_probs / temperature)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_fit_finds_the_temperature_of_the_world(temperature):
    fit = calibration.calibrate(*_world(temperature))
    assert fit.temperature == pytest.approx(temperature, rel=0.08)
    assert fit.error_after < 0.03
    assert fit.error_after <= fit.error_before + 0.01
    assert fit.num_examples == 4000


def test_an_overconfident_network_is_made_modest():
    fit = calibration.calibrate(*_world(0.3))
    assert fit.temperature < 1
    assert fit.error_before > 0.1 > 5 * fit.error_after


@pytest.mark.parametrize("answer", [True, False])
def test_all_right_or_all_wrong_gives_an_end_of_the_range(answer):
    fit = calibration.calibrate([-1.0, -2.0], [answer, answer])
    limit = calibration.MAX_TEMPERATURE if answer else calibration.MIN_TEMPERATURE
    assert fit.temperature == pytest.approx(limit, rel=0.01)


def test_the_calibration_error_by_hand():
    # Bins: 0.95 (2 formulas, one right) and 0.15 (one formula, wrong).
    error = calibration.expected_calibration_error([0.95, 0.95, 0.15], [True, False, False])
    assert error == pytest.approx((2 * 0.45 + 0.15) / 3)
    assert calibration.expected_calibration_error([1.0, 0.0], [True, False]) == 0


def test_confidence_is_a_probability():
    assert confidence.from_log_prob(0.0, 2.0) == 1.0
    assert confidence.from_log_prob(-np.inf, 2.0) == 0.0
    assert confidence.from_log_prob(-2.0, 2.0) == pytest.approx(np.exp(-1))


def test_nothing_to_fit_is_refused():
    with pytest.raises(ValueError, match="0 log-probabilities"):
        calibration.calibrate([], [])


def test_bins_hold_every_answer_and_say_how_often_it_was_right():
    bins = calibration.reliability([0.05, 0.08, 0.95, 1.0], [False, True, True, True])
    assert [b.num_examples for b in bins] == [2, *[0] * 8, 2]
    assert bins[0].confidence == pytest.approx(0.065) and bins[0].accuracy == 0.5
    assert bins[9].confidence == pytest.approx(0.975) and bins[9].accuracy == 1
    assert (bins[3].low, bins[3].high) == (0.3, 0.4)
    error = calibration.expected_calibration_error([0.05, 0.08, 0.95, 1.0], [0, 1, 1, 1])
    assert error == pytest.approx((0.435 + 0.025) / 2)
