"""The training run of the tests: a configuration of seconds."""

import pathlib

import jax
import numpy as np
from ml_collections import ConfigDict

from experiments.configs import tiny
from im2latex_jax.training.checkpoints import Checkpoints
from im2latex_jax.training.experiment import set_up


def config(data_dir: pathlib.Path, **changes) -> ConfigDict:
    """12 steps with an evaluation after 6, one shape of batches; changed by flattened keys."""
    settings = tiny.get_config()
    settings.dataset.data_dir = str(data_dir)
    settings.quiet = True
    settings.num_buckets = 1
    with settings.unlocked():
        settings.update_from_flattened_dict(changes)
    return settings


def weights(workdir: pathlib.Path) -> bytes:
    """The bytes of the exported weights."""
    return (workdir / "model" / "weights.safetensors").read_bytes()


def final_state(workdir: pathlib.Path, settings: ConfigDict):
    """Every array of the newest checkpoint, and the progress beside it."""
    experiment = set_up(settings)
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        state, progress = checkpoints.restore(experiment.initial_state(), checkpoints.latest or 0)
    return jax.tree.map(np.asarray, jax.tree.leaves(state)), progress
