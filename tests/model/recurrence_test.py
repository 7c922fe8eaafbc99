"""The scanned GRU with attention, and its own derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from im2latex_jax.model import attention, recurrence

B, T, P, H, A, M = 3, 5, 7, 6, 4, 5


@pytest.fixture
def inputs():
    keys = iter(jax.random.split(jax.random.key(0), 16))

    def normal(*shape):
        return jax.random.normal(next(keys), shape)

    weights = recurrence.Weights(
        w_c=normal(M, 3 * H), w_h=normal(H, 3 * H), b_h=normal(3 * H), w_q=normal(H, A), v=normal(A)
    )
    mask = jnp.arange(P)[None] < jnp.asarray([[7], [3], [1]])
    picture = recurrence.Picture(normal(B, P, M), attention.exponential(normal(B, P, A)), mask)
    state = recurrence.State(normal(B, H), normal(B, M))
    return weights, picture, state, normal(T, B, 3 * H)


def test_the_derivative_is_that_of_automatic_differentiation(inputs):
    weights, picture, state, x = inputs

    def gradients(unroll):
        def loss(weights, memory, keys, state, x):
            h, c = unroll(weights, picture._replace(memory=memory, keys=keys), state, x)[:2]
            return jnp.sum(jnp.sin(3 * h)) + jnp.sum(jnp.cos(2 * c))

        return jax.grad(loss, argnums=(0, 1, 2, 3, 4))(
            weights, picture.memory, picture.keys, state, x
        )

    expected, actual = gradients(recurrence.unroll_plain), gradients(recurrence.unroll)
    jax.tree.map(
        lambda e, a: np.testing.assert_allclose(a, e, rtol=2e-4, atol=2e-5), expected, actual
    )
    assert all(float(jnp.abs(leaf).max()) > 1e-3 for leaf in jax.tree.leaves(expected))


def test_a_step_follows_the_equations(inputs):
    weights, picture, state, x = inputs
    new, looked = recurrence.step(weights, picture, state, x[0])

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    w = [np.asarray(a, np.float64) for a in weights]
    h, c = np.asarray(state.h, np.float64), np.asarray(state.c, np.float64)
    for row in range(B):
        g = np.asarray(x[0, row]) + c[row] @ w[0]
        u = h[row] @ w[1] + w[2]
        r, z = sigmoid(g[:H] + u[:H]), sigmoid(g[H : 2 * H] + u[H : 2 * H])
        n = np.tanh(g[2 * H :] + r * u[2 * H :])
        expected = (1 - z) * n + z * h[row]
        np.testing.assert_allclose(new.h[row], expected, rtol=1e-4, atol=1e-5)
        context = np.asarray(looked[row]) @ np.asarray(picture.memory[row])
        np.testing.assert_allclose(new.c[row], context, rtol=1e-4, atol=1e-5)


def test_unrolling_is_stepping(inputs):
    weights, picture, state, x = inputs
    h, c = recurrence.unroll(weights, picture, state, x)
    for t in range(T):
        state, _ = recurrence.step(weights, picture, state, x[t])
        np.testing.assert_allclose(h[t], state.h, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(c[t], state.c, rtol=1e-5, atol=1e-6)
