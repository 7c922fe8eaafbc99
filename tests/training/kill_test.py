"""A run that is killed again and again ends with the bytes of one left alone.

`kill_twenty_times.py` does more of it.
"""

import pathlib
import subprocess
import sys
import time

import pytest

from im2latex_jax.training import run
from tests.support import kill_twenty_times, tiny_run
from tests.support.kill_twenty_times import Kill

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def test_killed_and_stopped_again_and_again_it_ends_as_one_left_alone(training, finished, tmp_path):
    """Killed while it builds its data and while it saves, then stopped by SIGTERM."""
    workdir = tmp_path / "killed"
    for kill in (Kill("building", 1, 0.5), Kill("saving", 2, 0.02)):
        outcome = kill_twenty_times.start(tmp_path, workdir, 2, kill)
        assert outcome.end == "killed", outcome.output
        if kill.phase == "building":
            assert (outcome.phase, outcome.checkpoint) == ("building", 0)
    settings = tiny_run.config(tmp_path / "data")
    terminate(workdir, tmp_path / "data")
    run.run(settings, workdir)
    assert tiny_run.weights(workdir) == tiny_run.weights(finished[0])
    ended, alone = (tiny_run.final_state(x, settings)[0] for x in (workdir, finished[0]))
    assert [x.tobytes() for x in ended] == [x.tobytes() for x in alone]


def terminate(workdir, data_dir):
    """Runs the command on what `tiny_run` computes, and stops it when it says that it steps."""
    command = [
        *(sys.executable, "-m", "experiments.main", "--config", "experiments/configs/tiny.py"),
        *("--workdir", str(workdir), "--config.num_buckets=1", "--config.quiet"),
        f"--config.dataset.data_dir={data_dir}",
    ]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("resuming at step") or "examples, on" in line:
                break
        sent = time.perf_counter()
        process.terminate()
        said += process.stderr.readlines()
    assert process.returncode == 130, said
    assert time.perf_counter() - sent < 10
    assert said[-1].startswith("stopped") and "the same command goes on from here" in said[-1]
    assert "Traceback" not in "".join(said)
    assert not (workdir / "result.json").exists()


def test_the_moments_of_the_kills_follow_from_the_seed():
    kills = kill_twenty_times.plan_kills(20, seed=0)
    assert len(kills) == 20
    assert {kill.phase for kill in kills} == {"building", "stepping", "saving", "evaluating"}
    assert kills == kill_twenty_times.plan_kills(20, seed=0)
    assert kills != kill_twenty_times.plan_kills(20, seed=1)
