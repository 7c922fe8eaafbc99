"""Trials of the released model's architecture and settings: its short formulas, a few minutes each.

`python -m experiments.tools.trials --out DIR --config experiments/configs/trial.py`, with the data
of `release.py`. What pays on long formulas only (memory, a schedule for hours) does not show here.
"""

from ml_collections import ConfigDict

from experiments.configs import release


def get_config() -> ConfigDict:
    config = release.get_config()
    config.limits.max_height = 64
    config.limits.max_width = 248
    config.limits.max_length = 29

    config.num_buckets = 6
    config.augmentation.probability = 0.0
    config.curriculum_lengths = (8, 12)
    config.max_steps = 1_500

    config.optimizer.warmup_steps = 100
    config.optimizer.ema_decay = 0.99

    config.eval_every = 1_500
    config.eval_examples = 100  # the test split is what counts
    config.checkpoint_every = 1_500
    return config
