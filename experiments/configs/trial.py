"""Trials of the released model's architecture and settings: its short formulas, a few minutes each.

`python -m experiments.tools.trials --out DIR --config experiments/configs/trial.py`. What pays on
long formulas only (memory, a schedule for hours) does not show here.
"""

from ml_collections import ConfigDict

from experiments.configs import released


def get_config() -> ConfigDict:
    config = released.get_config()
    options = config.dataset.options
    options.max_tokens = 28
    options.max_height = 56
    options.max_width = 240
    options.random_styles = 0.0
    options.validation_share = 0.01
    options.test_share = 0.01

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
