"""Schedules and clipping."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.configs import tiny
from im2latex_jax.errors import Im2latexError
from im2latex_jax.training import muon, optimizer


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


def test_muon_has_orthogonal_updates_for_kernels_and_leaves_the_rest_to_adam():
    config = settings(schedule="constant", clip_norm=0.0, name="muon", muon_learning_rate=0.5)
    config.warmup_steps = 0
    plain = settings(schedule="constant", clip_norm=0.0)
    plain.warmup_steps = 0
    rng = np.random.default_rng(0)
    params = {
        "encoder": {"kernel": jnp.zeros((3, 3, 8, 6)), "bias": jnp.zeros(6)},
        "decoder": {"query": jnp.zeros((8, 16)), "embed": {"embedding": jnp.zeros((16, 4))}},
        "count": {"kernel": jnp.zeros((8, 16))},
    }
    gradients = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32), params)
    both, adam = (
        optimizer.build(c, 10).update(gradients, optimizer.build(c, 10).init(params), params)[0]
        for c in (config, plain)
    )
    for matrix, longest in (
        (muon.as_matrix(both["encoder"]["kernel"]), 72),
        (both["decoder"]["query"], 16),
    ):
        values = np.linalg.svd(matrix, compute_uv=False) / (0.5 * 0.2 * longest**0.5)
        assert 0.6 < values.min() <= values.max() < 1.3
    for path in (("encoder", "bias"), ("decoder", "embed", "embedding"), ("count", "kernel")):
        ours, theirs = both, adam
        for key in path:
            ours, theirs = ours[key], theirs[key]
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40), (20, 20)])
def test_orthogonalizing_is_that_of_optax(shape):
    matrix = jnp.asarray(np.random.default_rng(1).normal(size=shape), jnp.float32)
    theirs = optax.contrib.muon(1.0, ns_steps=4, beta=0.0, nesterov=False, consistent_rms=0.2)
    expected, _ = theirs.update({"w": matrix}, theirs.init({"w": matrix}), {"w": matrix})
    scale = 0.2 * max(shape) ** 0.5
    np.testing.assert_allclose(
        -scale * muon.orthogonalize(matrix, 4), expected["w"], rtol=1e-4, atol=1e-5
    )
    narrow = muon.orthogonalize(matrix, 4, jnp.bfloat16)
    error = jnp.linalg.norm(narrow - muon.orthogonalize(matrix, 4))
    assert 0 < error < 0.06 * jnp.linalg.norm(narrow)


def test_an_unknown_optimizer_is_named():
    with pytest.raises(Im2latexError, match=r"config\.optimizer\.name is 'sgd'"):
        optimizer.build(settings(schedule="constant", name="sgd"), 10)
