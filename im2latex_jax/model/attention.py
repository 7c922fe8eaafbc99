"""Additive attention (Bahdanau, Cho and Bengio 2015, appendix A.1.2).

    e_i = v . tanh(W h + U m_i)        score of memory position i for the decoder state h
    a   = softmax(e)                   over the positions of the picture
    c   = sum_i a_i m_i                the context

W h is the query and U m_i the key: keys do not depend on the step and are computed once a picture.
Shapes in names: B batch, P positions, A attention units, M memory channels.
"""

import jax
import jax.numpy as jnp


def attention_weights(
    query_BxA: jax.Array, keys_BxPxA: jax.Array, v_A: jax.Array, mask_BxP: jax.Array
) -> jax.Array:
    """Weights [B, P], float32, zero outside the mask; each row of the mask has a True."""
    scores = jnp.tanh(query_BxA[:, None, :] + keys_BxPxA) @ v_A
    scores = jnp.where(mask_BxP, scores.astype(jnp.float32), -jnp.inf)
    return jax.nn.softmax(scores, axis=-1)


def context(weights_BxP: jax.Array, memory_BxPxM: jax.Array) -> jax.Array:
    """The weighted mean [B, M] of the memory, in the memory's dtype."""
    return jnp.einsum("bp,bpm->bm", weights_BxP.astype(memory_BxPxM.dtype), memory_BxPxM)
