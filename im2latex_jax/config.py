"""The configuration of a run: its default values, and the check of what its values can be."""

from typing import Any

from ml_collections import ConfigDict

from im2latex_jax.errors import Im2latexError


def get_config() -> ConfigDict:
    """Every value can be overridden on the command line: --config.optimizer.learning_rate=1e-3."""
    config = ConfigDict()
    config.seed = 0
    config.deterministic = False  # the same bytes from a GPU too, at some cost in speed

    # A model to begin with, whose network and vocabulary are taken too: a folder, a work directory,
    # or "packaged" for the one that comes with the package. "": random parameters.
    config.init_from = ""

    # The memory allocator that the process is started with: see im2latex_jax.runtime.allocator.
    config.allocator = "glibc"  # or "jemalloc", or "system": as it is

    # All devices share the work; see sharding and multihost in im2latex_jax.runtime.
    config.cpu_devices = 0  # that the processor is split into; 0: one a core, where batches divide
    config.fsdp = 1  # devices that large parameters are split over; 1: each has them all
    config.distributed = ConfigDict()
    config.distributed.enabled = False  # several processes train as one
    config.distributed.coordinator = ""  # host:port of process 0; "": Slurm, a TPU pod ... tell
    config.distributed.num_processes = 0  # goes with coordinator, as does
    config.distributed.process_id = -1  # from 0
    config.distributed.timeout = 300  # seconds to wait for all to come

    config.dataset = ConfigDict()
    config.dataset.name = "synthetic"
    config.dataset.data_dir = ""  # where data sets are kept; "": the user's cache folder
    config.dataset.options = ConfigDict()  # of the builder
    config.dataset.options.seed = 0
    config.dataset.options.num_train = 40_000
    config.dataset.options.num_short = 12_000
    config.dataset.options.num_validation = 1_000
    config.dataset.options.num_test = 1_000
    config.dataset.on_corrupt = "fail"  # a damaged record ends the run; or "skip": it is left out
    # A validation or test formula that the model of init_from was trained on ends the run; or
    # "skip": it is left out.
    config.dataset.on_leak = "fail"
    config.dataset.min_token_count = 1  # rarer tokens of the training captions become <unk>
    # A file of tokens (vocabulary.json) instead of those of the training captions: for runs on
    # parts of a dataset that are to share their tokens. "": none.
    config.dataset.vocabulary = ""

    config.limits = ConfigDict()  # larger examples are left out
    config.limits.max_height = 96  # pixels, margin included
    config.limits.max_width = 512
    config.limits.max_length = 96  # tokens and <eos>

    config.num_buckets = 8  # shapes of batches; each one compiles once
    config.num_eval_buckets = 2
    config.batch_size = 24
    config.num_epochs = 8
    config.max_steps = 0  # the run ends there, within an epoch; 0: after num_epochs
    # Most steps (tokens and <eos>) of a caption in each of the first epochs: short formulas first,
    # which a network needs to learn the symbols and where to look.
    config.curriculum_lengths = (3, 3, 3, 6, 9, 13)
    config.augmentation = ConfigDict()  # of training pictures; see input_pipeline.augmentation
    config.augmentation.probability = 0.0  # that a picture is changed at all
    config.augmentation.rate = 0.35  # that an effect takes part in a changed picture
    config.num_threads = 1  # that load batches ahead
    config.num_workers = 0  # processes that load batches ahead; 0: threads of this one

    config.model = ConfigDict()
    config.model.features = (48, 128)  # channels of the encoder's stages
    config.model.blocks = (1, 2)  # residual blocks of each stage
    config.model.strides = ((4, 4), (2, 2))  # (rows, columns) each stage reduces by
    config.model.embedding = 64
    config.model.hidden = 256  # the GRU's state
    config.model.attention = 128
    config.model.dropout = 0.0
    # Of products and convolutions: float32, bfloat16, or auto: bfloat16 where it is faster.
    config.model.dtype = "auto"

    config.optimizer = ConfigDict()
    config.optimizer.name = "adam"  # or muon: see im2latex_jax.training.muon
    config.optimizer.learning_rate = 2.5e-3  # of Adam
    config.optimizer.muon_learning_rate = 4e-3
    config.optimizer.muon_rounds = 4  # of the Newton-Schulz iteration
    config.optimizer.schedule = "cosine"  # or constant
    config.optimizer.warmup_steps = 100
    config.optimizer.final = 0.02  # the cosine's end, as a share of learning_rate
    config.optimizer.b1 = 0.9
    config.optimizer.b2 = 0.98
    config.optimizer.clip_norm = 1.0  # 0: no clipping
    config.optimizer.ema_decay = 0.0  # of the parameters' moving average; 0: none
    config.label_smoothing = 0.0
    config.counting_weight = 0.0  # of the auxiliary loss that counts the symbols; 0: off

    config.log_every = 100  # steps
    config.eval_every = 1_500
    config.eval_examples = 200  # of the validation split
    config.eval_train_examples = 0  # of the training split, evaluated at the end; 0: none
    config.eval_batch_size = 64
    config.checkpoint_every = 750
    config.keep_checkpoints = 2  # the newest ones; the best is kept beside them
    config.num_samples = 12  # pictures in samples.png
    config.quiet = False  # no progress bar, even on a terminal
    return config


_AT_LEAST = {
    1: (
        *("batch_size", "eval_batch_size", "num_epochs", "num_buckets", "num_eval_buckets"),
        *("log_every", "eval_every", "checkpoint_every", "keep_checkpoints", "eval_examples"),
        *("num_samples", "dataset.min_token_count"),
        *("optimizer.muon_rounds", "model.embedding", "model.hidden", "model.attention"),
    ),
    0: (
        *("cpu_devices", "optimizer.muon_learning_rate"),
        *("max_steps", "num_threads", "num_workers", "eval_train_examples", "counting_weight"),
        *("optimizer.learning_rate", "optimizer.warmup_steps", "optimizer.clip_norm"),
    ),
}
# From the first value up to, not including, the second.
_WITHIN = {
    "seed": (0, 2**32),
    "model.dropout": (0, 1),
    "label_smoothing": (0, 1),
    "optimizer.b1": (0, 1),
    "optimizer.b2": (0, 1),
    "optimizer.ema_decay": (0, 1),
}
_ONE_OF = {
    "allocator": ("system", "glibc", "jemalloc"),
    "model.dtype": ("auto", "float32", "bfloat16"),
    "optimizer.name": ("adam", "muon"),
    "dataset.on_corrupt": ("fail", "skip"),
    "dataset.on_leak": ("fail", "skip"),
    "optimizer.schedule": ("constant", "cosine"),
}
_STAGES = ("model.features", "model.blocks", "model.strides")


def check(config: ConfigDict) -> None:
    """Checks the values that only come to be used late, or far from where they were set.

    Args:
      config: see `get_config`.

    Raises:
      Im2latexError: a value cannot be used; names it, and says what it can be.
    """
    for least, names in _AT_LEAST.items():
        for name in names:
            if _value(config, name) < least:
                raise _error(config, name, f"{least} or more")
    for name, (lowest, end) in _WITHIN.items():
        if not lowest <= _value(config, name) < end:
            raise _error(config, name, f"{lowest} or more, and less than {end}")
    for name, values in _ONE_OF.items():
        if _value(config, name) not in values:
            raise _error(config, name, " or ".join(map(repr, values)))
    if not 0 <= config.augmentation.probability <= 1:
        raise _error(config, "augmentation.probability", "0 to 1")
    counts = {name: len(_value(config, name)) for name in _STAGES}
    if len({*counts.values()}) > 1 or not all(counts.values()):
        raise Im2latexError(
            "config.model has "
            + ", ".join(f"{name.removeprefix('model.')} for {n}" for name, n in counts.items())
            + " stages: give each the same number of values, a value a stage"
        )


def _value(config: ConfigDict, name: str) -> Any:
    for key in name.split("."):
        config = config[key]
    return config


def _error(config: ConfigDict, name: str, wanted: str) -> Im2latexError:
    return Im2latexError(
        f"config.{name} is {_value(config, name)!r}: set --config.{name} to {wanted}"
    )
