"""Additive attention against the equations of Bahdanau et al. 2015 in plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from im2latex_jax.model import attention

B, P, A, M = 3, 6, 4, 5


def inputs():
    rng = np.random.default_rng(0)
    query, keys = rng.normal(size=(B, A)), rng.normal(size=(B, P, A))
    v, memory = rng.normal(size=A), rng.normal(size=(B, P, M))
    mask = np.arange(P)[None] < np.asarray([[6], [4], [1]])
    return query, keys, v, memory, mask


def attention_weights(query, keys, v, mask):
    exponentials = (
        attention.exponential(jnp.asarray(query)),
        attention.exponential(jnp.asarray(keys)),
    )
    return attention.attention_weights(*exponentials, v, mask)


def test_weights_and_context_follow_the_equations():
    query, keys, v, memory, mask = inputs()
    weights = attention_weights(query, keys, v, mask)
    context = attention.context(weights, memory.astype(np.float32))
    for b in range(B):
        scores = [v @ np.tanh(query[b] + keys[b, i]) for i in range(P) if mask[b, i]]
        expected = np.exp(scores) / np.sum(np.exp(scores))
        np.testing.assert_allclose(weights[b, : len(expected)], expected, rtol=1e-5)
        mean = sum(a * memory[b, i] for i, a in enumerate(expected))
        np.testing.assert_allclose(context[b], mean, rtol=1e-5)


def test_masked_positions_have_no_weight_and_no_gradient():
    query, keys, v, memory, mask = inputs()
    weights = attention_weights(query, keys, v, mask)
    assert np.all(np.asarray(weights)[~mask] == 0)
    np.testing.assert_allclose(np.asarray(weights).sum(axis=1), 1, rtol=1e-6)
    gradient = jax.grad(
        lambda keys: attention.context(attention_weights(query, keys, v, mask), memory).sum()
    )(keys)
    assert np.all(np.isfinite(gradient))
    assert np.all(np.asarray(gradient)[~mask] == 0)


def test_a_product_of_exponentials_gives_the_hyperbolic_tangent_even_of_large_sums():
    query = np.asarray([[-1e4, -3.0, 0.0, 3.0, 1e4]], np.float32)
    keys = np.asarray([[-1e4, -1.0, 0.5, 2.0, 1e4]], np.float32)
    s = attention.complement(
        attention.exponential(jnp.asarray(query)), attention.exponential(jnp.asarray(keys))[None]
    )
    np.testing.assert_allclose(1 - 2 * s[0], np.tanh(query + keys), atol=1e-6)
