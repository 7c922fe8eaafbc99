"""Several processes, on one host or many, that train as one: how they start, agree and stop.

All of them run the same program on their own rows of each batch, and must take the same decisions
at the same step: a process that raised an error or stopped alone would leave the others waiting for
its part of the next sum. The first one writes what is written once.
"""

import itertools
from collections.abc import Callable, Collection
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from ml_collections import ConfigDict

from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime.threads import in_thread

_ERROR_BYTES = 1000
_FOREVER_MS = 7 * 24 * 3600 * 1000
_VOTE_EVERY = 4
_barriers = itertools.count()

T = TypeVar("T")


def start(config: ConfigDict) -> None:
    """Joins the processes of a run, with `jax.distributed`; before JAX is asked for its devices.

    Args:
      config: `config.distributed`, see `im2latex_jax/config.py`.

    Raises:
      Im2latexError: nothing tells who takes part, what tells it is wrong, or not all have come in
        time.
    """
    if not config.enabled or jax.distributed.is_initialized():
        return
    given = bool(config.coordinator), config.num_processes > 0, config.process_id >= 0
    if any(given) and not all(given):
        raise Im2latexError(
            "config.distributed has some of coordinator, num_processes and process_id: set all "
            "three, or none for what Slurm, Kubernetes or a TPU pod tell"
        )
    if all(given) and config.process_id >= config.num_processes:
        raise Im2latexError(
            f"config.distributed.process_id is {config.process_id} of "
            f"{config.num_processes} processes: they are numbered from 0"
        )
    if all(given) and not config.coordinator.rpartition(":")[2].isdigit():
        raise Im2latexError(
            f"config.distributed.coordinator is {config.coordinator!r}: give the host of process 0 "
            "and a port that is free there, as HOST:PORT"
        )

    def join() -> None:
        jax.distributed.initialize(
            coordinator_address=config.coordinator or None,
            num_processes=config.num_processes if all(given) else None,
            process_id=config.process_id if all(given) else None,
            # With all given, the process keeps all devices that it sees.
            cluster_detection_method="deactivate" if all(given) else None,
            # JAX aborts the program when this has passed.
            initialization_timeout=config.timeout + 60,
        )

    try:
        in_thread(join, timeout=config.timeout)
    except TimeoutError as error:
        who = (
            f"process {config.process_id} of {config.num_processes}" if all(given) else "a process"
        )
        raise Im2latexError(
            f"{who} has waited {config.timeout} s for the others"
            f"{f' at {config.coordinator}' if all(given) else ''}, and not all have come: look "
            "whether each was started, with its own process_id, and reaches the coordinator; "
            "--config.distributed.timeout waits longer"
        ) from error
    except (ValueError, RuntimeError) as error:
        raise Im2latexError(
            f"the processes cannot be joined ({' '.join(str(error).split())[:200]}): set "
            "--config.distributed.coordinator, num_processes and process_id"
        ) from error


def part() -> None:
    """Waits for the others to come here too, and parts from them, so that each may end."""
    if jax.distributed.is_initialized():
        jax.distributed.shutdown()


def is_first() -> bool:
    """Whether this process writes what is written once."""
    return jax.process_index() == 0


def together(action: Callable[[], T]) -> T:
    """Calls `action` and waits until all processes have; returns what it returned here.

    Waits as long as it takes, with an ear for signals.

    Raises:
      Im2latexError: one was raised in this process, or in another.
    """
    if jax.process_count() == 1:
        return action()
    results: list[T] = []
    failure: Im2latexError | None = None
    try:
        results.append(action())
    except Im2latexError as error:
        failure = error
    _wait_for_all()
    text = (str(failure) if failure else "").encode()[:_ERROR_BYTES]
    texts = multihost_utils.process_allgather(
        np.frombuffer(text.ljust(_ERROR_BYTES, b"\0"), np.uint8)
    )
    if failure:
        raise failure
    for number, row in enumerate(texts):
        if row.any():
            text = row.tobytes().rstrip(b"\0")
            raise Im2latexError(f"process {number}: {text.decode(errors='replace')}")
    return results[0]


def by_first(action: Callable[[], T]) -> T | None:
    """`together`, but only the first process calls `action`; the others get None."""
    return together(lambda: action() if is_first() else None)


def first_then_others(action: Callable[[], T]) -> T:
    """`together`, but the others call `action` after the first, to find what it has left."""
    first = by_first(action)
    return together(lambda: action() if first is None else first)


def agree(what: str, digest: bytes) -> None:
    """Collective: checks that a hash of `what` is the same in every process.

    Raises:
      Im2latexError: it is not; in every process.
    """
    if jax.process_count() == 1:
        return
    rows = multihost_utils.process_allgather(np.frombuffer(digest, np.uint8))
    others = np.flatnonzero((rows != rows[0]).any(axis=1))
    if len(others):
        raise Im2latexError(
            f"process {others[0]} has {what} other than process 0: look whether all of "
            "them see the same files in --config.dataset.data_dir and --workdir, and run the same "
            "code"
        )


def union(numbers: Collection[int]) -> set[int]:
    """Collective: the numbers, below 2^31, that any process has; in the memory of those."""
    mine = np.fromiter(numbers, np.int32)
    most = int(np.max(multihost_utils.process_allgather(np.int32(len(mine)))))
    if not most:
        return set()
    padded = np.pad(mine, (0, most - len(mine)), constant_values=-1)
    gathered = np.ravel(multihost_utils.process_allgather(padded))
    return set(gathered.tolist()) - {-1}


def _wait_for_all() -> None:
    from orbax.checkpoint import multihost  # takes a second

    # Not a sum over the devices: some backends wait half a minute for one, and then give up.
    barrier = multihost.get_barrier_sync_fn()
    key = f"im2latex-{next(_barriers)}"
    in_thread(lambda: barrier(key=key, timeout_ms=_FOREVER_MS))


class Vote:
    """Whether any process wants to stop, known to all of them at the same call.

    To be called by all processes alike. A vote is opened every few calls and read a few calls
    later, when the devices have long counted it, so that nobody waits for it.
    """

    def __init__(self) -> None:
        """To be made by all processes alike."""
        mesh = Mesh(jax.devices(), "device")
        self._rows = NamedSharding(mesh, P("device"))
        self._any = jax.jit(jnp.any, out_shardings=NamedSharding(mesh, P()))
        self._calls = 0
        self._open: jax.Array | None = None

    def __call__(self, wanted: bool) -> bool:
        """Takes this process's wish, and says whether any had it a few calls ago."""
        self._calls += 1
        if self._calls % _VOTE_EVERY:
            return False
        passed = self._open is not None and bool(self._open)
        wishes = np.full(jax.local_device_count(), wanted)
        self._open = self._any(jax.make_array_from_process_local_data(self._rows, wishes))
        return passed
