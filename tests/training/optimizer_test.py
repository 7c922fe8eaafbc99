"""Schedules and clipping."""

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.configs import tiny
from im2latex_jax.errors import Im2latexError
from im2latex_jax.training import optimizer


def settings(**changes):
    config = tiny.get_config().optimizer
    config.update(learning_rate=0.1, warmup_steps=10, final=0.1, **changes)
    return config


def test_cosine_warms_up_and_decays_to_its_end():
    rate = optimizer.learning_rate(settings(schedule="cosine"), 110)
    np.testing.assert_allclose([rate(0), rate(5), rate(10)], [0, 0.05, 0.1], rtol=1e-6)
    np.testing.assert_allclose(rate(60), 0.1 * (0.9 * 0.5 + 0.1), rtol=1e-5)
    np.testing.assert_allclose(rate(110), 0.01, rtol=1e-5)


def test_constant_stays():
    rate = optimizer.learning_rate(settings(schedule="constant"), 110)
    np.testing.assert_allclose([rate(10), rate(109)], 0.1, rtol=1e-6)


def test_an_unknown_schedule_is_named():
    with pytest.raises(Im2latexError, match=r"config\.optimizer\.schedule is 'linear'"):
        optimizer.learning_rate(settings(schedule="linear"), 10)


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient():
    config = settings(schedule="constant", clip_norm=1.0)
    config.warmup_steps = 0
    adam = optimizer.build(config, 10)
    params = {"w": jnp.asarray([1.0, 2.0])}
    state = adam.init(params)
    _, state = adam.update({"w": jnp.asarray([300.0, -400.0])}, state, params)
    updates, _ = adam.update({"w": jnp.asarray([300.0, -400.0])}, state, params)
    np.testing.assert_allclose(updates["w"], [-0.1, 0.1], rtol=1e-3)
