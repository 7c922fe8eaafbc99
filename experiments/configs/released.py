"""The released model: arXiv and im2latex-100k formulas, drawn by TeX, a third in other looks.

`python -m experiments.tools.release_formulas --data FOLDER --out formulas` writes the lists.
Sized for two CPU cores and some hours; on a GPU take `im2latex_100k.py`'s model and batch size.
"""

from ml_collections import ConfigDict

from experiments.configs import corpus


def get_config() -> ConfigDict:
    config = corpus.get_config()
    options = config.dataset.options
    options.files = ("formulas/formulas.tsv",)
    options.kinds = ("display", "inline", "official")
    options.exclude = ("formulas/held_out.txt",)
    options.validation_share = 0.004
    options.test_share = 0.004
    options.random_styles = 0.3

    config.limits.max_height = 112
    config.limits.max_width = 520
    config.limits.max_length = 132

    config.num_buckets = 16
    config.batch_size = 32
    config.num_epochs = 10
    config.max_steps = 13_800
    config.curriculum_lengths = (8, 8, 8, 8, 12, 12, 16, 16, 32)
    config.augmentation.probability = 0.3

    config.model.features = (48, 160)
    config.model.blocks = (1, 3)
    config.model.embedding = 96
    config.model.hidden = 320
    config.model.attention = 128
    config.model.dropout = 0.0

    config.optimizer.learning_rate = 1.5e-3
    config.optimizer.ema_decay = 0.999

    config.eval_every = 2_500
    config.eval_examples = 400
    config.checkpoint_every = 500
    return config
