"""What is kept, what comes back, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from im2latex_jax.checkpoints import Checkpoints, Progress
from im2latex_jax.errors import Im2latexError
from im2latex_jax.train_state import TrainState


def state(step, size=3):
    return TrainState(
        step=jnp.asarray(step, jnp.int32),
        params={"w": jnp.full(size, float(step))},
        opt_state=({"m": jnp.ones(size)},),
        average={},
        key=jax.random.PRNGKey(step),
    )


def test_the_newest_and_the_best_are_kept(tmp_path):
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        for step, bleu in ((1, 10.0), (2, 50.0), (3, None), (4, 20.0), (5, None)):
            figures = None if bleu is None else {"bleu": bleu}
            checkpoints.save(state(step), Progress(next_batch=step), figures)
        checkpoints.wait()
        assert checkpoints.latest == 5
        assert checkpoints.best == (2, 50.0)
    assert {p.name for p in tmp_path.iterdir() if p.name.isdigit()} == {"2", "4", "5"}


def test_everything_comes_back(tmp_path):
    progress = Progress(next_batch=7, train_seconds=1.5, examples=56)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest is None
        assert checkpoints.best is None
        checkpoints.save(state(7), progress)
    with Checkpoints(tmp_path) as checkpoints:
        restored, same_progress = checkpoints.restore(state(0), 7)
    assert same_progress == progress
    jax.tree.map(np.testing.assert_array_equal, restored, state(7))


def test_a_checkpoint_of_another_network_is_refused_in_one_line(tmp_path):
    with (
        Checkpoints(tmp_path) as checkpoints,
    ):
        checkpoints.save(state(1), Progress())
        checkpoints.wait()
        with pytest.raises(Im2latexError, match="cannot restore this checkpoint") as caught:
            checkpoints.restore(state(0, size=4), 1)
    assert "\n" not in str(caught.value)
