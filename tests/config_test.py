"""Values that a configuration cannot have are named before anything is built."""

import pathlib
import runpy

import pytest

from experiments.configs import tiny
from im2latex_jax import config as config_checks
from im2latex_jax.errors import Im2latexError

CONFIGS = pathlib.Path(tiny.__file__).parent


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_the_configurations_that_come_along_pass(path):
    config_checks.check(runpy.run_path(str(path))["get_config"]())


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("batch_size", 0, "1 or more"),
        ("eval_batch_size", -1, "1 or more"),
        ("num_samples", 0, "1 or more"),
        ("num_threads", -1, "0 or more"),
        ("seed", -1, "0 or more, and less than 4294967296"),
        ("seed", 2**32, "0 or more, and less than 4294967296"),
        ("model.dropout", 1.0, "0 or more, and less than 1"),
        ("augmentation.probability", 1.5, "0 to 1"),
        ("model.dtype", "float8", "'auto' or 'float32' or 'bfloat16'"),
        ("dataset.on_corrupt", "maybe", "'fail' or 'skip'"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name, value, wanted):
    config = tiny.get_config()
    config.update_from_flattened_dict({name: value})
    with pytest.raises(Im2latexError) as caught:
        config_checks.check(config)
    assert str(caught.value) == f"config.{name} is {value!r}: set --config.{name} to {wanted}"


def test_stages_that_do_not_match_are_counted():
    config = tiny.get_config()
    config.model.blocks = (1,)
    with pytest.raises(Im2latexError, match="features for 2, blocks for 1, strides for 2 stages"):
        config_checks.check(config)
