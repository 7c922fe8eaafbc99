"""Additive attention (Bahdanau, Cho and Bengio 2015, appendix A.1.2).

    e_i = v . tanh(W h + U m_i)        score of memory position i for the decoder state h
    a   = softmax(e)                   over the positions of the picture
    c   = sum_i a_i m_i                the context

W h is the query and U m_i the key: keys do not depend on the step and are computed once a picture.
Queries and keys are handed around as their exponentials, because of

    tanh(q + k) = 1 - 2 s,   s = 1 / (1 + exp(2 q) exp(2 k))

which takes a product and a quotient for each position and unit where the hyperbolic tangent takes a
polynomial; the constant 1 drops out of the softmax.

Shapes in names: B batch, P positions, A attention units, M memory channels.
"""

import jax
import jax.numpy as jnp

# Queries and keys beyond it are cut off: the product of their exponentials must stay a float32, and
# tanh is 1 by then.
LIMIT = 20.0


def exponential(x: jax.Array) -> jax.Array:
    """exp(2 x): what queries and keys are turned into, in their dtype."""
    return jnp.exp(2 * jnp.clip(x.astype(jnp.float32), -LIMIT, LIMIT)).astype(x.dtype)


def complement(query_BxA: jax.Array, keys_BxPxA: jax.Array) -> jax.Array:
    """s [B, P, A] of the module's equation, from the exponentials: (1 - tanh) / 2, float32."""
    product = query_BxA.astype(jnp.float32)[:, None, :] * keys_BxPxA.astype(jnp.float32)
    return 1 / (1 + product)


def attention_weights(
    query_BxA: jax.Array, keys_BxPxA: jax.Array, v_A: jax.Array, mask_BxP: jax.Array
) -> jax.Array:
    """Weights [B, P], float32, zero outside the mask; each row of the mask has a True.

    Query and keys are exponentials.
    """
    scores = -2 * (complement(query_BxA, keys_BxPxA) @ v_A.astype(jnp.float32))
    scores = jnp.where(mask_BxP, scores, -jnp.inf)
    return jax.nn.softmax(scores, axis=-1)


def context(weights_BxP: jax.Array, memory_BxPxM: jax.Array) -> jax.Array:
    """The weighted mean [B, M] of the memory, in the memory's dtype."""
    return jnp.einsum("bp,bpm->bm", weights_BxP.astype(memory_BxPxM.dtype), memory_BxPxM)
