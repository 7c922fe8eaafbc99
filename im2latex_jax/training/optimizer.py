"""The optimizer of a config: Adam, with a schedule and gradient clipping."""

import optax
from ml_collections import ConfigDict

from im2latex_jax.errors import Im2latexError


def learning_rate(config: ConfigDict, num_steps: int) -> optax.Schedule:
    """Learning rate by step: linear warm-up, then constant or a cosine down to `final` of it.

    Raises:
      Im2latexError: if the schedule's name is unknown.
    """
    warmup = min(config.warmup_steps, num_steps // 2)
    rest = num_steps - warmup
    if config.schedule == "constant":
        after = optax.constant_schedule(config.learning_rate)
    elif config.schedule == "cosine":
        after = optax.cosine_decay_schedule(config.learning_rate, max(rest, 1), config.final)
    else:
        raise Im2latexError(
            f"config.optimizer.schedule is {config.schedule!r}: use 'constant' or 'cosine'"
        )
    ramp = optax.linear_schedule(0.0, config.learning_rate, max(warmup, 1))
    return optax.join_schedules([ramp, after], [warmup])


def build(config: ConfigDict, num_steps: int) -> optax.GradientTransformation:
    """Adam (Kingma and Ba 2015) of a config's `optimizer` part."""
    steps = [optax.adam(learning_rate(config, num_steps), b1=config.b1, b2=config.b2)]
    if config.clip_norm:
        steps.insert(0, optax.clip_by_global_norm(config.clip_norm))
    return optax.chain(*steps)
