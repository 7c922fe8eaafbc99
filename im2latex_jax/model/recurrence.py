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

Precision: products take their operands in the dtype of the weights (float32 or bfloat16). States,
gates, scores and softmax are float32; memory and keys are stored in the dtype of the weights.

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
    """What passes from step to step, float32."""

    h: jax.Array  # [B, H]
    c: jax.Array  # [B, M]


def _product(x: jax.Array, weight: jax.Array) -> jax.Array:
    """x @ weight in the dtype of the weight, as float32."""
    return (x.astype(weight.dtype) @ weight).astype(jnp.float32)


def gates(x_Bx3H, h_BxH, c_BxM, weights: Weights):
    """Reset gate, update gate, candidate, and the state's part of the candidate; each [B, H]."""
    g_r, g_z, g_n = jnp.split(x_Bx3H + _product(c_BxM, weights.w_c), 3, axis=-1)
    u = _product(h_BxH, weights.w_h) + weights.b_h.astype(jnp.float32)
    u_r, u_z, u_n = jnp.split(u, 3, axis=-1)
    r = jax.nn.sigmoid(g_r + u_r)
    z = jax.nn.sigmoid(g_z + u_z)
    n = jnp.tanh(g_n + r * u_n)
    return r, z, n, u_n


def _step(weights: Weights, picture: Picture, state: State, x_Bx3H: jax.Array):
    """`step`, and what its derivative needs: the query's exponentials and the gates."""
    r, z, n, u_n = gates(x_Bx3H, state.h, state.c, weights)
    h = (1 - z) * n + z * state.h
    query = attention.exponential(_product(h, weights.w_q))
    a = attention.attention_weights(query, picture.keys, weights.v, picture.mask)
    c = attention.context(a, picture.memory).astype(jnp.float32)
    return State(h, c), a, (query, r, z, n, u_n)


def step(
    weights: Weights, picture: Picture, state: State, x_Bx3H: jax.Array
) -> tuple[State, jax.Array]:
    """One step: the next state, and the attention weights [B, P] it looked with."""
    state, a, _ = _step(weights, picture, state, x_Bx3H)
    return state, a


def unroll_plain(weights: Weights, picture: Picture, state: State, x_TxBx3H: jax.Array):
    """All steps, by automatic differentiation: the reference `unroll` is tested against.

    Returns:
      h [T, B, H], c [T, B, M] and attention weights [T, B, P], float32, of every step.
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
    def body(state, x):
        state, a, saved = _step(weights, picture, state, x)
        return state, (state.h, state.c, a, *saved)

    h, c, *saved = jax.lax.scan(body, state, x_TxBx3H)[1]
    return (h, c), (weights, picture, state, x_TxBx3H.dtype.type(0), h, c, *saved)


def _unroll_backward(residuals, cotangents):
    weights, picture, state, x_zero, h, c, a, query, r, z, n, u_n = residuals
    dtype = weights.w_c.dtype
    h_before = jnp.concatenate([state.h[None], h[:-1]])
    c_before = jnp.concatenate([state.c[None], c[:-1]])
    v = weights.v.astype(jnp.float32)

    def body(carry, inputs):
        dh, dc = carry
        dh_out, dc_out, h_before, a, query, r, z, n, u_n = inputs
        dh, dc = dh + dh_out, dc + dc_out
        # context and softmax
        da = jnp.einsum("bm,bpm->bp", dc.astype(dtype), picture.memory).astype(jnp.float32)
        de = a * (da - jnp.sum(a * da, axis=-1, keepdims=True))
        # e = v . tanh = v . (1 - 2 s), and the derivative of tanh is 4 s (1 - s). A sum of products
        # rather than a matrix product, for which s would have to be written to memory.
        s = attention.complement(query, picture.keys)
        dq = 4 * v * (de[:, :, None] * (s * (1 - s))).sum(axis=1)
        dh = dh + _product(dq, weights.w_q.T)
        # gates
        dn = dh * (1 - z) * (1 - n * n)
        dz = dh * (h_before - n) * z * (1 - z)
        dr = dn * u_n * r * (1 - r)
        dg = jnp.concatenate([dr, dz, dn], axis=-1).astype(dtype)
        du = jnp.concatenate([dr, dz, dn * r], axis=-1).astype(dtype)
        carry = dh * z + _product(du, weights.w_h.T), _product(dg, weights.w_c.T)
        return carry, (dc.astype(dtype), de, dq.astype(dtype), dg, du)

    zeros = jnp.zeros_like(state.h), jnp.zeros_like(state.c)
    (dh_first, dc_first), (dc, de, dq, dg, du) = jax.lax.scan(
        body, zeros, (*cotangents, h_before, a, query, r, z, n, u_n), reverse=True
    )

    def weight_gradient(inputs, outputs):
        return jnp.einsum("tbi,tbo->io", inputs.astype(dtype), outputs)

    dmemory = jnp.einsum("tbp,tbm->bpm", a.astype(dtype), dc)
    dkeys, dv = _score_gradients(picture.keys, query, v, de)
    dweights = Weights(
        w_c=weight_gradient(c_before, dg),
        w_h=weight_gradient(h_before, du),
        b_h=du.astype(jnp.float32).sum((0, 1)).astype(dtype),
        w_q=weight_gradient(h, dq),
        v=dv.astype(dtype),
    )
    dpicture = Picture(dmemory, dkeys.astype(picture.keys.dtype), None)
    return dweights, dpicture, State(dh_first, dc_first), dg.astype(x_zero.dtype)


_CHUNK = 4  # steps whose gradients one pass over the keys gathers


def _score_gradients(keys_BxPxA, query_TxBxA, v_A, de_TxBxP):
    """Gradients of the keys' exponentials [B, P, A] and of v [A] through the scores e, float32."""

    def body(carry, inputs):
        slopes, shares = carry
        slope = share = 0.0
        for query, de in zip(*inputs, strict=True):
            s = attention.complement(query, keys_BxPxA)
            slope += de[:, :, None] * (s * (1 - s))
            share += de[:, :, None] * s
        return (slopes + slope, shares + share.sum(axis=1)), None

    # Steps that fill the last chunk have de = 0, which adds nothing.
    fill = ((0, -len(de_TxBxP) % _CHUNK), (0, 0), (0, 0))
    query, de = (
        jnp.pad(x, fill).reshape(-1, _CHUNK, *x.shape[1:]) for x in (query_TxBxA, de_TxBxP)
    )
    zeros = jnp.zeros(keys_BxPxA.shape), jnp.zeros(query_TxBxA.shape[1:])
    (slopes, shares), _ = jax.lax.scan(body, zeros, (query, de))
    # The exponential's own derivative is twice itself. The sum of de over positions is zero, so the
    # 1 of 1 - 2 s drops.
    return 2 * v_A * slopes / keys_BxPxA.astype(jnp.float32), -2 * shares.sum(axis=0)


unroll.defvjp(_unroll_forward, _unroll_backward)
