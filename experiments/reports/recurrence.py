"""python -m experiments.reports.recurrence

Times the scanned decoder, forward and backward, with automatic differentiation and with the
derivative of its own (`im2latex_jax.model.recurrence`), and says how far their gradients differ.
"""

import time

import jax
import jax.numpy as jnp
from absl import app, flags

from im2latex_jax.model import attention, recurrence
from im2latex_jax.runtime import compilation

_SHAPE = flags.DEFINE_list(
    "shape", "64,34,96,256,128,128", "Batch, steps, positions, state, attention units, memory."
)
_REPEATS = flags.DEFINE_integer("repeats", 10, "Runs of each, of which the fastest counts.")


def gradients(unroll):
    """The jitted gradient, with respect to everything, of a loss on all outputs of `unroll`."""

    def loss(weights, memory, keys, state, x, mask):
        h, c = unroll(weights, recurrence.Picture(memory, keys, mask), state, x)[:2]
        return jnp.sin(3 * h).sum() + jnp.cos(2 * c).sum()

    return compilation.jit(jax.grad(loss, argnums=(0, 1, 2, 3, 4)))


def seconds(function, inputs) -> float:
    """Time of one call."""
    start = time.perf_counter()
    jax.block_until_ready(function(*inputs))
    return time.perf_counter() - start


def main(_: list[str]) -> None:
    batch, steps, positions, hidden, units, channels = map(int, _SHAPE.value)
    keys = iter(jax.random.split(jax.random.key(0), 16))

    def normal(*shape, scale=0.1):
        return scale * jax.random.normal(next(keys), shape)

    inputs = (
        recurrence.Weights(
            w_c=normal(channels, 3 * hidden),
            w_h=normal(hidden, 3 * hidden),
            b_h=normal(3 * hidden),
            w_q=normal(hidden, units),
            v=normal(units),
        ),
        normal(batch, positions, channels, scale=1.0),
        attention.exponential(normal(batch, positions, units, scale=1.0)),
        recurrence.State(normal(batch, hidden), normal(batch, channels)),
        normal(steps, batch, 3 * hidden),
        jnp.ones((batch, positions), bool),
    )
    results = {}
    for name, unroll in (
        ("automatic differentiation", recurrence.unroll_plain),
        ("own derivative", recurrence.unroll),
    ):
        function = gradients(unroll)
        results[name] = jax.block_until_ready(function(*inputs))
        times = [seconds(function, inputs) for _ in range(_REPEATS.value)]
        print(f"{name}: {1000 * min(times):.1f} ms forward and backward")
    first, second = results.values()
    difference = jax.tree.map(lambda a, b: jnp.abs(a - b).max() / jnp.abs(a).max(), first, second)
    print(f"largest relative difference of a gradient: {max(jax.tree.leaves(difference)):.1e}")


if __name__ == "__main__":
    app.run(main)
