"""The released model: papers, everyday formulas and im2latex-100k's own, in many looks.

`release.py:first` trains from the beginning, `release.py:second` goes on without short formulas
first, and `release.py:last` ends on more of im2latex-100k's own lines, for their spelling. Each
stage begins with the weights of the one before: `--config.init_from=runs/first`. The data are the
parts of `release_data.py`; all stages share their vocabulary and splits.
"""

from ml_collections import ConfigDict

from experiments.configs import paper

STAGES = ("first", "second", "last")


def get_config(stage: str = "first") -> ConfigDict:
    if stage not in STAGES:
        raise ValueError(f"release: there is no stage {stage!r}: choose {', '.join(STAGES)}")
    config = paper.get_config()
    config.dataset.name = "mixture"
    config.dataset.vocabulary = "formulas/vocabulary.json"
    config.dataset.options = ConfigDict()
    config.dataset.options.folders = ("official", "everyday-0", "papers-0")  # in data_dir
    config.dataset.options.repeats = (3, 1, 1)

    config.limits.max_height = 200
    config.limits.max_width = 640
    config.limits.max_length = 201

    config.num_buckets = 96
    config.num_eval_buckets = 4
    config.batch_size = 64
    config.num_epochs = 20
    config.max_steps = 60_000
    config.curriculum_lengths = (6, 12, 24)
    # Wider than by default: users' images are scaled by an estimate, and read from screens.
    config.augmentation.probability = 0.4
    config.augmentation.scale = 0.12
    config.augmentation.max_growth = 1.12
    config.augmentation.thickness = 0.7
    config.augmentation.low_resolution = 0.4

    config.model.features = (64, 192)
    config.model.blocks = (2, 4)
    config.model.embedding = 128
    config.model.hidden = 448
    config.model.attention = 160
    config.model.dropout = 0.0
    config.model.dtype = "auto"

    config.optimizer.name = "muon"
    config.optimizer.learning_rate = 1.5e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 1_000
    config.optimizer.b2 = 0.98
    config.optimizer.clip_norm = 1.0
    config.optimizer.ema_decay = 0.999

    config.eval_every = 2_500
    config.eval_examples = 400
    config.checkpoint_every = 500
    if stage != "first":
        config.seed = STAGES.index(stage)
        config.curriculum_lengths = ()
        config.optimizer.learning_rate = 8e-4
        config.optimizer.muon_learning_rate = 2e-3
        config.optimizer.warmup_steps = 100
    if stage == "last":
        config.dataset.options.repeats = (12, 1, 1)
        config.num_epochs = 1
        config.optimizer.learning_rate = 3e-4
        config.optimizer.muon_learning_rate = 8e-4
    return config
