"""JAX's backend: whether it starts here, and whether this process can use it."""

import os

import jax

from im2latex_jax.errors import Im2latexError

_started_by: int | None = None  # number of the process that started JAX by `require`


class BackendError(Im2latexError):
    """JAX cannot be used in this process; the message says why and what to do."""


def require() -> None:
    """Starts JAX's backend, or finds it started.

    Raises:
      BackendError: there is no such device; or JAX was started by the process that this one was
        forked from, where its threads have stayed: using it would wait without end.
    """
    global _started_by
    check_not_forked()
    try:
        jax.devices()
    except Exception as error:  # RuntimeError, and AssertionError of JAX's own
        platforms = os.environ.get("JAX_PLATFORMS")
        reason = " ".join(str(error).split()) or "it finds no such device"
        hint = "check the drivers, or set JAX_PLATFORMS=cpu"
        if platforms:
            hint = f"unset JAX_PLATFORMS, which is {platforms!r}, or install what it names"
        raise BackendError(f"JAX cannot start: {reason}: {hint}") from error
    _started_by = os.getpid()


def check_not_forked() -> None:
    """Checks that this process is not a fork of the one that `require` started JAX in.

    Raises:
      BackendError: it is.
    """
    if _started_by not in (None, os.getpid()):
        raise BackendError(
            "JAX does not work in a forked process: start it with "
            'multiprocessing.get_context("spawn"), or load the model in the child only'
        )
