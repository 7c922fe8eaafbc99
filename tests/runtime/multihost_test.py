"""What is said of processes that cannot be joined; `distributed_test.py` joins some."""

import numpy as np
import pytest

from experiments.configs import tiny
from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import multihost


@pytest.mark.parametrize(
    ("coordinator", "process_id", "message"),
    [
        ("localhost:1", -1, "set all three, or none"),
        ("localhost:1", 2, "process_id is 2 of 2 processes: they are numbered from 0"),
        ("localhost", 0, "coordinator is 'localhost': .* as HOST:PORT"),
        ("localhost:", 1, "as HOST:PORT"),
    ],
)
def test_a_wrong_description_is_refused_without_waiting(coordinator, process_id, message):
    config = tiny.get_config().distributed
    config.enabled, config.coordinator = True, coordinator
    config.num_processes, config.process_id = 2, process_id
    with pytest.raises(Im2latexError, match=message):
        multihost.start(config)


def test_a_run_of_one_process_joins_nothing():
    multihost.start(tiny.get_config().distributed)
    assert multihost.is_first()
    assert multihost.together(lambda: 3) == multihost.by_first(lambda: 3) == 3


@pytest.mark.parametrize(
    ("numbers", "expected"), [([[], []], set()), ([[3, 7], [7]], {3, 7}), ([[], [0]], {0})]
)
def test_what_any_process_has_is_gathered_in_the_memory_of_it(monkeypatch, numbers, expected):
    def allgather(array):
        """Of two processes; this one is the first."""
        array = np.asarray(array)
        sizes.append(array.size)
        other = np.asarray(numbers[1], np.int32)
        if not array.ndim:
            return np.stack([array, np.int32(len(other))])
        padded = np.pad(other, (0, len(array) - len(other)), constant_values=-1)
        return np.stack([array, padded])

    sizes = []
    monkeypatch.setattr(multihost.multihost_utils, "process_allgather", allgather)
    assert multihost.union(numbers[0]) == expected
    assert sum(sizes) <= 1 + max(map(len, numbers))


def test_processes_that_do_not_agree_are_told_apart(monkeypatch):
    monkeypatch.setattr(multihost.jax, "process_count", lambda: 2)

    def gather(other):
        return lambda array: np.stack([array, np.frombuffer(other, np.uint8)])

    monkeypatch.setattr(multihost.multihost_utils, "process_allgather", gather(b"same"))
    multihost.agree("a vocabulary", b"same")
    monkeypatch.setattr(multihost.multihost_utils, "process_allgather", gather(b"else"))
    with pytest.raises(Im2latexError, match="process 1 has a vocabulary other than process 0"):
        multihost.agree("a vocabulary", b"same")
