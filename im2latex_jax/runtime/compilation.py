"""How the programs of this package are compiled: options of the backend, and the cache on disk."""

import functools
import os
import pathlib
import warnings
from typing import Any

import jax
from ml_collections import ConfigDict

from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import folders, workers

# Options of XLA on CPUs, the best first. They are experimental and differ between versions: the
# first set that this one knows is taken. Figures: docs/performance.md.
_YNN = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"}
_ONEDNN = {
    "xla_cpu_use_onednn": True,
    "xla_cpu_experimental_onednn_custom_call": True,
    "xla_cpu_prefer_vector_width": 512,
}
# Devices of one process wait for each other: by default XLA aborts the process after 40 seconds, as
# when it was paused (Ctrl-Z) or the machine is loaded.
_PATIENCE = {
    "xla_cpu_collective_call_terminate_timeout_seconds": 86_400,
    "xla_cpu_collective_timeout_seconds": 86_400,
}
# Versions before it know oneDNN's options too, but take them for little.
_ONEDNN_SINCE = (0, 12)
# Processor flags (Linux) of instructions that multiply bfloat16.
_BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")


def _candidates() -> dict[str, dict[str, Any]]:
    """Sets of options by name, the best first."""
    if jax.default_backend() != "cpu":
        return {}
    sets = {"YNN": _YNN}
    if jax.__version_info__ >= _ONEDNN_SINCE:
        return {"oneDNN and YNN": {**_ONEDNN, **_YNN}, "oneDNN": _ONEDNN, **sets}
    return sets


@functools.cache
def _chosen_options() -> tuple[str, dict[str, Any]]:
    """Name and options of the first set that this XLA knows."""
    known = ((name, options) for name, options in _candidates().items() if _is_known(options))
    return next(known, ("none", {}))


@functools.cache
def _known(options: tuple[tuple[str, Any], ...]) -> bool:
    try:
        jax.jit(lambda x: x + 1, compiler_options=dict(options))(1.0)
    except (ValueError, RuntimeError):
        return False
    return True


def _is_known(options: dict[str, Any]) -> bool:
    """Whether this XLA knows the options, tried on a small program."""
    return _known(tuple(options.items()))


def compiler_options() -> dict[str, Any]:
    """What to give `jax.jit(compiler_options=...)` on this backend; empty where nothing helps."""
    options = dict(_chosen_options()[1])
    several = jax.default_backend() == "cpu" and jax.local_device_count() > 1
    if several and jax.process_count() == 1 and _is_known(_PATIENCE):
        options |= _PATIENCE
    return options


def options_name() -> str:
    """Name of the set of `compiler_options`, for people; "none" where there is none."""
    return _chosen_options()[0]


@functools.cache
def fast_dtype() -> str:
    """The dtype that products are fastest in: "bfloat16" or "float32".

    bfloat16 on accelerators, and on CPUs whose processor multiplies it where XLA makes use of that.
    """
    if jax.default_backend() != "cpu":
        return "bfloat16"
    if jax.__version_info__ < _ONEDNN_SINCE or "oneDNN" not in options_name():
        return "float32"
    return "bfloat16" if _multiplies_bfloat16() else "float32"


def _multiplies_bfloat16() -> bool:
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return False
    flags = next((x for x in text.splitlines() if x.startswith("flags")), "").split()
    return any(flag in flags for flag in _BFLOAT16_FLAGS)


def prepare(config: ConfigDict) -> None:
    """Prepares JAX for a run, before its backend starts: cache, determinism, devices.

    Raises:
      Im2latexError: see `prepare_devices`.
    """
    enable_cache()
    if config.deterministic:
        make_deterministic()
    prepare_devices(config)


def prepare_devices(config: ConfigDict) -> None:
    """Splits the processor into XLA devices, which share each batch: see `config.cpu_devices`.

    To be called before JAX starts its backend; makes no difference to other backends.

    Raises:
      Im2latexError: the batch size does not divide by the number that is asked for.
    """
    wanted, batch_size = config.cpu_devices, config.batch_size
    if not wanted and (
        "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
        or os.environ.get("JAX_NUM_CPU_DEVICES")
    ):
        return  # the user has said how many
    if not wanted:  # also of several processes on one machine, which have the cores in common
        cores = 1 if config.distributed.enabled else workers.available_cpus()
        wanted = max(n for n in range(1, max(cores, 1) + 1) if batch_size % n == 0)
    elif batch_size > 0 and batch_size % wanted:
        raise Im2latexError(
            f"batch_size {batch_size} does not divide by {wanted} devices: set "
            "--config.cpu_devices to a divisor of it, or to 0 for as many as the cores allow"
        )
    jax.config.update("jax_num_cpu_devices", wanted)


def jit(function=None, **options):
    """`jax.jit` with the backend's compiler options, chosen at the first call.

    Choosing them asks JAX for its backend, which must not happen on import. As with `jax.jit`, the
    result has a `trace` to look at, or compile, the program without running it.
    """
    if function is None:
        return functools.partial(jit, **options)

    @functools.cache
    def compiled():
        return jax.jit(function, compiler_options=compiler_options(), **options)

    @functools.wraps(function)
    def call(*args, **kwargs):
        return compiled()(*args, **kwargs)

    call.trace = lambda *args, **kwargs: compiled().trace(*args, **kwargs)  # type: ignore[attr-defined]
    return call


_DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


def make_deterministic() -> None:
    """Has a GPU compute the same bits in every run, which costs speed; a CPU does so anyway.

    It forbids programs whose result depends on the order of threads and the choice of programs by
    timing them (openxla/xla pull request 12520). To be called before JAX starts its backend: XLA
    reads the environment once.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _DETERMINISTIC not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_DETERMINISTIC}".strip()


def check_deterministic() -> None:
    """Checks that a GPU was started as `make_deterministic` wants it.

    Raises:
      Im2latexError: it was not.
    """
    if jax.default_backend() == "gpu" and _DETERMINISTIC not in os.environ.get("XLA_FLAGS", ""):
        raise Im2latexError(
            "config.deterministic needs an option of XLA that is read when JAX starts: set "
            f'XLA_FLAGS="{_DETERMINISTIC}" in the environment'
        )


def enable_cache() -> str | None:
    """Keeps compiled programs on disk between calls, in `folders.cache`.

    JAX's warnings about single programs of the cache are not shown: they are compiled instead.

    Returns:
      Why nothing can be kept there, in one line; None where it can.
    """
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
    try:
        folder = folders.cache() / "xla"
        folder.mkdir(parents=True, exist_ok=True)
    except Im2latexError as error:
        return str(error)
    except OSError as error:
        return f"{folder}: {error.strerror}: set IM2LATEX_CACHE to another folder"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder}: cannot be written to: set IM2LATEX_CACHE to another folder"
    return None
