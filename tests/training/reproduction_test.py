"""Doing a run again: the same bytes, or the first step that differs."""

import json
import shutil
import subprocess
import sys

import pytest

from im2latex_jax.errors import Im2latexError
from im2latex_jax.training import metrics_log, reproduction
from im2latex_jax.training.reproduction import Record


def copy(finished, folder):
    """The files of a run that are looked at, without its checkpoints."""
    shutil.copytree(finished[0], folder, ignore=shutil.ignore_patterns("checkpoints"))
    return folder


def test_a_run_gives_the_same_bytes_again(training, finished, tmp_path):
    verdict = reproduction.reproduce(finished[0], tmp_path / "again")
    assert verdict.same, verdict.text
    assert verdict.text.startswith("the same bytes: 12 losses")
    assert "the weights of the best model" in verdict.text
    assert not [x for x in verdict.environment if not x.startswith("code")]


def test_other_weights_are_noticed(training, finished, tmp_path):
    run = copy(finished, tmp_path / "run")
    again = copy(finished, tmp_path / "again")
    shutil.copytree(finished[0] / "checkpoints", again / "checkpoints")
    path = run / "model" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    verdict = reproduction.reproduce(run, again)
    assert not verdict.same
    assert "not the weights" in verdict.text


def test_the_first_step_that_differs_is_named_and_ends_it(training, finished, tmp_path):
    run = copy(finished, tmp_path / "run")
    lines = metrics_log.read(run / metrics_log.EXACT)
    assert lines[0]["step"] == 2
    lines[1]["losses"][0] = (float.fromhex(lines[1]["losses"][0]) * (1 + 1e-7)).hex()
    (run / metrics_log.EXACT).write_text("".join(json.dumps(x) + "\n" for x in lines))
    environment = json.loads((run / "environment.json").read_text())
    environment["packages"]["jax"] = "0.0.1"
    (run / "environment.json").write_text(json.dumps(environment))
    verdict = reproduction.reproduce(run, tmp_path / "again")
    assert not verdict.same
    assert verdict.text.startswith("step 3 is the first that differs: its loss was")
    assert any(x.startswith("jax 0.0.1 (now ") for x in verdict.environment)
    assert metrics_log.read(tmp_path / "again" / metrics_log.EXACT)[-1]["step"] == 4


def test_a_run_is_not_compared_with_itself(tmp_path):
    with pytest.raises(Im2latexError, match="is the run itself"):
        reproduction.reproduce(tmp_path, tmp_path / "x" / "..")


def line(step, losses, parameters="p"):
    return {"step": step, "losses": [x.hex() for x in losses], "parameters": parameters}


def test_records_are_compared_step_by_step_however_they_were_logged():
    one = Record.of_lines([line(2, [3.0, 2.0], "a"), line(4, [1.0, 0.5], "b")])
    other = Record.of_lines([line(1, [3.0], "x"), line(4, [2.0, 1.0, 0.5], "b")])
    assert one.last_step == 4
    assert one.difference(other) is None
    other = Record.of_lines([line(4, [3.0, 2.0, 1.0, 0.5], "c")])
    assert "step 4 is the first that differs: its loss is the same" in one.difference(other)
    other = Record.of_lines([line(4, [3.0, 2.0, 1.5, 0.5], "c")])
    assert "step 3 is the first" in one.difference(other)


def test_a_folder_without_a_run_is_told_in_one_line(tmp_path):
    with pytest.raises(Im2latexError, match=r"holds no run: config\.json is missing"):
        reproduction.reproduce(tmp_path, tmp_path / "again")
    ended = subprocess.run(
        [sys.executable, "-m", "experiments.tools.reproduce", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1


def test_a_saved_configuration_is_the_one_that_was_given(finished, runs_folder):
    from tests.support import tiny_run

    config = reproduction.saved_config(finished[0])
    assert config.to_dict() == tiny_run.config(runs_folder / "data").to_dict()
