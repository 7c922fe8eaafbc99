"""What the values of a configuration must be: told in one line before anything is built."""

from typing import Any

from ml_collections import ConfigDict

from im2latex_jax.errors import Im2latexError

_AT_LEAST = {
    1: (
        *("batch_size", "eval_batch_size", "num_epochs", "num_buckets", "num_eval_buckets"),
        *("log_every", "eval_every", "checkpoint_every", "keep_checkpoints", "eval_examples"),
        *("num_samples", "dataset.min_token_count"),
        *("model.embedding", "model.hidden", "model.attention"),
    ),
    0: (
        *("max_steps", "num_threads", "num_workers", "eval_train_examples", "counting_weight"),
        *("optimizer.learning_rate", "optimizer.warmup_steps", "optimizer.clip_norm"),
    ),
}
# From the first value up to, not including, the second.
_WITHIN = {
    "model.dropout": (0, 1),
    "label_smoothing": (0, 1),
    "optimizer.b1": (0, 1),
    "optimizer.b2": (0, 1),
    "optimizer.ema_decay": (0, 1),
}
_ONE_OF = {
    "model.dtype": ("float32", "bfloat16"),
    "dataset.on_corrupt": ("fail", "skip"),
    "dataset.on_leak": ("fail", "skip"),
    "optimizer.schedule": ("constant", "cosine"),
}
_STAGES = ("model.features", "model.blocks", "model.strides")


def check(config: ConfigDict) -> None:
    """Checks the values that only come to be used late, or far from where they were set.

    Args:
      config: see `experiments/configs/default.py`.

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
