"""What a step needs, and what is said where that is too much."""

import jax
import jax.numpy as jnp
import pytest

from experiments.configs import tiny
from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.training import memory, run

GIB = 2**30


def program(batch):
    def step(state, x):
        return state + jnp.tanh(x @ state).sum()

    shapes = (
        jax.ShapeDtypeStruct((300, 300), jnp.float32),
        jax.ShapeDtypeStruct((batch, 300), jnp.float32),
    )
    return shapes[0], jax.jit(step, donate_argnums=0).lower(*shapes).compile()


def test_the_state_is_counted_once_and_the_rest_grows_with_the_batch():
    small, large = (memory.estimate(*program(batch)) for batch in (100, 1000))
    assert small.state == large.state == 300 * 300 * 4
    assert small.activations >= 100 * 300 * 4
    assert large.activations - small.activations >= 900 * 300 * 4
    assert large.total < 10 * 2**20
    assert memory.estimate(program(100)[0]).total == 300 * 300 * 4


def test_what_fits_passes_and_so_does_what_nobody_can_tell(monkeypatch):
    needed = memory.Estimate(GIB, 3 * GIB)
    for limit in (4 * GIB, None):
        monkeypatch.setattr(memory, "available", lambda limit=limit: limit)
        memory.check(needed, Bucket(64, 128, 32), 32)


@pytest.mark.parametrize(
    ("limit", "advice"),
    [(2, r"lower --config\.batch_size to 10 or less"), (0.5, r"lower --config\.model\.hidden")],
)
def test_what_does_not_fit_is_told_with_what_to_lower(monkeypatch, limit, advice):
    monkeypatch.setattr(memory, "available", lambda: int(limit * GIB))
    with pytest.raises(Im2latexError, match=advice) as caught:
        memory.check(memory.Estimate(GIB, 3 * GIB), Bucket(64, 128, 32), 32)
    assert "needs about 4.00 GiB (parameters and optimizer 1.00," in str(caught.value)
    assert "32 pictures of 64x128 pixels and 32 steps" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_this_machine_has_memory():
    assert memory.available() > 2**28


def test_a_device_without_memory_is_told_in_one_line(tmp_path, monkeypatch):
    def exhaust(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes")

    monkeypatch.setattr(run, "_run", exhaust)
    with pytest.raises(Im2latexError, match=r"run: the device has run out of memory; .*batch_size"):
        run.run(tiny.get_config(), tmp_path / "run")
    other = jax.errors.JaxRuntimeError("INTERNAL: something else")
    assert not memory.is_exhausted(other)
