"""python -m tests.support.kill_twenty_times [--kills 20] [--seed 0]

Kills a run with SIGKILL at random moments: while it builds its data, steps, evaluates and saves.
Each time it is started again with the same command. Prints a table and says whether the parameters
at the end are, byte for byte, those of a run that was left alone.
"""

import argparse
import dataclasses
import os
import pathlib
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time

from tests.support import tiny_run

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHASES = ("stepping", "saving", "evaluating")
MARK = "phase:"
PATIENCE = 300  # seconds without a word before a run counts as hung


@dataclasses.dataclass(frozen=True)
class Kill:
    """When to kill: `delay` seconds after the `count`-th time that a phase begins."""

    phase: str
    count: int
    delay: float


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a start came to: "killed" in a phase, or "finished" (status 0) or "failed"."""

    end: str
    phase: str
    seconds: float
    checkpoint: int
    output: str


def announce(owner: object, name: str, phase: str) -> None:
    """Has a function say on standard output that a phase begins."""
    function = getattr(owner, name)

    def announced(*args, **kwargs):
        print(f"{MARK}{phase}", flush=True)
        return function(*args, **kwargs)

    setattr(owner, name, announced)


def child(workdir: pathlib.Path, data_dir: pathlib.Path, changes: dict) -> None:
    """The run that gets killed."""
    from im2latex_jax import datasets
    from im2latex_jax.runtime import compilation
    from im2latex_jax.training import checkpoints, run, validation
    from im2latex_jax.training import loop as train_loop

    announce(datasets, "load", "building")
    announce(train_loop.TrainLoop, "_take_step", "stepping")
    announce(checkpoints.Checkpoints, "save", "saving")
    announce(validation, "evaluate", "evaluating")
    compilation.enable_cache()
    run.run(tiny_run.config(data_dir, **changes), workdir)


def start(folder: pathlib.Path, workdir: pathlib.Path, num_epochs: int, kill: Kill | None):
    """Starts the run, kills it when that is due, and says what came of it."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", str(workdir), "--folder", str(folder),
         "--epochs", str(num_epochs)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    lines: queue.Queue[str | None] = queue.Queue()

    def listen():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=listen, daemon=True).start()
    output, phase, seen = [], "starting", 0
    while (line := lines.get(timeout=PATIENCE)) is not None:
        if not line.startswith(MARK):
            output.append(line)
            continue
        phase = line.removeprefix(MARK).strip()
        seen += kill is not None and phase == kill.phase
        if kill is not None and seen == kill.count:
            time.sleep(kill.delay)
            process.kill()
            break
    status = process.wait(timeout=PATIENCE)
    # What it said until it was dead. The end comes when no process of the run is left to say more.
    while line is not None and (line := lines.get(timeout=PATIENCE)) is not None:
        if line.startswith(MARK):
            phase = line.removeprefix(MARK).strip()
    end = {0: "finished", -9: "killed"}.get(status, "failed")
    seconds = time.perf_counter() - begun
    return Outcome(end, phase, seconds, newest_checkpoint(workdir), "".join(output))


def newest_checkpoint(workdir: pathlib.Path) -> int:
    """The step of the newest whole checkpoint; 0 where there is none."""
    folder = workdir / "checkpoints"
    steps = [int(p.name) for p in folder.glob("*") if p.name.isdigit()]
    return max(steps, default=0)


def plan_kills(count: int, seed: int) -> list[Kill]:
    """Random moments: a quarter of them while the data is built, the others over the phases."""
    rng = random.Random(seed)
    building = [Kill("building", 1, rng.uniform(0.0, 4.0)) for _ in range(max(1, count // 4))]
    rest = [
        Kill(
            phase := PHASES[number % len(PHASES)],
            rng.randint(1, 12) if phase == "stepping" else rng.randint(1, 2),
            rng.uniform(0.0, 0.3 if phase == "evaluating" else 0.05),
        )
        for number in range(count - len(building))
    ]
    return building + rest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[2].strip())
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=12, help="of the run that is killed")
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.folder / "data", {"num_epochs": arguments.epochs})
        return 0

    with tempfile.TemporaryDirectory(prefix="kill-") as name:
        folder = pathlib.Path(name)
        os.environ.setdefault("IM2LATEX_CACHE", str(folder / "cache"))
        workdir = folder / "killed"
        print("kill  planned                          killed while  after s  checkpoint")
        for number, kill in enumerate(plan_kills(arguments.kills, arguments.seed), 1):
            outcome = start(folder, workdir, arguments.epochs, kill)
            if outcome.end == "failed":
                print(outcome.output)
                return 1
            planned = f"{kill.phase} {kill.count}, +{1000 * kill.delay:.0f} ms"
            happened = outcome.phase if outcome.end == "killed" else "(had finished)"
            print(
                f"{number:4}  {planned:31}  {happened:12}  {outcome.seconds:7.1f}  "
                f"{outcome.checkpoint:10}",
                flush=True,
            )
        outcome = start(folder, workdir, arguments.epochs, None)
        print(f" end  {outcome.end} after {outcome.seconds:.1f} s at step {outcome.checkpoint}")
        alone = folder / "alone"
        other = start(folder, alone, arguments.epochs, None)
        if "failed" in (outcome.end, other.end):
            print(outcome.output, other.output)
            return 1
        settings = tiny_run.config(folder / "data", num_epochs=arguments.epochs)
        killed_state, alone_state = (
            tiny_run.final_state(path, settings)[0] for path in (workdir, alone)
        )
        same = tiny_run.weights(workdir) == tiny_run.weights(alone) and all(
            a.tobytes() == b.tobytes() for a, b in zip(killed_state, alone_state, strict=True)
        )
        print(
            "parameters, optimizer, average and random key at the end, and the exported weights: "
            + ("the same bytes as those of a run left alone" if same else "DIFFERENT")
        )
        return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
