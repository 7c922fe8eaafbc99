"""Dense layer and convolution: products in a narrower dtype, with derivatives that suit XLA.

Parameters are float32 and are cast to the dtype of the computation where they are used. The two
derivatives that automatic differentiation would choose badly on a CPU are written out:

- the input gradient of a convolution is a convolution with the flipped kernel. Automatic
  differentiation asks for one with a dilated kernel layout, which CPU libraries do not take;
- the gradient of a bias, a sum over all positions, is a product with ones.

Both give what automatic differentiation gives, up to rounding (`tests/model/layers_test.py`).

Shapes in names: B batch, h w cells, C input channels, F output channels.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

_LAYOUT = ("NHWC", "HWIO", "NHWC")


@jax.custom_vjp
def convolution(x_BxhxwxC: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution [B, h, w, F] of stride 1, zero-padded to the same size.

    Args:
      x_BxhxwxC: input.
      kernel: [rows, columns, C, F] of odd sides, in the dtype of the input.
    """
    return lax.conv_general_dilated(x_BxhxwxC, kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)


def _convolution_forward(x, kernel):
    return convolution(x, kernel), (x, kernel)


def _convolution_backward(residuals, dy):
    x, kernel = residuals
    dx = convolution(dy, kernel[::-1, ::-1].swapaxes(2, 3))
    (dkernel,) = jax.vjp(
        lambda k: lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=_LAYOUT), kernel
    )[1](dy)
    return dx, dkernel


convolution.defvjp(_convolution_forward, _convolution_backward)


@jax.custom_vjp
def add_bias(x: jax.Array, bias_F: jax.Array) -> jax.Array:
    """x [..., F] plus a float32 bias, in the dtype of x."""
    return x + bias_F.astype(x.dtype)


def _add_bias_backward(_, dx):
    rows = dx.reshape(-1, dx.shape[-1])
    ones = jnp.ones((8, len(rows)), rows.dtype)  # eight rows: a shape that matrix libraries take
    return dx, (ones @ rows)[0].astype(jnp.float32)


add_bias.defvjp(lambda x, bias_F: (add_bias(x, bias_F), None), _add_bias_backward)


def to_float32(x: jax.Array) -> jax.Array:
    """The same values as float32.

    For what a layer norm reads: XLA (jaxlib 0.12) would give a norm of a narrower array to oneDNN
    with a result as narrow, and fail. Rounding what is rounded already keeps it from doing so.
    """
    if x.dtype == jnp.float32:
        return x
    return lax.reduce_precision(x.astype(jnp.float32), exponent_bits=8, mantissa_bits=7)


class Dense(nn.Module):
    """Affine layer [..., C] to [..., F] with the parameters of `nn.Dense`.

    Attributes:
      features: F.
      dtype: of the product and of the result; parameters are float32.
    """

    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return add_bias(x.astype(self.dtype) @ kernel.astype(self.dtype), bias)


class Conv(nn.Module):
    """Convolution of 3 x 3 cells with bias and the parameters of `nn.Conv`.

    Attributes:
      features: F.
      dtype: of the product and of the result; parameters are float32.
      kernel_init: initializer of the kernel.
    """

    features: int
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x_BxhxwxC: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (3, 3, x_BxhxwxC.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        y = convolution(x_BxhxwxC.astype(self.dtype), kernel.astype(self.dtype))
        return add_bias(y, bias)
