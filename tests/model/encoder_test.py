"""The encoder: folding, masks, positions."""

import jax
import jax.numpy as jnp
import numpy as np

from im2latex_jax.model import encoder


def test_space_to_depth_keeps_every_block_together():
    x = jnp.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    folded = encoder.space_to_depth(x, (2, 3))
    assert folded.shape == (2, 2, 2, 18)
    np.testing.assert_array_equal(folded[1, 1, 0], x[1, 2:4, 0:3].reshape(-1))


def test_a_cell_belongs_to_the_picture_if_any_of_its_pixels_does():
    mask = encoder.cell_mask(jnp.asarray([[8, 9], [1, 16]]), (3, 3), (8, 8))
    expected = np.zeros((2, 3, 3), bool)
    expected[0, 0, :2] = True
    expected[1, 0, :2] = True
    np.testing.assert_array_equal(mask, expected)


def test_every_position_has_a_code_of_its_own():
    codes = encoder.positions_2d(5, 40, 64).reshape(200, 64)
    distances = np.linalg.norm(codes[:, None] - codes[None], axis=-1)
    assert distances[~np.eye(200, dtype=bool)].min() > 0.5


def test_features_outside_the_picture_are_zero():
    net = encoder.Encoder(features=(8, 16), blocks=(1, 1), strides=((4, 4), (2, 2)))
    images = jnp.full((2, 16, 32, 1), 255, jnp.uint8)
    sizes = jnp.asarray([[16, 32], [8, 9]], jnp.int32)
    params = net.init(jax.random.key(0), images, sizes)
    memory, mask = net.apply(params, images, sizes)
    assert memory.shape == (2, 8, 16)
    np.testing.assert_array_equal(mask.sum(axis=1), [8, 2])
    assert np.all(np.asarray(memory)[~np.asarray(mask)] == 0)
    assert np.all(np.abs(np.asarray(memory)[np.asarray(mask)]).sum(axis=-1) > 0)
