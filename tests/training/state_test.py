"""Losses against NumPy, and the jitted step."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.configs import tiny
from im2latex_jax.model import im2latex
from im2latex_jax.training import optimizer
from im2latex_jax.training import state as train_state


def test_token_loss_is_cross_entropy_without_padding():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 5)).astype(np.float32)
    targets = np.asarray([[4, 2, 0], [1, 0, 0]])
    loss = train_state.token_loss(logits, targets)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for row, column in ((0, 0), (0, 1), (1, 0)):
        np.testing.assert_allclose(
            loss[row, column], -log_p[row, column, targets[row, column]], rtol=1e-5
        )
    assert np.all(np.asarray(loss)[targets == 0] == 0)


def test_label_smoothing_spreads_the_target_over_the_vocabulary():
    logits = np.asarray([[[1.0, -2.0, 0.5, 3.0]]], np.float32)
    log_p = logits[0, 0] - np.log(np.exp(logits[0, 0]).sum())
    target = 0.9 * np.eye(4)[2] + 0.1 / 4
    loss = train_state.token_loss(logits, np.asarray([[2]]), smoothing=0.1)
    np.testing.assert_allclose(loss[0, 0], -(target * log_p).sum(), rtol=1e-5)


def test_counting_loss_is_least_at_the_true_counts():
    targets = np.asarray([[3, 3, 4, 2, 0, 0]])
    true = np.asarray([[1e-6, 1e-6, 1, 2, 1]], np.float32)
    least = train_state.counting_loss(jnp.asarray(true), targets)
    for change in (0.5, 1.5):
        assert train_state.counting_loss(jnp.asarray(true * change), targets) > least


def test_a_filler_counts_nothing():
    targets = np.asarray([[3, 4, 2], [0, 0, 0]])
    counts = jnp.asarray(np.random.default_rng(0).random((2, 5)), jnp.float32)
    alone = train_state.counting_loss(counts[:1], targets[:1])
    np.testing.assert_allclose(train_state.counting_loss(counts, targets), alone, rtol=1e-6)


def build(**changes):
    config = tiny.get_config()
    model = im2latex.build(config.model, 9)
    adam = optimizer.build(config.optimizer, 100)
    step = train_state.make_train_step(model, adam, **changes)
    state = train_state.create(model, adam, 0, averaging=bool(changes.get("ema_decay")))
    return step, state


def batch():
    rng = np.random.default_rng(0)
    tokens = np.asarray([[1, 4, 5, 6, 2, 0], [1, 7, 8, 2, 0, 0]], np.int32)
    images = (rng.random((2, 16, 32, 1)) < 0.3).astype(np.uint8) * 255
    return {"images": images, "sizes": np.asarray([[16, 32], [9, 20]], np.int32), "tokens": tokens}


def test_steps_lower_the_loss_and_move_the_average_behind_the_parameters():
    step, state = build(ema_decay=0.9, counting_weight=0.5)
    losses = []
    for _ in range(30):
        state, metrics = step(state, batch())
        losses.append(float(metrics["loss"]))
    assert losses[-1] < losses[0] - 0.3
    assert int(state.step) == 30
    apart = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), state.average, state.params)
    assert 0 < max(jax.tree.leaves(apart)) < 0.1
    assert state.best_params is state.average


def test_without_an_average_the_parameters_are_the_best():
    _, state = build()
    assert state.average == {}
    assert state.best_params is state.params
