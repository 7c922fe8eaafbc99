"""The released model's second stage: the whole data once more, from the first stage's weights.

`python -m experiments.main --workdir runs/second --config experiments/configs/released_second.py
--config.init_from=runs/first`. No curriculum: the network has found its attention.
"""

from ml_collections import ConfigDict

from experiments.configs import released


def get_config() -> ConfigDict:
    config = released.get_config()
    config.seed = 1
    config.curriculum_lengths = ()
    config.num_epochs = 1
    config.max_steps = 6_600
    config.optimizer.learning_rate = 8e-4
    config.optimizer.warmup_steps = 100
    config.eval_every = 2_200
    return config
