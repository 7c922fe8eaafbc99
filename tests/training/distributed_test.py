"""Two processes on one machine that train as one: stopped, killed, resumed, and left waiting."""

import json
import re
import shutil

import numpy as np
import pytest

from im2latex_jax.training import run
from tests.support import several, tiny_run

# Two simulated devices each; parameters split over all four, across the processes.
SETTINGS = {"devices": 2, "fsdp": 4}


def newest_checkpoint(workdir):
    return max(int(p.name) for p in (workdir / "checkpoints").iterdir() if p.name.isdigit())


def test_two_processes_stop_and_die_together_and_resume_to_the_same_result(training, finished):
    alone = training / "pair"
    ended = several.finish(*several.start_pair(training, alone, **SETTINGS))
    assert [status for status, _, _ in ended] == [0, 0], ended
    first, second = ended
    result = json.loads((alone / "result.json").read_text())
    # The CPU's backend writes lines of its own to standard output.
    assert json.loads(first[1][first[1].index("{") :]) == result
    assert "{" not in second[1]
    assert "on 4 devices of 2 processes" in first[2]
    assert "step 12/12" in first[2]
    assert "step 12/12" not in second[2]
    np.testing.assert_allclose(
        several.losses(alone), several.losses(finished[0]), rtol=0, atol=1e-5
    )
    assert result["loss"] == pytest.approx(finished[1]["loss"], abs=1e-5)

    disturbed = training / "pair-disturbed"
    ended = several.finish(
        *several.start_pair(training, disturbed, environments=({}, {"SIGNAL_AT": "2"}), **SETTINGS)
    )
    assert [status for status, _, _ in ended] == [130, 130], ended
    # One of them got the signal, before step 2; a few steps later both knew of it.
    (step,), (same_step,) = (re.findall(r"stopped at step (\d+) of 12", err) for *_, err in ended)
    assert step == same_step
    assert 2 <= int(step) <= 10
    assert newest_checkpoint(disturbed) == int(step)
    assert not (disturbed / "result.json").exists()

    hang = {"HANG_AT": "8"}
    several.kill_where_they_hang(
        *several.start_pair(training, disturbed, environments=(hang, hang), **SETTINGS)
    )
    assert newest_checkpoint(disturbed) == int(step)
    fewer = training / "pair-then-one"
    shutil.copytree(disturbed, fewer)

    ended = several.finish(*several.start_pair(training, disturbed, **SETTINGS))
    assert [status for status, _, _ in ended] == [0, 0], ended
    assert f"resuming at step {step} of 12" in ended[0][2]
    assert several.losses(disturbed) == several.losses(alone)
    assert tiny_run.weights(disturbed) == tiny_run.weights(alone)
    assert json.loads((disturbed / "result.json").read_text())["loss"] == result["loss"]

    resumed = run.run(tiny_run.config(training / "data"), fewer)
    assert resumed["step"] == 12
    assert resumed["loss"] == pytest.approx(result["loss"], abs=1e-5)
    starts = json.loads((fewer / "environment.json").read_text())["later_starts"]
    assert starts[-1]["num_processes"] == 1


def test_a_process_that_never_comes_is_told_in_one_line(training):
    process, never = several.start_pair(training, training / "lonely", **{"distributed.timeout": 3})
    never.kill()
    (status, _, err), _ = several.finish(process, never)
    assert status == 1
    line = err.splitlines()[-1]
    assert line.startswith("error: process 0 of 2 has waited 3 s for the others at localhost:")
    assert "--config.distributed.timeout waits longer" in line
    assert "Traceback" not in err
    assert not (training / "lonely").exists()


def test_half_a_description_of_the_processes_is_refused(training):
    ((status, _, err),) = several.finish(
        several.start(
            training, training / "half",
            **{"distributed.enabled": True, "distributed.coordinator": "localhost:1"},
        )
    )  # fmt: skip
    assert status == 1
    assert "set all three, or none" in err.splitlines()[-1]
