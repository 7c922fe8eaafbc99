"""Runs of `tiny_run` on several simulated devices, in processes of their own."""

import json
import os
import pathlib
import runpy
import signal
import socket
import subprocess
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 300  # until a process counts as hung
HERE = "HERE"
# Compiling takes most of such a run. Without LLVM's optimizations it takes half of the time; losses
# differ by 2e-6 from those of a run compiled with them.
COMPILE_FAST = "--xla_backend_optimization_level=0"


def start(
    folder: pathlib.Path, workdir: pathlib.Path, *, devices: int = 1, environment=None, **settings
) -> subprocess.Popen:
    """Starts `experiments.main`.

    Args:
      folder: with `data` and `cache`, as the fixture `training` gives it.
      workdir: of the run.
      devices: simulated ones of the process.
      environment: `SIGNAL_AT` or `HANG_AT`, see `child`.
      **settings: of the configuration, by flattened keys.
    """
    settings = {
        "dataset.data_dir": folder / "data", "num_buckets": 1, "quiet": True, "cpu_devices": 0,
        **settings,
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, __file__, "--workdir", str(workdir),
         "--config", str(ROOT / "experiments" / "configs" / "tiny.py"),
         *(f"--config.{key}={value}" for key, value in settings.items())],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "IM2LATEX_CACHE": str(folder / "cache"),
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} {COMPILE_FAST}",
            **(environment or {}),
        },
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def start_pair(folder, workdir, *, environments=({}, {}), **settings) -> list[subprocess.Popen]:
    """Starts two processes that train as one."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    distributed: dict[str, Any] = {
        "distributed.enabled": True, "distributed.coordinator": coordinator,
        "distributed.num_processes": 2,
    }  # fmt: skip
    return [
        start(
            folder, workdir, environment=environment, **settings,
            **distributed, **{"distributed.process_id": number},
        )
        for number, environment in enumerate(environments)
    ]  # fmt: skip


def finish(*processes: subprocess.Popen) -> list[tuple[int, str, str]]:
    """Exit status, standard output and error of processes, when all have ended."""
    deadline = time.monotonic() + SECONDS
    try:
        ended = []
        for process in processes:
            out, err = process.communicate(timeout=max(1.0, deadline - time.monotonic()))
            ended.append((process.returncode, out, err))
        return ended
    finally:
        for process in processes:
            process.kill()


def kill_where_they_hang(*processes: subprocess.Popen) -> None:
    """Kills processes with SIGKILL when each has said that it hangs."""
    try:
        for process in processes:
            assert process.stdout is not None and process.stderr is not None
            assert any(HERE in line for line in process.stdout), process.stderr.read()
    finally:
        for process in processes:
            process.send_signal(signal.SIGKILL)
    for process in processes:
        process.communicate(timeout=SECONDS)


def losses(workdir: pathlib.Path) -> list[float]:
    """The loss of every step of a run."""
    lines = (workdir / "exact.jsonl").read_text().splitlines()
    return [float.fromhex(loss) for line in lines for loss in json.loads(line)["losses"]]


def child() -> None:
    """`experiments.main`, splitting also small parameters.

    Before step `SIGNAL_AT` the process gets SIGTERM; before step `HANG_AT` it says so and hangs.
    """
    import jax

    from im2latex_jax.runtime import compilation, sharding
    from im2latex_jax.training.loop import TrainLoop

    sharding.MIN_SPLIT_SIZE = 256
    enable_cache, take_step = compilation.enable_cache, TrainLoop._take_step

    def keep_all_programs():
        enable_cache()
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)

    def acting(self, batch):
        if self.step + 1 == int(os.environ.get("SIGNAL_AT", 0)):
            os.kill(os.getpid(), signal.SIGTERM)
        if self.step + 1 == int(os.environ.get("HANG_AT", 0)):
            self._checkpoints.wait()
            print(HERE, flush=True)
            time.sleep(SECONDS)
        take_step(self, batch)

    compilation.enable_cache = keep_all_programs
    setattr(TrainLoop, "_take_step", acting)  # noqa: B010 (mypy)
    runpy.run_module("experiments.main", run_name="__main__")


if __name__ == "__main__":
    child()
