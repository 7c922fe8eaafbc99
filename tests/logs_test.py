"""The record of a run, also of one that was cut off."""

from im2latex_jax import logs


def write(workdir, first_step, steps):
    with logs.Logs(workdir, first_step=first_step, num_steps=10, quiet=True) as log:
        for step in steps:
            log.write(step, "train", {"loss": 1.0 / step})


def test_a_resumed_record_has_every_step_once(tmp_path):
    write(tmp_path, 0, [2, 4, 6])
    write(tmp_path, 4, [6, 8])
    lines = logs.read(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert lines[0] == {"step": 2, "kind": "train", "loss": 0.5}


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    write(tmp_path, 0, [2, 4])
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text()[:-10])
    assert [line["step"] for line in logs.read(path)] == [2]
    write(tmp_path, 4, [6])
    assert [line["step"] for line in logs.read(path)] == [2, 6]


def test_a_missing_record_is_empty(tmp_path):
    assert logs.read(tmp_path / "metrics.jsonl") == []


def test_figures_are_printed_where_there_is_no_terminal(tmp_path, capsys):
    write(tmp_path, 0, [4])
    assert "step 4/10  train: loss 0.25" in capsys.readouterr().err
