"""Where arrays lie on several devices, and that a run on eight is the run on one."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import sharding
from im2latex_jax.training import run
from tests.support import several, tiny_run


def test_large_arrays_are_split_along_their_longest_dimension_that_divides():
    assert sharding.split_spec((256, 768), 2) == P(None, "fsdp")
    assert sharding.split_spec((769, 256), 2) == P(None, "fsdp")
    assert sharding.split_spec((3, 3, 512, 128), 4) == P(None, None, "fsdp")
    assert sharding.split_spec((769, 257), 2) == P()


def test_small_arrays_and_all_without_fsdp_are_whole():
    assert sharding.split_spec((256, 768), 1) == P()
    assert sharding.split_spec((512,), 2) == P()
    assert sharding.split_spec((), 2) == P()


def test_on_one_device_nothing_is_touched():
    layout = sharding.Layout()
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
        sharding.make_layout(3)


def test_fetched_arrays_are_numpy_arrays():
    fetched = sharding.fetch({"a": jnp.arange(3), "b": np.float32(2)})
    assert isinstance(fetched["a"], np.ndarray)
    np.testing.assert_array_equal(fetched["a"], [0, 1, 2])


@pytest.mark.parametrize("fsdp", [1, 2])
def test_eight_devices_give_the_loss_curve_of_one_and_their_checkpoint_goes_on_there(
    training, finished, fsdp
):
    workdir = training / f"eight-{fsdp}"
    ((status, out, err),) = several.finish(
        several.start(training, workdir, devices=8, fsdp=fsdp, eval_batch_size=4)
    )
    assert status == 0, err
    assert "on 8 devices (" in err
    one = several.losses(finished[0])
    np.testing.assert_allclose(several.losses(workdir), one, rtol=0, atol=1e-5)
    result = json.loads((workdir / "result.json").read_text())
    assert result["loss"] == pytest.approx(finished[1]["loss"], abs=1e-5)
    assert result["num_examples"] == 8
    assert json.loads(out) == result

    (workdir / "result.json").unlink()
    shutil.rmtree(workdir / "checkpoints" / "12")
    settings = tiny_run.config(training / "data", eval_batch_size=4)
    resumed = run.run(settings, workdir)
    assert resumed["step"] == 12
    assert resumed["loss"] == pytest.approx(finished[1]["loss"], abs=1e-5)
    np.testing.assert_allclose(several.losses(workdir), one, rtol=0, atol=1e-5)
    starts = json.loads((workdir / "environment.json").read_text())["later_starts"]
    assert starts[-1]["num_devices"] == 1


def test_a_batch_that_does_not_divide_is_refused_in_one_line(training):
    ((status, _, err),) = several.finish(
        several.start(training, training / "uneven", devices=8, batch_size=12)
    )
    assert status == 1
    assert err.splitlines()[-1] == (
        "error: batch_size 12 does not divide by 8 devices: set --config.batch_size to a "
        "multiple, such as 16, or use fewer devices"
    )
    assert "Traceback" not in err
    assert not (training / "uneven").exists()
