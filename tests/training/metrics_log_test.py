"""The record of a run, also of one that was cut off."""

import resource
import shutil

import numpy as np
import pytest

from im2latex_jax.training import metrics_log, tensorboard


def write(workdir, first_step, steps):
    with metrics_log.Logs(workdir, first_step=first_step, num_steps=10, quiet=True) as log:
        for step in steps:
            log.write(step, "train", {"loss": 1.0 / step})


def test_a_resumed_record_has_every_step_once(tmp_path):
    write(tmp_path, 0, [2, 4, 6])
    write(tmp_path, 4, [6, 8])
    lines = metrics_log.read(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert lines[0] == {"step": 2, "kind": "train", "loss": 0.5}


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    write(tmp_path, 0, [2, 4])
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text()[:-10])
    assert [line["step"] for line in metrics_log.read(path)] == [2]
    write(tmp_path, 4, [6])
    assert [line["step"] for line in metrics_log.read(path)] == [2, 6]


def test_a_missing_record_is_empty(tmp_path):
    assert metrics_log.read(tmp_path / "metrics.jsonl") == []


def test_figures_are_printed_where_there_is_no_terminal(tmp_path, capsys):
    write(tmp_path, 0, [4])
    assert "step 4/10  train: loss 0.25" in capsys.readouterr().err


def test_a_validation_that_comes_again_is_dropped(tmp_path):
    with metrics_log.Logs(tmp_path, first_step=0, num_steps=10, quiet=True) as log:
        log.write(4, "train", {"loss": 1.0})
        log.write(4, "validation", {"loss": 2.0})
    for evaluated, kinds in ((True, ["train", "validation"]), (False, ["train"])):
        with metrics_log.Logs(
            tmp_path, first_step=4, num_steps=10, quiet=True, evaluated=evaluated
        ):
            pass
        assert [x["kind"] for x in metrics_log.read(tmp_path / "metrics.jsonl")] == kinds


def board(workdir):
    """Step and tag of each event, in TensorBoard's order."""
    found = tensorboard.read(workdir / "tensorboard")
    return [(event.step, value.tag) for event in found for value in event.summary.value]


def test_tensorboard_has_no_events_after_the_step_that_was_resumed_from(tmp_path):
    write(tmp_path, 0, [2, 4, 6, 8])
    with metrics_log.Logs(tmp_path, first_step=4, num_steps=10, quiet=True) as log:
        log.write(4, "validation", {"loss": 2.0, "bleu": 1.0})
        log.write(6, "train", {"loss": 3.0})
    expected = [(2, "train/loss"), (4, "train/loss")]
    validated = [(4, "validation/loss"), (4, "validation/bleu")]
    assert board(tmp_path) == [*expected, *validated, (6, "train/loss")]
    with metrics_log.Logs(tmp_path, first_step=4, num_steps=10, quiet=True, evaluated=False):
        pass
    assert board(tmp_path) == expected


def test_tensorboard_s_events_are_kept_up_to_where_a_file_was_cut_off_and_each_once(tmp_path):
    write(tmp_path, 0, [2, 4, 6])
    (path,) = (tmp_path / "tensorboard").iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-5])
    shutil.copy(path, path.with_name(f"{path.name}.again"))  # killed before it was removed
    (tmp_path / "tensorboard" / "another").touch()
    write(tmp_path, 6, [8])
    assert board(tmp_path) == [(2, "train/loss"), (4, "train/loss"), (8, "train/loss")]
    assert (tmp_path / "tensorboard" / "another").exists()


def test_exact_figures_come_back_to_the_last_bit(tmp_path):
    losses = [np.float32(1) / np.float32(3), np.nextafter(np.float32(1), np.float32(2))]
    with metrics_log.Logs(tmp_path, first_step=0, num_steps=10, quiet=True) as log:
        line = log.write_exact(2, losses, "abc")
    assert metrics_log.read(tmp_path / "exact.jsonl") == [line]
    assert [np.float32(float.fromhex(x)) for x in line["losses"]] == losses
    assert (line["step"], line["parameters"]) == (2, "abc")


def test_a_full_disk_raises_and_nothing_waits_for_it(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with metrics_log.Logs(tmp_path, first_step=0, num_steps=10, quiet=True) as log:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                for step in range(1, 100):
                    log.write(step, "train", {"loss": 1.0})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    steps = [line["step"] for line in metrics_log.read(tmp_path / "metrics.jsonl")]
    assert steps == list(range(1, len(steps) + 1))
    assert 0 < len(steps) < 99
