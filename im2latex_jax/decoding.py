"""Writing the formula of a picture: greedy search, jitted, in fixed shapes."""

import jax
import jax.numpy as jnp

from im2latex_jax.latex.vocabulary import BOS, EOS, PAD, UNK
from im2latex_jax.model.im2latex import Im2Latex


def greedy(
    model: Im2Latex,
    params,
    images: jax.Array,
    sizes: jax.Array,
    max_length: int,
    *,
    budgets: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """The most probable token at every step, until every row has ended.

    Args:
      model: the network.
      params: its parameters.
      images: [B, H, W, 1] uint8 ink.
      sizes: [B, 2] int32 pixels.
      max_length: steps at the most.
      budgets: [B] int32, steps of each row at the most (0: the row is a filler); by default
        `max_length`.

    Returns:
      Tokens [B, max_length] int32, <eos> and then <pad> after the last one of a row that ended; and
      their log-probabilities [B, max_length] float32, 0 at <pad>.
    """
    variables = {"params": params}
    picture, state = model.apply(variables, images, sizes, method=Im2Latex.start)
    batch = images.shape[0]
    budgets = jnp.full(batch, max_length) if budgets is None else budgets

    def running(carry):
        step, _, _, ended, _, _ = carry
        return (step < max_length) & ~ended.all()

    def body(carry):
        step, state, last, ended, tokens, log_probs = carry
        state, logits, _ = model.apply(variables, picture, state, last, method=Im2Latex.step)
        log_p = jax.nn.log_softmax(forbid(logits))
        token = jnp.where(ended, PAD, log_p.argmax(axis=-1)).astype(jnp.int32)
        chosen = jnp.where(ended, 0.0, log_p.max(axis=-1))
        tokens = tokens.at[:, step].set(token)
        log_probs = log_probs.at[:, step].set(chosen)
        ended |= (token == EOS) | (step + 1 >= budgets)
        return step + 1, state, token, ended, tokens, log_probs

    carry = (
        0,
        state,
        jnp.full(batch, BOS, jnp.int32),
        budgets <= 0,
        jnp.full((batch, max_length), PAD, jnp.int32),
        jnp.zeros((batch, max_length), jnp.float32),
    )
    *_, tokens, log_probs = jax.lax.while_loop(running, body, carry)
    return tokens, log_probs


def attend(
    model: Im2Latex, params, images: jax.Array, sizes: jax.Array, tokens: jax.Array
) -> jax.Array:
    """Attention weights [B, T, P], float32, with which each of `tokens` [B, T] was written."""
    variables = {"params": params}
    picture, state = model.apply(variables, images, sizes, method=Im2Latex.start)

    def body(carry, token):
        state, last = carry
        state, _, weights = model.apply(variables, picture, state, last, method=Im2Latex.step)
        return (state, token), weights

    first = jnp.full(tokens.shape[0], BOS, jnp.int32)
    return jax.lax.scan(body, (state, first), tokens.T)[1].swapaxes(0, 1)


def forbid(logits: jax.Array) -> jax.Array:
    """Logits [..., V] without the tokens that are never written: <pad>, <bos>, <unk>."""
    return logits.at[..., jnp.asarray([PAD, BOS, UNK])].set(-jnp.inf)
