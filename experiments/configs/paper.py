"""The paper's settings on im2latex-100k: batch 24, 15 epochs, Adam at a constant rate.

Name the folder of the official release: --config.dataset.options.source=DIR.
"""

from ml_collections import ConfigDict, config_dict

from experiments.configs import default


def get_config() -> ConfigDict:
    config = default.get_config()
    config.dataset.name = "im2latex_100k"
    config.dataset.options = ConfigDict()
    config.dataset.options.source = config_dict.placeholder(str)  # None: download
    config.dataset.min_token_count = 2

    config.limits.max_height = 160
    config.limits.max_width = 800
    config.limits.max_length = 200

    config.num_buckets = 8
    config.num_eval_buckets = 4
    config.batch_size = 24
    config.num_epochs = 15
    config.curriculum_lengths = ()

    config.model.features = (64, 160)
    config.model.blocks = (1, 3)
    config.model.hidden = 512
    config.model.attention = 256
    config.model.dropout = 0.0
    config.model.dtype = "float32"

    config.optimizer.learning_rate = 1e-3
    config.optimizer.schedule = "constant"
    config.optimizer.warmup_steps = 0
    config.optimizer.b2 = 0.999
    config.optimizer.clip_norm = 0.0

    config.log_every = 100
    config.eval_every = 4_000  # about an epoch
    config.eval_examples = 1_000
    config.checkpoint_every = 1_000
    return config
