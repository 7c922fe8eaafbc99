"""Trains the same network in JAX and in PyTorch, side by side: how fast each is, and the losses."""

import itertools
import time
from typing import Any

import jax
import numpy as np
import torch
from ml_collections import ConfigDict

from experiments.benchmark import timing, torch_model
from experiments.benchmark import train as benchmark
from im2latex_jax.runtime import compilation, workers
from im2latex_jax.training.experiment import set_up

BLOCK = 5  # steps of one before it is the other's turn


def compare(config: ConfigDict, splits, steps: int) -> dict[str, Any]:
    """Both train `steps` steps from the same parameters on the same batches, in turn.

    In float32 without dropout, counting loss and averaging, which the network in PyTorch lacks.
    """
    compilation.enable_cache()
    config = ConfigDict(config.to_dict())
    config.model.dtype, config.model.dropout = "float32", 0.0
    config.counting_weight = config.optimizer.ema_decay = 0.0
    experiment = set_up(config, splits)
    torch.set_num_threads(workers.available_cpus())
    batches = list(itertools.islice(benchmark.batches(experiment), steps))
    state = experiment.initial_state()
    network = torch_model.Im2Latex(experiment.model, jax.device_get(state.params))
    ours = _Jax(experiment, state)
    theirs = _Torch(experiment, network)
    for runner in (ours, theirs):
        runner.warm_up(batches)
    for start in range(0, steps, BLOCK):
        for runner in (ours, theirs):
            for batch in batches[start : start + BLOCK]:
                runner.step(batch)
    shapes = [benchmark.shape_of(batch) for batch in batches]
    jax_seconds, torch_seconds = (
        float(timing.typical(runner.seconds, shapes).mean()) for runner in (ours, theirs)
    )
    differences = np.abs(np.subtract(ours.losses, theirs.losses))
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "steps": steps,
        "jax_images_per_second": config.batch_size / jax_seconds,
        "torch_images_per_second": config.batch_size / torch_seconds,
        "ratio": torch_seconds / jax_seconds,
        "jax_losses": ours.losses,
        "torch_losses": theirs.losses,
        "largest_loss_difference": float(differences.max()),
    }


class _Jax:
    def __init__(self, experiment, state):
        self.state = state
        self.run = experiment.train_step()
        self.place = experiment.layout.put_batch
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def warm_up(self, batches) -> None:
        """Compiles and runs a step of each shape, on a copy of the state."""
        for batch in {benchmark.shape_of(batch): batch for batch in batches}.values():
            self.run(jax.tree.map(jax.numpy.copy, self.state), self.place(batch))

    def step(self, batch) -> None:
        start = time.perf_counter()
        self.state, metrics = self.run(self.state, self.place(batch))
        self.losses.append(float(metrics["loss"]))
        self.seconds.append(time.perf_counter() - start)


class _Torch:
    def __init__(self, experiment, network):
        self.network = network
        settings = experiment.config.optimizer
        self.smoothing = experiment.config.label_smoothing
        self.clip_norm = settings.clip_norm
        self.rate = benchmark.learning_rate(experiment)
        self.optimizer = torch.optim.Adam(
            network.parameters(), lr=0.0, betas=(settings.b1, settings.b2), eps=1e-8
        )
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def warm_up(self, batches) -> None:
        """Runs forward and backward once on each shape."""
        for batch in {benchmark.shape_of(batch): batch for batch in batches}.values():
            self._loss(batch).backward()

    def _loss(self, batch) -> torch.Tensor:
        images, sizes, tokens = (
            torch.from_numpy(batch[name]) for name in ("images", "sizes", "tokens")
        )
        self.optimizer.zero_grad()
        logits = self.network(images, sizes, tokens[:, :-1])
        return torch_model.loss(logits, tokens[:, 1:], self.smoothing)

    def step(self, batch) -> None:
        rate = float(self.rate(len(self.losses)))
        start = time.perf_counter()
        loss = self._loss(batch)
        loss.backward()
        if self.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.losses.append(loss.item())
        self.seconds.append(time.perf_counter() - start)
