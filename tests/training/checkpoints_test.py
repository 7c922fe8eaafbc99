"""What is kept, what comes back, and what is refused."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from im2latex_jax.errors import Im2latexError
from im2latex_jax.training import fingerprints
from im2latex_jax.training.checkpoints import CheckpointError, Checkpoints, Progress
from im2latex_jax.training.state import TrainState


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
        from_shapes, _ = checkpoints.restore(jax.eval_shape(lambda: state(0)), 7)
    assert same_progress == progress
    jax.tree.map(np.testing.assert_array_equal, restored, state(7))
    jax.tree.map(np.testing.assert_array_equal, from_shapes, state(7))


def test_a_checkpoint_of_another_network_is_refused_in_one_line(tmp_path):
    with (
        Checkpoints(tmp_path) as checkpoints,
    ):
        checkpoints.save(state(1), Progress())
        checkpoints.wait()
        with pytest.raises(Im2latexError, match="cannot restore this checkpoint") as caught:
            checkpoints.restore(state(0, size=4), 1)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_can_be_replaced_by_one_with_figures(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(state(3), Progress(next_batch=3))
        checkpoints.wait()
        assert not checkpoints.evaluated(3)
        checkpoints.save(state(3), Progress(next_batch=3), {"bleu": 7.0})
        checkpoints.wait()
        assert checkpoints.evaluated(3)
        assert checkpoints.best == (3, 7.0)


@pytest.mark.parametrize("committed", [False, True])
def test_a_kill_while_a_checkpoint_is_replaced_leaves_one_of_the_two(tmp_path, committed):
    """As with keep_checkpoints=1, after Ctrl-C in an evaluation."""
    with Checkpoints(tmp_path / "run", keep=1) as checkpoints:
        checkpoints.save(state(3), Progress(next_batch=3))
        checkpoints.wait()
        if committed:
            checkpoints.save(state(3), Progress(next_batch=3), {"bleu": 7.0})
            checkpoints._manager.wait_until_finished()
            assert (tmp_path / "run" / "3").is_dir()
        else:

            def killed(*_, **__):
                raise KeyboardInterrupt

            checkpoints._manager.save = killed
            with pytest.raises(KeyboardInterrupt):
                checkpoints.save(state(3), Progress(next_batch=3), {"bleu": 7.0})
        shutil.copytree(tmp_path / "run", tmp_path / "killed")
    with Checkpoints(tmp_path / "killed", keep=1) as checkpoints:
        restored, progress, _ = checkpoints.restore_newest(state(0))
        assert checkpoints.evaluated(3) == committed
    jax.tree.map(np.testing.assert_array_equal, restored, state(3))
    assert progress.next_batch == 3
    assert [p.name for p in (tmp_path / "killed").iterdir() if p.name[-1] == "3"] == ["3"]


def damages(path):
    """What can happen to a file."""
    content = path.read_bytes()
    changed = bytearray(content)
    middle = len(content) // 2
    changed[middle : middle + 4] = bytes(255 - x for x in changed[middle : middle + 4])
    yield lambda: path.write_bytes(content[:middle])
    yield lambda: path.write_bytes(b"")
    yield lambda: path.write_bytes(changed)
    yield path.unlink


def test_whatever_is_damaged_the_state_is_right_or_that_of_the_checkpoint_before(tmp_path):
    """Every file of a checkpoint is cut, emptied, changed and removed."""
    whole = tmp_path / "whole"
    with Checkpoints(whole) as checkpoints:
        checkpoints.save(state(1, 300), Progress(next_batch=1), {"bleu": 1.0})
        checkpoints.save(state(2, 300), Progress(next_batch=2), {"bleu": 2.0})
    files = [p.relative_to(whole) for p in sorted((whole / "2").rglob("*")) if p.is_file()]
    assert len(files) > 8
    fell_back = 0
    for number, name in enumerate(files):
        for kind in range(4):
            folder = tmp_path / f"{number}-{kind}"
            shutil.copytree(whole, folder)
            list(damages(folder / name))[kind]()
            with Checkpoints(folder) as checkpoints:
                restored, progress, remark = checkpoints.restore_newest(state(0, 300))
            jax.tree.map(np.testing.assert_array_equal, restored, state(progress.next_batch, 300))
            assert progress.next_batch in (1, 2)
            if progress.next_batch == 1:
                fell_back += 1
                assert "checkpoints" in remark or "going on from step 1" in remark
                assert "\n" not in remark
            shutil.rmtree(folder)
    assert fell_back > 8


def test_a_damaged_checkpoint_is_set_aside_and_its_step_can_be_saved_again(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            checkpoints.save(state(step), Progress(next_batch=step))
    (tmp_path / "2" / "progress" / "metadata").write_text("{")
    with Checkpoints(tmp_path) as checkpoints:
        _, progress, remark = checkpoints.restore_newest(state(0))
        assert progress.next_batch == 1
        assert remark.startswith(f"{tmp_path / '2'}: cannot restore this checkpoint")
        assert remark.endswith("going on from step 1")
        assert checkpoints.latest == 1
        checkpoints.save(state(2), Progress(next_batch=2))
        checkpoints.wait()
        assert checkpoints.latest == 2
    assert (tmp_path / "damaged-2").is_dir()


def test_bytes_that_are_not_those_saved_are_noticed(tmp_path, monkeypatch):
    with Checkpoints(tmp_path) as checkpoints:
        with monkeypatch.context() as patch:
            patch.setattr(fingerprints, "of_tree", lambda _: "another")
            checkpoints.save(state(1), Progress())
            checkpoints.wait()
        with pytest.raises(CheckpointError, match="its bytes are not those that were saved"):
            checkpoints.restore(state(0), 1)


def test_where_no_checkpoint_can_be_read_nothing_is_touched(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore_newest(state(0)) is None
        checkpoints.save(state(1), Progress())
        checkpoints.wait()
        with pytest.raises(CheckpointError, match="to start over, or use another --workdir"):
            checkpoints.restore_newest(state(0, size=4))
        assert checkpoints.latest == 1
