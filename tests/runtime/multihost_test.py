"""What is said of processes that cannot be joined; `distributed_test.py` joins some."""

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
