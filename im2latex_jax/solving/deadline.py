"""A limit on the time that one step of a computation takes."""

import contextlib
import threading
from collections.abc import Iterator


class _Expired(BaseException):
    """Not an Exception, which SymPy would catch."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Leaves the block silently when the time is up, where signals allow it.

    What the block was to compute is then not there: set a default before. Limits may be nested.
    """
    import signal

    if not hasattr(signal, "setitimer") or threading.current_thread() is not (
        threading.main_thread()
    ):
        yield
        return
    expired = _Expired()

    def stop(signum, frame):
        raise expired

    before = signal.getsignal(signal.SIGALRM)
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    if left and left <= seconds:  # the block around it ends sooner
        yield
        return
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Expired as error:
        if error is not expired:
            raise
    finally:
        spent = seconds - signal.getitimer(signal.ITIMER_REAL)[0]
        signal.setitimer(signal.ITIMER_REAL, max(left - spent, 0.01) if left else 0)
        signal.signal(signal.SIGALRM, before)
