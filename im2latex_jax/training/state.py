"""What training changes, and the jitted step that changes it."""

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from im2latex_jax.latex.vocabulary import PAD
from im2latex_jax.model.im2latex import Im2Latex, initialize
from im2latex_jax.runtime import compilation, sharding
from im2latex_jax.training import init_from


class TrainState(flax.struct.PyTreeNode):
    """Everything a step reads and writes; a checkpoint holds all of it.

    Attributes:
      step: int32, steps done.
      params: the network's parameters.
      opt_state: the optimizer's moments and counts.
      average: exponential moving average of the parameters; empty where it is off.
      key: the run's random key (raw uint32 data); a step's key is folded from it and the step.
    """

    step: jax.Array
    params: Any
    opt_state: Any
    average: Any
    key: jax.Array

    @property
    def best_params(self):
        """The parameters to evaluate and release: the average where there is one."""
        return self.average or self.params


def create(
    model: Im2Latex,
    optimizer: optax.GradientTransformation,
    seed: int,
    *,
    averaging: bool,
    trained: Any = None,
) -> TrainState:
    """The state before the first step, a function of the seed.

    Args:
      model, optimizer: what is trained, how.
      seed: of the first parameters and of the run's random key.
      averaging: whether the parameters' moving average is kept.
      trained: parameters to begin with, see `fine_tuning.grow`.
    """
    key = jax.random.PRNGKey(seed)
    init_key, run_key = jax.random.split(key)
    params = initialize(model, init_key)
    if trained is not None:
        params = init_from.grow(trained, params)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=optimizer.init(params),
        average=jax.tree.map(jnp.copy, params) if averaging else {},
        key=run_key,
    )


def token_loss(logits: jax.Array, targets: jax.Array, smoothing: float = 0.0) -> jax.Array:
    """Sparse categorical cross-entropy of each token, 0 at <pad>: [B, T, V], [B, T] to [B, T].

    With label smoothing (Szegedy et al. 2016) the target has 1 - smoothing, the rest is spread
    over the vocabulary.
    """
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    if smoothing:
        uniform = jax.nn.logsumexp(logits, axis=-1) - logits.mean(axis=-1)
        loss = (1 - smoothing) * loss + smoothing * uniform
    return jnp.where(targets == PAD, 0.0, loss)


def counting_loss(counts: jax.Array, targets: jax.Array) -> jax.Array:
    """Negative log-likelihood of the true counts of the tokens under Poisson rates `counts`.

    [B, V] and [B, T] to the sum over tokens and examples, without the constant log n!. A filler,
    whose targets are all <pad>, counts nothing.
    """
    counts = jnp.where((targets != PAD).any(axis=1, keepdims=True), counts, 0.0)
    batch = jnp.arange(targets.shape[0])[:, None]
    true = jnp.zeros_like(counts).at[batch, targets].add(1.0).at[:, PAD].set(0.0)
    return (counts - true * jnp.log(counts + 1e-6)).sum()


def make_train_step(
    model: Im2Latex,
    optimizer: optax.GradientTransformation,
    *,
    label_smoothing: float = 0.0,
    counting_weight: float = 0.0,
    ema_decay: float = 0.0,
    layout: sharding.Layout = sharding.ONE_DEVICE,
):
    """The jitted step: (state, batch) to (state, {loss, accuracy, gradient_norm}), state donated.

    The loss is the mean over the batch's tokens that are not padding, of the cross-entropy and of
    `counting_weight` times the counting loss; what is logged as "loss" is the cross-entropy. On
    several devices the state keeps its place in `layout`, and the batch is the whole one.
    """

    def loss_fn(params, batch, key):
        inputs, targets = batch["tokens"][:, :-1], batch["tokens"][:, 1:]
        logits, counts = model.apply(
            {"params": params},
            batch["images"],
            batch["sizes"],
            inputs,
            train=True,
            rngs={"dropout": key},
        )
        real = targets != PAD
        num_tokens = jnp.maximum(real.sum(), 1)  # none where every record was damaged
        loss = token_loss(logits, targets, label_smoothing).sum() / num_tokens
        total = loss
        if counting_weight:
            total += counting_weight * counting_loss(counts, targets) / num_tokens
        # the largest logit, ties included: a maximum is cheaper than where it is
        true = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        accuracy = ((true >= logits.max(axis=-1)) & real).sum() / num_tokens
        return total, (loss, accuracy)

    @functools.partial(compilation.jit, donate_argnums=0)
    def train_step(state: TrainState, batch) -> tuple[TrainState, dict[str, jax.Array]]:
        key = jax.random.fold_in(state.key, state.step)
        (_, (loss, accuracy)), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
            layout.whole(state.params), batch, key
        )
        gradients = layout.split(gradients)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        average = state.average
        if ema_decay:
            # a short memory at first, so that the average forgets the random start
            decay = jnp.minimum(ema_decay, (1 + state.step) / (10 + state.step))
            average = optax.incremental_update(params, average, 1 - decay)
        metrics = {
            "loss": loss,
            "accuracy": accuracy,
            "gradient_norm": optax.tree.norm(gradients),
        }
        state = state.replace(
            step=state.step + 1, params=params, opt_state=opt_state, average=average
        )
        return layout.split(state), layout.whole(metrics)

    return train_step
