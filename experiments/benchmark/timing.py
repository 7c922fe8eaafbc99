"""Timing of what JAX computes, and what it takes of the machine."""

import pathlib
import resource
import sys
import time
from collections.abc import Callable, Hashable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from im2latex_jax.runtime import compilation, workers

MEGABYTE = 2**20


def seconds(call: Callable[[], object], repeats: int) -> np.ndarray:
    """Seconds of each of `repeats` calls, after one that is not counted; results waited for."""
    jax.block_until_ready(call())
    times = np.zeros(repeats)
    for number in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times[number] = time.perf_counter() - start
    return times


def typical(times: Sequence[float] | np.ndarray, kinds: Sequence[Hashable]) -> np.ndarray:
    """Each time replaced by the median of its kind, so that what else the machine did drops out."""
    medians = {
        kind: np.median([t for t, k in zip(times, kinds, strict=True) if k == kind])
        for kind in set(kinds)
    }
    return np.asarray([medians[kind] for kind in kinds])


def peak_flops(dtype, size: int | None = None, repeats: int = 10) -> float:
    """Floating-point operations a second of a large matrix product: the best of `repeats`."""
    if size is None:
        size = 2048 if jax.default_backend() == "cpu" else 8192
    left, right = jax.random.normal(jax.random.key(0), (2, size, size)).astype(dtype)
    product = compilation.jit(jnp.matmul)
    return float(2 * size**3 / seconds(lambda: product(left, right), repeats).min())


def resident_megabytes() -> float:
    """The most memory that this process has had."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage also counts the process that started this one
        lines = status.read_text().splitlines()
        return next(int(x.split()[1]) for x in lines if x.startswith("VmHWM:")) / 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (MEGABYTE if sys.platform == "darwin" else 1024)


def device_megabytes() -> float | None:
    """The most memory used on the first device; None where it does not say (CPU)."""
    statistics = jax.devices()[0].memory_stats() or {}
    used = statistics.get("peak_bytes_in_use")
    return None if used is None else used / MEGABYTE


def device() -> dict[str, object]:
    """What is measured on."""
    return {
        "device": jax.devices()[0].device_kind,
        "num_devices": jax.device_count(),
        "platform": jax.default_backend(),
        "cpus": workers.available_cpus(),
        "jax": jax.__version__,
    }
