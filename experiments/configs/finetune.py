"""Fine-tuning the packaged model on your own pictures and formulas.

Name the file, with `image path<TAB>formula` a line: --config.dataset.options.file=PAIRS.tsv
"""

from ml_collections import ConfigDict

from experiments.configs import default


def get_config() -> ConfigDict:
    config = default.get_config()
    config.init_from = "packaged"
    config.dataset.name = "pairs"
    config.dataset.options = ConfigDict()
    config.dataset.options.file = ""
    config.dataset.options.validation_share = 0.1  # of the different formulas
    config.dataset.options.test_share = 0.1
    config.dataset.options.seed = 0  # of the splits
    config.dataset.on_leak = "skip"  # short formulas are everywhere

    config.limits.max_height = 168
    config.limits.max_width = 808
    config.limits.max_length = 201

    config.num_buckets = 2
    config.batch_size = 16
    config.num_epochs = 40
    config.curriculum_lengths = ()
    config.augmentation.probability = 0.3
    config.model.dropout = 0.1

    config.optimizer.learning_rate = 5e-4
    config.optimizer.warmup_steps = 20

    config.log_every = 10
    config.eval_every = 100
    config.checkpoint_every = 100
    return config
