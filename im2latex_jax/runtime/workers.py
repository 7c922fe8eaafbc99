"""A map over worker processes whose results come in order, with a bounded number in flight."""

import collections
import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

from im2latex_jax.errors import Im2latexError

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class WorkerKilledError(Im2latexError):
    """A worker process ended without an answer."""


def available_cpus() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def ordered_map(
    function: Callable[[_In], _Out],
    items: Iterable[_In],
    num_workers: int,
    initializer: Callable[[], None] | None = None,
) -> Generator[_Out, None, None]:
    """Yields `function(item)` for each item, in the order of the items.

    The items may be endless: only a few more than there are workers are taken ahead. Workers are
    spawned, not forked, because JAX's threads do not survive a fork; a script that calls this
    needs the usual `if __name__ == "__main__":`.

    Args:
      function: a function of a module (it is sent to the workers by name).
      items: what to apply it to; picklable.
      num_workers: processes; 0 computes in this process.
      initializer: called once in each worker (never in this process).

    Raises:
      WorkerKilledError: a worker was killed, by the system for want of memory or by hand.
    """
    if num_workers == 0:
        yield from map(function, items)
        return
    executor = concurrent.futures.ProcessPoolExecutor(
        num_workers, multiprocessing.get_context("spawn"), _start_worker, (initializer,)
    )
    try:
        pending: collections.deque[concurrent.futures.Future[_Out]] = collections.deque()
        for item in items:
            with _ctrl_c_waits():
                pending.append(executor.submit(function, item))
            if len(pending) > 2 * num_workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except concurrent.futures.process.BrokenProcessPool:
        raise WorkerKilledError(
            "a worker process was killed, perhaps for want of memory: "
            "run again, with fewer workers if it happens again"
        ) from None
    finally:
        executor.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Within, Ctrl-C is held back; processes that are started here do not hear it at all."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Has this process end when the process that spawned it is gone; to be called by workers.

    A worker whose parent was killed would wait without end for work, or for its results to be read.
    Ctrl-C, which a terminal sends to all processes, is left to the parent too.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait_for_it() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_for_it, daemon=True).start()


def _start_worker(initializer: Callable[[], None] | None) -> None:
    """What a worker does first."""
    end_with_parent()
    if initializer is not None:
        initializer()
