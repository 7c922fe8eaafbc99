"""Any bit counts, and nothing else."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from im2latex_jax.training import fingerprints

TREE: dict[str, Any] = {"a": np.asarray([1.0, 2.0], np.float32), "b": (np.asarray(3),)}


def test_equal_trees_have_equal_names_wherever_they_are():
    copy = {"b": (np.asarray(3),), "a": jnp.asarray([1.0, 2.0])}
    assert fingerprints.of_tree(copy) == fingerprints.of_tree(TREE)
    assert len(fingerprints.of_tree(TREE)) == 16


@pytest.mark.parametrize(
    "other",
    [
        {**TREE, "a": np.nextafter(TREE["a"], np.float32(9))},
        {**TREE, "a": TREE["a"][:, None]},
        {**TREE, "a": TREE["a"].view(np.int32)},
        {"c": TREE["a"], "b": TREE["b"]},
        {**TREE, "a": TREE["a"][::-1]},
    ],
)
def test_a_change_of_a_bit_a_shape_a_type_or_a_name_changes_it(other):
    assert fingerprints.of_tree(other) != fingerprints.of_tree(TREE)


def test_minus_zero_is_not_zero():
    assert fingerprints.of_tree(np.asarray(0.0)) != fingerprints.of_tree(np.asarray(-0.0))
