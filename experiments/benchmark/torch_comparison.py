"""Trains the same network in JAX and in PyTorch, in turn: how fast each is, and the losses.

PyTorch runs in processes of its own, one plain and one at the best that is known of it (see
`torch_process`), with the allocator that the training command starts with.
"""

import itertools
import json
import os
import pathlib
import subprocess
import tempfile
import time
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from experiments.benchmark import timing
from experiments.benchmark import train as benchmark
from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import allocator, workers
from im2latex_jax.training.experiment import Experiment, set_up

BLOCK = 5  # steps of one before it is the next one's turn
KINDS = ("plain", "best")


def compare(config: ConfigDict, splits, steps: int, python: str) -> dict[str, Any]:
    """All train `steps` steps from the same parameters on the same batches, in turn.

    Without dropout, counting loss and averaging, and by Adam: the network in PyTorch has no others.

    Args:
      config: of the run.
      splits: as for `set_up`.
      steps: of each.
      python: interpreter of the environment that has PyTorch.

    Raises:
      Im2latexError: PyTorch does not run there.
    """
    config = ConfigDict(config.to_dict())
    config.model.dropout = 0.0
    config.counting_weight = config.optimizer.ema_decay = 0.0
    config.optimizer.name = "adam"
    experiment = set_up(config, splits)
    batches = list(itertools.islice(benchmark.batches(experiment), steps))
    state = experiment.initial_state()
    ours = _Jax(experiment, state)
    ours.warm_up(batches)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        _write(folder, experiment, state, batches)
        theirs = {kind: _Torch(python, folder, kind) for kind in KINDS}
        try:
            for start in range(0, steps, BLOCK):
                block = range(start, min(start + BLOCK, steps))
                for number in block:
                    ours.step(batches[number])
                for runner in theirs.values():
                    runner.run(block)
        finally:
            for runner in theirs.values():
                runner.end()
    shapes = [benchmark.shape_of(batch) for batch in batches]

    def images_per_second(seconds: list[float]) -> float:
        return config.batch_size / float(timing.typical(seconds, shapes).mean())

    speed = images_per_second(ours.seconds)
    plain, best = (images_per_second(theirs[kind].seconds) for kind in KINDS)
    differences = np.abs(np.subtract(ours.losses, theirs["plain"].losses))
    return {
        "torch": theirs["plain"].version,
        "threads": workers.available_cpus(),
        "steps": steps,
        "dtype": experiment.config.model.dtype,
        "jax_images_per_second": speed,
        "torch_images_per_second": plain,
        "torch_best_images_per_second": best,
        "ratio": speed / plain,
        "best_ratio": speed / best,
        "jax_losses": ours.losses,
        "torch_losses": theirs["plain"].losses,
        "torch_best_losses": theirs["best"].losses,
        "largest_loss_difference": float(differences.max()),
    }


def _write(folder: pathlib.Path, experiment: Experiment, state, batches) -> None:
    """What `torch_process` reads."""
    config = experiment.config
    rate = benchmark.learning_rate(experiment)
    settings = {
        "features": list(experiment.model.encoder.features),
        "blocks": list(experiment.model.encoder.blocks),
        "strides": [list(stride) for stride in experiment.model.encoder.strides],
        "betas": [config.optimizer.b1, config.optimizer.b2],
        "smoothing": config.label_smoothing,
        "clip_norm": config.optimizer.clip_norm,
        "rates": [float(rate(step)) for step in range(len(batches))],
        "threads": workers.available_cpus(),
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    weights = jax.tree_util.tree_leaves_with_path(jax.device_get(state.params))
    arrays = {"/".join(entry.key for entry in path): np.asarray(leaf) for path, leaf in weights}
    np.savez(folder / "weights.npz", **arrays)  # type: ignore[arg-type]
    for number, batch in enumerate(batches):
        np.savez(folder / f"batch-{number}.npz", **batch)


class _Jax:
    def __init__(self, experiment: Experiment, state):
        self.state = state
        self._step = experiment.train_step()
        self._place = experiment.layout.put_batch
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def warm_up(self, batches) -> None:
        """Compiles and runs a step of each shape, on a copy of the state."""
        for batch in {benchmark.shape_of(batch): batch for batch in batches}.values():
            self._step(jax.tree.map(jax.numpy.copy, self.state), self._place(batch))

    def step(self, batch) -> None:
        start = time.perf_counter()
        self.state, metrics = self._step(self.state, self._place(batch))
        self.losses.append(float(metrics["loss"]))
        self.seconds.append(time.perf_counter() - start)


class _Torch:
    def __init__(self, python: str, folder: pathlib.Path, kind: str):
        self._python = python
        script = pathlib.Path(__file__).with_name("torch_process.py")
        environment = {
            **os.environ,
            **(allocator.environment("glibc") or {}),
            "OMP_WAIT_POLICY": "passive",  # no spinning while it is another's turn
        }
        try:
            self._process = subprocess.Popen(
                [python, str(script), str(folder), kind],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        except OSError as error:
            raise Im2latexError(f"--torch-python {python}: {error}") from error
        self.version = self._answer()["torch"]
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def run(self, numbers: range) -> None:
        """Takes the steps on the batches of these numbers."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(list(numbers)) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.losses += answer["losses"]
        self.seconds += answer["seconds"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, said = self._process.communicate()
            reason = said.strip().splitlines()[-1:] or ["no reason given"]
            raise Im2latexError(
                f"--torch needs PyTorch (pip install torch), which does not run in {self._python}: "
                f"{reason[0]}"
            )
        return json.loads(line)

    def end(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
