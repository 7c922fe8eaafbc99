"""A few hundred pictures of im2latex-100k, learned by heart: shows that real input gets through.

Name the folder of the pictures: --config.dataset.options.source=DIR.
"""

from ml_collections import ConfigDict

from experiments.configs import paper


def get_config() -> ConfigDict:
    config = paper.get_config()
    config.dataset.min_token_count = 1
    config.num_buckets = 4
    config.batch_size = 16
    config.num_epochs = 120

    config.model.features = (32, 96)
    config.model.blocks = (0, 1)
    config.model.hidden = 256
    config.model.attention = 64

    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 50
    config.optimizer.final = 0.05
    config.optimizer.clip_norm = 1.0

    config.log_every = 50
    config.eval_every = 1_000_000  # at the end only: the best on other pictures is not the aim
    config.eval_examples = 50
    config.eval_train_examples = 300
    return config
