"""The network's own derivatives against automatic differentiation."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from im2latex_jax.model import layers


def normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def plain_convolution(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@pytest.mark.parametrize("channels", [(3, 5), (6, 6)])
def test_a_convolution_has_the_derivative_of_automatic_differentiation(channels):
    x, kernel = normal(0, 2, 5, 7, channels[0]), normal(1, 3, 3, *channels)

    def gradients(convolution):
        return jax.grad(lambda x, k: jnp.sin(convolution(x, k)).sum(), argnums=(0, 1))(x, kernel)

    np.testing.assert_allclose(
        layers.convolution(x, kernel), plain_convolution(x, kernel), rtol=1e-5, atol=1e-5
    )
    for ours, theirs in zip(
        gradients(layers.convolution), gradients(plain_convolution), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_bias_has_the_derivative_of_automatic_differentiation():
    x, bias = normal(0, 2, 5, 7), normal(1, 7)

    def gradients(add):
        return jax.grad(lambda x, b: jnp.sin(add(x, b)).sum(), argnums=(0, 1))(x, bias)

    for ours, theirs in zip(gradients(layers.add_bias), gradients(jnp.add), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (layers.Dense(6), nn.Dense(6), (4, 5)),
        (layers.Conv(6), nn.Conv(6, (3, 3)), (2, 5, 7, 5)),
    ],
)
def test_layers_have_the_parameters_and_values_of_flax(ours, theirs, shape):
    x = normal(0, *shape)
    params = theirs.init(jax.random.key(1), x)
    fresh = ours.init(jax.random.key(1), x)
    jax.tree.map(np.testing.assert_array_equal, fresh, params)
    np.testing.assert_allclose(ours.apply(params, x), theirs.apply(params, x), rtol=1e-5, atol=1e-5)


def test_narrow_layers_round_what_they_give_and_keep_float32_gradients():
    layer = layers.Conv(6, dtype=jnp.bfloat16)
    x = normal(0, 2, 5, 7, 5)
    params = layer.init(jax.random.key(1), x)
    y = layer.apply(params, x)
    assert y.dtype == jnp.bfloat16
    exact = layers.Conv(6).apply(params, x)
    assert 0 < jnp.abs(y - exact).max() < 0.03 * jnp.abs(exact).max()
    gradients = jax.grad(lambda p: layer.apply(p, x).astype(jnp.float32).sum())(params)
    assert {g.dtype for g in jax.tree.leaves(gradients)} == {jnp.dtype("float32")}
    np.testing.assert_array_equal(layers.to_float32(y), y.astype(jnp.float32))
