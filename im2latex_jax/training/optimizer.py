"""The optimizer of a config: Adam or Muon, with a schedule and gradient clipping."""

import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from im2latex_jax.errors import Im2latexError
from im2latex_jax.training import muon


def schedule(config: ConfigDict, peak: float, num_steps: int) -> optax.Schedule:
    """A rate by step: linear warm-up to `peak`, then constant or a cosine down to `final` of it.

    Raises:
      Im2latexError: if the schedule's name is unknown.
    """
    warmup = min(config.warmup_steps, num_steps // 2)
    rest = num_steps - warmup
    if config.schedule == "constant":
        after = optax.constant_schedule(peak)
    elif config.schedule == "cosine":
        after = optax.cosine_decay_schedule(peak, max(rest, 1), config.final)
    else:
        raise Im2latexError(
            f"config.optimizer.schedule is {config.schedule!r}: use 'constant' or 'cosine'"
        )
    ramp = optax.linear_schedule(0.0, peak, max(warmup, 1))
    return optax.join_schedules([ramp, after], [warmup])


def learning_rate(config: ConfigDict, num_steps: int) -> optax.Schedule:
    """Adam's learning rate by step, which is what is logged."""
    return schedule(config, config.learning_rate, num_steps)


def build(
    config: ConfigDict, num_steps: int, dtype: jnp.dtype = jnp.float32
) -> optax.GradientTransformation:
    """The optimizer of a config's `optimizer` part.

    `adam` is Adam (Kingma and Ba 2015) for every parameter. `muon` updates the kernels by Muon and
    the embedding, the output layer and all vectors by Adam.

    Args:
      config: the part.
      num_steps: of the run.
      dtype: of Muon's products.

    Raises:
      Im2latexError: if a name in it is unknown.
    """
    optimizer = optax.adam(learning_rate(config, num_steps), b1=config.b1, b2=config.b2)
    if config.name == "muon":
        rate = schedule(config, config.muon_learning_rate, num_steps)
        optimizer = muon.with_adam(muon.muon(rate, config.muon_rounds, dtype), optimizer)
    elif config.name != "adam":
        raise Im2latexError(f"config.optimizer.name is {config.name!r}: use 'adam' or 'muon'")
    steps = [optimizer]
    if config.clip_norm:
        steps.insert(0, optax.clip_by_global_norm(config.clip_norm))
    return optax.chain(*steps)
