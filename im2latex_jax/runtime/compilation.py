"""How the programs of this package are compiled: options of the backend, and the cache on disk."""

import functools
import os
import warnings

import jax

from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import folders

# On CPU, matrix products and the convolutions made of them go through XLA's YNN library, which
# takes a training step from 260 to 160 ms on two cores (batch 32, pictures of 48 x 192 pixels).
_CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"}


@functools.cache
def compiler_options() -> dict[str, str]:
    """What to give `jax.jit(compiler_options=...)` on this backend; empty where nothing helps.

    The options are experimental ones of XLA, which may go: they are tried once on a small program.
    """
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda x: x + 1, compiler_options=_CPU_OPTIONS)(1.0)
    except (ValueError, RuntimeError):
        return {}
    return dict(_CPU_OPTIONS)


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
