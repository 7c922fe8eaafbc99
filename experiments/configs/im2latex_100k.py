"""im2latex-100k on one big GPU: bfloat16, large batches, a wide network, warm-up and cosine decay.

Name the folder of the official release: --config.dataset.options.source=DIR.
"""

from ml_collections import ConfigDict

from experiments.configs import paper


def get_config() -> ConfigDict:
    config = paper.get_config()
    config.batch_size = 256
    config.num_epochs = 60
    config.curriculum_lengths = (32, 48, 64)
    config.num_threads = 8

    config.model.features = (96, 256)
    config.model.blocks = (2, 4)
    config.model.embedding = 128
    config.model.hidden = 512
    config.model.attention = 256
    config.model.dropout = 0.2
    config.model.dtype = "bfloat16"

    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 1_000
    config.optimizer.b2 = 0.98
    config.optimizer.clip_norm = 1.0
    config.optimizer.ema_decay = 0.999
    config.label_smoothing = 0.1

    config.eval_every = 1_000
    config.eval_batch_size = 256
    return config
