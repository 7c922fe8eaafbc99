"""Where arrays lie on several devices, and that a run on eight is the run on one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from im2latex_jax import devices
from im2latex_jax.errors import Im2latexError


def test_large_arrays_are_split_along_their_longest_dimension_that_divides():
    assert devices.split_spec((256, 768), 2) == P(None, "fsdp")
    assert devices.split_spec((769, 256), 2) == P(None, "fsdp")
    assert devices.split_spec((3, 3, 512, 128), 4) == P(None, None, "fsdp")
    assert devices.split_spec((769, 257), 2) == P()


def test_small_arrays_and_all_without_fsdp_are_whole():
    assert devices.split_spec((256, 768), 1) == P()
    assert devices.split_spec((512,), 2) == P()
    assert devices.split_spec((), 2) == P()


def test_on_one_device_nothing_is_touched():
    layout = devices.Layout()
    tree = {"images": np.zeros(3)}
    assert layout.put_batch(tree) is tree
    assert layout.split(tree) is tree
    assert layout.whole(tree) is tree
    assert layout.make_state(lambda: tree) is tree
    assert layout.round_up(7) == 7
    shapes = {"images": jax.ShapeDtypeStruct((3,), jnp.float32)}
    assert layout.batch_shapes(shapes)["images"].sharding is None
    layout.check_batch_size(7)


def test_fsdp_that_does_not_divide_the_devices_is_refused():
    with pytest.raises(Im2latexError, match=r"config\.fsdp is 3, and there are \d+ devices"):
        devices.make_layout(3)


def test_fetched_arrays_are_numpy_arrays():
    fetched = devices.fetch({"a": jnp.arange(3), "b": np.float32(2)})
    assert isinstance(fetched["a"], np.ndarray)
    np.testing.assert_array_equal(fetched["a"], [0, 1, 2])
