"""Calls that block for long without letting Python run a signal's handler: in a thread."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

_POLL_SECONDS = 0.1
_NAME = "may be left behind"

T = TypeVar("T")


def in_thread(
    function: Callable[[], T],
    *,
    check: Callable[[], None] = lambda: None,
    timeout: float | None = None,
) -> T:
    """Calls `function` in a thread, while this one listens; returns what it returned.

    Args:
      function: what takes long.
      check: called meanwhile, several times a second; what it raises ends the wait.
      timeout: seconds to wait at the most.

    Raises:
      TimeoutError: that time has passed. The thread goes on, as it does after `check` has raised.
    """
    result: list[T] = []
    failure: list[BaseException] = []

    def call() -> None:
        try:
            result.append(function())
        except BaseException as error:  # for the waiting thread to raise
            failure.append(error)

    # A daemon, so that a program that is interrupted does not wait for it at its end.
    thread = threading.Thread(target=call, name=_NAME, daemon=True)
    deadline = None if timeout is None else time.monotonic() + timeout
    thread.start()
    while thread.is_alive():
        thread.join(_POLL_SECONDS)
        check()
        if deadline is not None and time.monotonic() > deadline and thread.is_alive():
            raise TimeoutError
    if failure:
        raise failure[0]
    return result[0]


def any_left() -> bool:
    """Whether a call that nobody waits for any more is still under way."""
    return any(thread.name == _NAME for thread in threading.enumerate())
