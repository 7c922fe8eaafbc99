"""A run that is killed again and again ends with the bytes of one left alone.

`kill_twenty_times.py` does more of it.
"""

import pathlib
import subprocess
import sys
import time

import kill_twenty_times
import pytest
import tiny_run
from kill_twenty_times import Kill

from im2latex_jax import train

ROOT = pathlib.Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def test_killed_while_building_saving_and_evaluating_it_ends_as_one_left_alone(
    training, finished, tmp_path
):
    """The last start is in this process; the data of the killed run is its own."""
    workdir = tmp_path / "killed"
    for kill in (Kill("building", 1, 0.5), Kill("saving", 2, 0.02), Kill("evaluating", 1, 0.05)):
        outcome = kill_twenty_times.start(tmp_path, workdir, 2, kill)
        assert outcome.end == "killed", outcome.output
        if kill.phase == "building":
            assert (outcome.phase, outcome.checkpoint) == ("building", 0)
    settings = tiny_run.config(tmp_path / "data")
    train.run(settings, workdir)
    assert tiny_run.weights(workdir) == tiny_run.weights(finished[0])
    ended, alone = (tiny_run.final_state(x, settings)[0] for x in (workdir, finished[0]))
    assert [x.tobytes() for x in ended] == [x.tobytes() for x in alone]


def test_sigterm_saves_and_ends_the_command_within_ten_seconds(training, finished):
    """The command is stopped in its first steps, or while it compiles them."""
    workdir = training / "sigterm"
    command = [
        *(sys.executable, "-m", "experiments.main", "--config", "experiments/configs/tiny.py"),
        *("--workdir", str(workdir), "--config.num_buckets=1", "--config.num_epochs=300"),
        f"--config.dataset.data_dir={training / 'data'}",
    ]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("step 2/") or "examples, on" in line:
                break
        sent = time.perf_counter()
        process.terminate()
        said += process.stderr.readlines()
        process.wait()
        seconds = time.perf_counter() - sent
    assert process.returncode == 130, said
    assert "everything is saved: the same command goes on from here" in said[-1]
    assert "Traceback" not in "".join(said)
    assert seconds < 10
    step = int(said[-1].split()[3])
    assert (workdir / "checkpoints" / str(step)).is_dir()


def test_the_moments_of_the_kills_follow_from_the_seed():
    kills = kill_twenty_times.plan_kills(20, seed=0)
    assert len(kills) == 20
    assert {kill.phase for kill in kills} == {"building", "stepping", "saving", "evaluating"}
    assert kills == kill_twenty_times.plan_kills(20, seed=0)
    assert kills != kill_twenty_times.plan_kills(20, seed=1)
