"""The released model's last stage: two epochs on im2latex-100k's own lines, for their spelling.

`python -m experiments.main --workdir runs/last --config experiments/configs/released_last.py
--config.init_from=runs/second`. arXiv's authors write `\\mathcal`, im2latex-100k `{\\cal`: the
same picture, and what a reader of im2latex-100k's pages is compared with is the second. The splits
have the seed and shares of the stages before: what is held out here was held out there.
"""

from ml_collections import ConfigDict

from experiments.configs import released


def get_config() -> ConfigDict:
    config = released.get_config()
    config.seed = 2
    config.dataset.options.kinds = ("official",)
    config.curriculum_lengths = ()
    config.num_epochs = 2
    config.max_steps = 0
    config.num_buckets = 8
    config.optimizer.learning_rate = 5e-4
    config.optimizer.warmup_steps = 20
    config.optimizer.ema_decay = 0.99
    config.log_every = 20
    config.eval_every = 1_000
    config.checkpoint_every = 100
    return config
