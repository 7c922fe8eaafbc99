"""For tests: a run of seconds, end to end. It learns nothing worth having."""

from ml_collections import ConfigDict

from experiments.configs import default


def get_config() -> ConfigDict:
    config = default.get_config()
    config.dataset.options.num_train = 48
    config.dataset.options.num_short = 0
    config.dataset.options.num_validation = 8
    config.dataset.options.num_test = 8
    config.num_buckets = 2
    config.num_eval_buckets = 1
    config.batch_size = 8
    config.num_epochs = 2
    config.curriculum_lengths = ()
    config.model.features = (8, 16)
    config.model.blocks = (0, 1)
    config.model.embedding = 8
    config.model.hidden = 16
    config.model.attention = 8
    config.model.dtype = "float32"
    config.cpu_devices = 1
    config.optimizer.warmup_steps = 2
    config.optimizer.ema_decay = 0.9
    config.log_every = 2
    config.eval_every = 6
    config.eval_examples = 8
    config.eval_train_examples = 8
    config.eval_batch_size = 8
    config.checkpoint_every = 4
    config.num_samples = 3
    return config
