"""Two runs in one work directory."""

import subprocess
import sys
import time

import pytest

from im2latex_jax.errors import Im2latexError
from im2latex_jax.training import run_lock

HOLDS = """
import pathlib, sys, time
from im2latex_jax.training import run_lock
with run_lock.held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(workdir, seconds: float) -> subprocess.Popen:
    """A process that holds the lock for so long."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(workdir), str(seconds)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    return process


def test_a_second_run_is_refused_until_the_first_is_killed(tmp_path):
    first = holder(tmp_path / "run", 60)
    try:
        with (
            pytest.raises(Im2latexError, match="another run is at work there"),
            run_lock.held(tmp_path / "run", patience=0.3),
        ):
            pass
    finally:
        first.kill()
        first.wait()
    with run_lock.held(tmp_path / "run", patience=0.0):
        pass


def test_one_that_is_just_ending_is_waited_for(tmp_path):
    first = holder(tmp_path, 0.5)
    start = time.monotonic()
    with run_lock.held(tmp_path):
        assert time.monotonic() - start > 0.1
    assert first.wait() == 0


def test_other_folders_are_free(tmp_path):
    with run_lock.held(tmp_path / "a"), run_lock.held(tmp_path / "b", patience=0.0):
        pass
