"""The map over worker processes."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from im2latex_jax.runtime import workers

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = """
import signal, sys, time
from im2latex_jax.runtime import workers

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
    try:
        for _ in workers.ordered_map(time.sleep, [0.0] * 4 + [0.2] * 1000, 2):
            print("done", flush=True)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize("num_workers", [0, 2])
def test_results_come_in_order(num_workers):
    assert list(workers.ordered_map(str, range(20), num_workers)) == list(map(str, range(20)))


def test_ctrl_c_in_a_terminal_shows_no_traceback_of_a_worker(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "done\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
