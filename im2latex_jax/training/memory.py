"""Whether a training step fits into the device's memory: told before a run starts."""

import dataclasses
import math
import os
import pathlib
from typing import Any

import jax

from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import Bucket

_GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a training step needs, in bytes on each device.

    Attributes:
      state: parameters, their average, and the optimizer's moments.
      activations: everything else, the batch included: grows with the batch size.
    """

    state: int
    activations: int

    @property
    def total(self) -> int:
        """Everything."""
        return self.state + self.activations


def size(tree: Any) -> int:
    """Bytes on one device of a tree of arrays or of their shapes."""
    return sum(
        math.prod(_shape_on_a_device(leaf)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)
    )


def _shape_on_a_device(leaf: Any) -> tuple[int, ...]:
    sharding = getattr(leaf, "sharding", None)
    return leaf.shape if sharding is None else sharding.shard_shape(leaf.shape)


def estimate(state: Any, program: jax.stages.Compiled | None = None) -> Estimate:
    """What a step needs, from the train state (or its shapes) and the compiled step.

    Without a program, and on backends that do not tell what it needs, the activations are 0.
    """
    stats = program.memory_analysis() if program is not None else None
    if stats is None:
        return Estimate(size(state), 0)
    total = (
        stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        + stats.temp_size_in_bytes
        - stats.alias_size_in_bytes
    )
    return Estimate(size(state), max(0, total - size(state)))


def available() -> int | None:
    """Bytes that one device's programs can have at the most; None where nobody tells."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"]
    if jax.default_backend() != "cpu":
        return None
    memory = _host_memory()
    return None if memory is None else memory // jax.local_device_count()


def _host_memory() -> int | None:
    limits = []
    try:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        limits.append(int(pathlib.Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError, AttributeError):  # another system, or no limit ("max")
        pass
    return min(limits, default=None)


def is_exhausted(error: BaseException) -> bool:
    """Whether an error is JAX's of a device that has no memory left."""
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def check(needed: Estimate, bucket: Bucket, batch_size: int) -> None:
    """Checks an estimate for the largest bucket against `available`.

    Raises:
      Im2latexError: it does not fit; says what is needed, what is there, what to lower.
    """
    limit = available()
    if limit is None or needed.total <= limit:
        return
    room = limit - needed.state
    fitting = int(batch_size * room / needed.activations) if needed.activations else 0
    if room > 0 and fitting:
        advice = (
            f"lower --config.batch_size to {fitting} or less, or --config.limits.max_width, "
            "max_height or max_length"
        )
    else:
        advice = "lower --config.model.hidden, features, blocks or attention"
    among = f" among {jax.device_count()} devices" if jax.device_count() > 1 else ""
    raise Im2latexError(
        f"a training step needs about {needed.total / _GIB:.2f} GiB (parameters and optimizer "
        f"{needed.state / _GIB:.2f}, the rest for {batch_size} pictures of {bucket.height}x"
        f"{bucket.width} pixels and {bucket.length} steps{among}), and the device has "
        f"{limit / _GIB:.2f} GiB: {advice}"
    )
