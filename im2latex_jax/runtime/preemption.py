"""SIGTERM and Ctrl-C: heard at once where nothing is at stake, at the next safe point elsewhere."""

import contextlib
import signal
from collections.abc import Callable, Iterator


class Interrupted(KeyboardInterrupt):
    """A signal stopped the program; what it had done is saved.

    Like KeyboardInterrupt it is no Exception, so that no library takes it for an error of its own.
    """


class Signals:
    """What came of SIGTERM and Ctrl-C; made by `listening`.

    The first signal raises `Interrupted` wherever the program is, except within `deferred`, where
    it is only noted and `check` raises. A second signal raises KeyboardInterrupt everywhere.
    """

    def __init__(self) -> None:
        self.received = False
        self._deferred = False
        self._vote: Callable[[bool], bool] | None = None

    def share(self, vote: Callable[[bool], bool]) -> None:
        """Has several processes stop at the same `check`.

        Args:
          vote: called at each `check` with whether a signal has come here; says the same to all
            processes, and True some calls after one of them has.
        """
        self._vote = vote

    def note(self, _number: int, _frame: object) -> None:
        """The signals' handler."""
        if self.received:
            raise KeyboardInterrupt
        self.received = True
        if not self._deferred:
            self._stop()

    def check(self) -> None:
        """Raises `Interrupted` if a signal has come; if shared, all processes call it alike."""
        if self.received if self._vote is None else self._vote(self.received):
            self._stop()

    def poll(self) -> None:
        """`check` for moments that differ from process to process: if shared, it does nothing."""
        if self._vote is None:
            self.check()

    def _stop(self) -> None:
        raise Interrupted("stopped; the same command goes on from here")

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Within, signals wait for `check`."""
        self._deferred = True
        try:
            self.check()
            yield
        finally:
            self._deferred = False


@contextlib.contextmanager
def listening() -> Iterator[Signals]:
    """Takes over SIGTERM and SIGINT for the block; in a thread, leaves them to the main one."""
    signals = Signals()
    try:
        before = {s: signal.signal(s, signals.note) for s in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread
        before = {}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
