"""A limit on the processor time that one step of a computation takes."""

import contextlib
import threading
from collections.abc import Iterator


class _Expired(BaseException):
    """Not an Exception, which SymPy would catch."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Leaves the block silently when the time is up, where signals allow it.

    What the block was to compute is then not there: set a default before. Limits may be nested.
    Processor time is counted, so that results do not depend on what else the machine does.
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

    before = signal.getsignal(signal.SIGVTALRM)
    left, _ = signal.getitimer(signal.ITIMER_VIRTUAL)
    if left and left <= seconds:  # the block around it ends sooner
        yield
        return
    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    except _Expired as error:
        if error is not expired:
            raise
    finally:
        spent = seconds - signal.getitimer(signal.ITIMER_VIRTUAL)[0]
        signal.setitimer(signal.ITIMER_VIRTUAL, max(left - spent, 0.01) if left else 0)
        signal.signal(signal.SIGVTALRM, before)
