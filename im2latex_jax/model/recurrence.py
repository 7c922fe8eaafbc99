"""The recurrent core of the decoder: a GRU that attends to the picture, scanned over the caption.

One step (Cho et al. 2014 for the gates, in the variant that applies the reset gate after the
product; Bahdanau et al. 2015 for the attention; the context of a step joins the input of the next,
"input feeding", Luong et al. 2015):

    g   = x_t + c_{t-1} W_c            x_t: the token's part of the gates, computed for all steps
    u   = h_{t-1} W_h + b_h
    r   = sigmoid(g_r + u_r),  z = sigmoid(g_z + u_z),  n = tanh(g_n + r * u_n)
    h_t = (1 - z) * n + z * h_{t-1}
    a_t = softmax(v . tanh(h_t W_q + k)),   c_t = a_t . memory         k: the keys

Only what depends on the previous step is in the scan. `unroll` has a derivative of its own: what
automatic differentiation would add up at every step (the gradients of the weights, of the memory
and of the keys, each as large as the thing itself) is gathered after the backward scan, in one
product over all steps. The result is the same; the time is a third.

Shapes in names: B batch, T steps, P positions, H state, A attention units, M memory channels.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from im2latex_jax.model import attention


class Weights(NamedTuple):
    """Parameters of a step."""

    w_c: jax.Array  # [M, 3H] context to gates
    w_h: jax.Array  # [H, 3H] state to gates
    b_h: jax.Array  # [3H]
    w_q: jax.Array  # [H, A] state to query
    v: jax.Array  # [A]


class Picture(NamedTuple):
    """What a step reads of the picture; the same at every step."""

    memory: jax.Array  # [B, P, M]
    keys: jax.Array  # [B, P, A] exponentials of the keys, see `attention`
    mask: jax.Array  # [B, P] bool


class State(NamedTuple):
    """What passes from step to step."""

    h: jax.Array  # [B, H]
    c: jax.Array  # [B, M]


def gates(x_Bx3H, h_BxH, c_BxM, weights: Weights):
    """Reset gate, update gate, candidate, and the state's part of the candidate; each [B, H]."""
    g_r, g_z, g_n = jnp.split(x_Bx3H + c_BxM @ weights.w_c, 3, axis=-1)
    u_r, u_z, u_n = jnp.split(h_BxH @ weights.w_h + weights.b_h, 3, axis=-1)
    r = jax.nn.sigmoid(g_r + u_r)
    z = jax.nn.sigmoid(g_z + u_z)
    n = jnp.tanh(g_n + r * u_n)
    return r, z, n, u_n


def step(
    weights: Weights, picture: Picture, state: State, x_Bx3H: jax.Array
) -> tuple[State, jax.Array]:
    """One step: the next state, and the attention weights [B, P] it looked with."""
    _, z, n, _ = gates(x_Bx3H, state.h, state.c, weights)
    h = (1 - z) * n + z * state.h
    query = attention.exponential(h @ weights.w_q)
    a = attention.attention_weights(query, picture.keys, weights.v, picture.mask)
    return State(h, attention.context(a, picture.memory)), a


def unroll_plain(weights: Weights, picture: Picture, state: State, x_TxBx3H: jax.Array):
    """All steps, by automatic differentiation: the reference `unroll` is tested against.

    Returns:
      h [T, B, H], c [T, B, M] and attention weights [T, B, P], of every step.
    """

    def body(state, x):
        state, a = step(weights, picture, state, x)
        return state, (state.h, state.c, a)

    return jax.lax.scan(body, state, x_TxBx3H)[1]


@jax.custom_vjp
def unroll(weights: Weights, picture: Picture, state: State, x_TxBx3H: jax.Array):
    """`unroll_plain` without the attention weights: h [T, B, H] and c [T, B, M] of every step."""
    h, c, _ = unroll_plain(weights, picture, state, x_TxBx3H)
    return h, c


def _unroll_forward(weights, picture, state, x_TxBx3H):
    h, c, a = unroll_plain(weights, picture, state, x_TxBx3H)
    return (h, c), (weights, picture, state, x_TxBx3H, h, c, a)


def _unroll_backward(residuals, cotangents):
    weights, picture, state, x, h, c, a = residuals
    h_before = jnp.concatenate([state.h[None], h[:-1]])
    c_before = jnp.concatenate([state.c[None], c[:-1]])
    # All but the products with dh and dc is known before the scan: one product for all steps.
    r, z, n, u_n = gates(x, h_before, c_before, weights)
    query = attention.exponential(h @ weights.w_q)

    def body(carry, inputs):
        dh, dc = carry
        dh_out, dc_out, h_before, r, z, n, u_n, query, a = inputs
        dh, dc = dh + dh_out, dc + dc_out
        # context and softmax
        da = jnp.einsum("bm,bpm->bp", dc, picture.memory)
        de = (a * (da - jnp.sum(a * da, axis=-1, keepdims=True))).astype(query.dtype)
        # e = v . tanh = v . (1 - 2 s), and the derivative of tanh is 4 s (1 - s). A sum of products
        # rather than a matrix product, for which s would have to be written to memory.
        s = attention.complement(query, picture.keys)
        dq = 4 * weights.v * (de[:, :, None] * (s * (1 - s))).sum(axis=1)
        dh = dh + dq @ weights.w_q.T
        # gates
        dn = dh * (1 - z) * (1 - n * n)
        dz = dh * (h_before - n) * z * (1 - z)
        dr = dn * u_n * r * (1 - r)
        dg = jnp.concatenate([dr, dz, dn], axis=-1)
        du = jnp.concatenate([dr, dz, dn * r], axis=-1)
        carry = dh * z + du @ weights.w_h.T, dg @ weights.w_c.T
        return carry, (dc, de, dq, dg, du)

    zeros = jnp.zeros_like(state.h), jnp.zeros_like(state.c)
    (dh_first, dc_first), (dc, de, dq, dg, du) = jax.lax.scan(
        body, zeros, (*cotangents, h_before, r, z, n, u_n, query, a), reverse=True
    )
    dmemory = jnp.einsum("tbp,tbm->bpm", a.astype(dc.dtype), dc)
    dkeys, dv = _score_gradients(picture.keys, query, weights.v, de)
    dweights = Weights(
        w_c=jnp.einsum("tbm,tbg->mg", c_before, dg),
        w_h=jnp.einsum("tbh,tbg->hg", h_before, du),
        b_h=du.sum((0, 1)),
        w_q=jnp.einsum("tbh,tba->ha", h, dq),
        v=dv,
    )
    return dweights, Picture(dmemory, dkeys, None), State(dh_first, dc_first), dg


def _score_gradients(keys_BxPxA, query_TxBxA, v_A, de_TxBxP):
    """Gradients of the keys' exponentials [B, P, A] and of v [A] through the scores e."""

    def body(carry, inputs):
        slopes, shares = carry
        query, de = inputs
        s = attention.complement(query, keys_BxPxA)
        slopes = slopes + de[:, :, None] * (s * (1 - s))
        return (slopes, shares + jnp.einsum("bp,bpa->ba", de, s)), None

    zeros = jnp.zeros_like(keys_BxPxA), jnp.zeros_like(query_TxBxA[0])
    (slopes, shares), _ = jax.lax.scan(body, zeros, (query_TxBxA, de_TxBxP))
    # The exponential's own derivative is twice itself. The sum of de over positions is zero, so the
    # 1 of 1 - 2 s drops.
    return 2 * v_A * slopes / keys_BxPxA, -2 * shares.sum(axis=0)


unroll.defvjp(_unroll_forward, _unroll_backward)
