"""Convolutional encoder: a picture of ink to a grid of features (the decoder's memory).

Shapes in names: B batch, H W picture height and width in pixels, h w the same in cells of a stage,
C channels, P = h * w positions of the last grid.

Nothing in here looks across the picture's own border: features outside the picture are set to
zero before every convolution that mixes neighbours, which is what the convolution's own zero
padding does for a picture alone. Its features are therefore the same alone and in a padded batch.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from im2latex_jax.model import layers

# Of the layer norms. Blank paper has no variance at all: the usual 1e-6 would multiply its gradient
# by a thousand at every norm.
EPSILON = 0.01


def space_to_depth(x_BxHxWxC: jax.Array, stride: tuple[int, int]) -> jax.Array:
    """Folds blocks of `stride` cells into channels: [B, H, W, C] to [B, H/sh, W/sw, sh*sw*C]."""
    batch, height, width, channels = x_BxHxWxC.shape
    rows, columns = stride
    x = x_BxHxWxC.reshape(batch, height // rows, rows, width // columns, columns, channels)
    x = x.transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, height // rows, width // columns, rows * columns * channels)


def cell_mask(sizes_Bx2: jax.Array, grid: tuple[int, int], stride: tuple[int, int]) -> jax.Array:
    """Which cells of a grid hold any of the picture: [B, h, w] bool, from sizes in pixels."""
    rows = jnp.arange(grid[0])[None, :] * stride[0] < sizes_Bx2[:, :1]
    columns = jnp.arange(grid[1])[None, :] * stride[1] < sizes_Bx2[:, 1:]
    return rows[:, :, None] & columns[:, None, :]


def positions_2d(height: int, width: int, channels: int) -> np.ndarray:
    """Sinusoids of the row in the first half of the channels, of the column in the second.

    [height, width, channels] float32. Vaswani et al. 2017, section 3.5, for two dimensions as in
    Parmar et al. 2018.
    """
    quarter = channels // 4
    frequency = 1.0 / 1000.0 ** (np.arange(quarter) / quarter)

    def waves(length: int) -> np.ndarray:
        angle = np.arange(length)[:, None] * frequency
        return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)

    grid = np.zeros((height, width, channels), np.float32)
    grid[:, :, : 2 * quarter] = waves(height)[:, None, :]
    grid[:, :, 2 * quarter : 4 * quarter] = waves(width)[None, :, :]
    return grid


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions before a sum (He et al. 2016, pre-activation), masked to the picture.

    The second kernel starts at zero, so that a deep encoder starts as a shallow one and needs no
    normalization over positions (which would see the padding).
    """

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x_BxhxwxC: jax.Array, mask_Bxhxwx1: jax.Array) -> jax.Array:
        features = x_BxhxwxC.shape[-1]
        y = nn.relu(x_BxhxwxC) * mask_Bxhxwx1
        y = layers.Conv(features, dtype=self.dtype)(y)
        y = nn.relu(y) * mask_Bxhxwx1.astype(y.dtype)
        y = layers.Conv(features, dtype=self.dtype, kernel_init=nn.initializers.zeros)(y)
        return x_BxhxwxC + y.astype(jnp.float32)


class Encoder(nn.Module):
    """Picture to memory.

    Attributes:
      features: channels of each stage.
      blocks: residual blocks of each stage.
      strides: (rows, columns) by which each stage reduces its input. The first is taken by folding
        pixels into channels, so no convolution runs at full resolution.
      dropout: rate on the memory.
      dtype: of convolutions, products and memory; the residual stream, the norms and the
        parameters are float32.
    """

    features: Sequence[int]
    blocks: Sequence[int]
    strides: Sequence[tuple[int, int]]
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels a cell of the last grid stands for: (rows, columns)."""
        rows, columns = np.prod(np.asarray(self.strides), axis=0)
        return int(rows), int(columns)

    @nn.compact
    def __call__(
        self, images_BxHxWx1: jax.Array, sizes_Bx2: jax.Array, *, train: bool = False
    ) -> tuple[jax.Array, jax.Array]:
        """Encodes pictures.

        Args:
          images_BxHxWx1: uint8 ink, 0 paper to 255 ink; H and W are multiples of `stride`.
          sizes_Bx2: int32 height and width of each picture in pixels, before padding.
          train: whether dropout is on (needs the rng "dropout").

        Returns:
          Memory [B, P, C] of `dtype`, zero outside the picture, and its mask [B, P] bool.
        """
        x = images_BxHxWx1.astype(jnp.float32) / 255
        rows = columns = 1
        for features, blocks, step in zip(self.features, self.blocks, self.strides, strict=True):
            x = space_to_depth(x, step)
            rows, columns = rows * step[0], columns * step[1]
            mask = cell_mask(sizes_Bx2, (x.shape[1], x.shape[2]), (rows, columns))[
                ..., None
            ].astype(jnp.float32)
            if x.shape[-1] <= features:  # the stem: few channels, so let it see its neighbours
                x = layers.Conv(features, dtype=self.dtype)(x * mask)
            else:
                x = layers.Dense(features, dtype=self.dtype)(x * mask)
            x = nn.LayerNorm(EPSILON, dtype=jnp.float32)(layers.to_float32(x))
            for _ in range(blocks):
                x = ResidualBlock(dtype=self.dtype)(x, mask)
        x = nn.LayerNorm(EPSILON, dtype=jnp.float32)(x)
        batch, height, width, channels = x.shape
        x = (x + positions_2d(height, width, channels)) * mask
        x = x.reshape(batch, height * width, channels)
        x = nn.Dropout(self.dropout, broadcast_dims=(1,))(x, deterministic=not train)
        return x.astype(self.dtype), mask.reshape(batch, height * width) > 0
