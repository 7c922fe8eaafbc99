"""Recurrent decoder: memory of a picture to the tokens of its formula.

Shapes in names: B batch, T steps, P positions, M memory channels, V vocabulary.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from im2latex_jax.model import attention, layers, recurrence


class Decoder(nn.Module):
    """GRU with additive attention; `__call__` for training, `start` and `step` for decoding.

    Attributes:
      vocabulary_size: V, tokens the output layer chooses from.
      embedding: channels of a token.
      hidden: channels of the GRU's state.
      attention: units of the additive attention.
      memory: M, channels of the memory.
      dropout: rate on the embeddings and on the output features.
      dtype: of the computation; parameters are float32. The softmax is always float32.
    """

    vocabulary_size: int
    embedding: int
    hidden: int
    attention: int
    memory: int
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        dense = nn.initializers.lecun_normal()
        self.embed = nn.Embed(self.vocabulary_size, self.embedding, dtype=self.dtype)
        self.initial_state = layers.Dense(self.hidden, dtype=self.dtype)
        self.keys = layers.Dense(self.attention, dtype=self.dtype)
        self.token_gates = layers.Dense(3 * self.hidden, dtype=self.dtype)
        self.output_features = layers.Dense(self.embedding, dtype=self.dtype)
        self.output_logits = layers.Dense(self.vocabulary_size, dtype=self.dtype)
        self.drop = nn.Dropout(self.dropout)
        self.weights = recurrence.Weights(
            w_c=self.param("context_gates", dense, (self.memory, 3 * self.hidden)),
            w_h=self.param(
                "state_gates", nn.initializers.orthogonal(), (self.hidden, 3 * self.hidden)
            ),
            b_h=self.param("state_bias", nn.initializers.zeros, (3 * self.hidden,)),
            w_q=self.param("query", dense, (self.hidden, self.attention)),
            v=self.param(
                "score", nn.initializers.normal(4 * self.attention**-0.5), (self.attention,)
            ),
        )

    def start(
        self, memory_BxPxM: jax.Array, mask_BxP: jax.Array
    ) -> tuple[recurrence.Picture, recurrence.State]:
        """What the steps read of the pictures, and the first state.

        The first state, the paper's internal state vector, is a layer on the mean of the memory
        over the picture; the first context is zero.
        """
        keys = attention.exponential(self.keys(memory_BxPxM))
        picture = recurrence.Picture(memory_BxPxM, keys, mask_BxP)
        total = memory_BxPxM.sum(axis=1, dtype=jnp.float32)  # memory is zero outside the picture
        summary = total / mask_BxP.sum(axis=1, keepdims=True)
        h = nn.tanh(self.initial_state(summary)).astype(jnp.float32)
        return picture, recurrence.State(h, jnp.zeros_like(summary))

    def step(
        self, picture: recurrence.Picture, state: recurrence.State, tokens_B: jax.Array
    ) -> tuple[recurrence.State, jax.Array, jax.Array]:
        """One step of decoding: (next state, logits [B, V] float32, attention weights [B, P])."""
        embedded = self.embed(tokens_B)
        weights = self._cast(self.weights)
        state, looked = recurrence.step(weights, picture, state, self.token_gates(embedded))
        return state, self._logits(state.h, state.c, embedded), looked

    def __call__(
        self,
        memory_BxPxM: jax.Array,
        mask_BxP: jax.Array,
        tokens_BxT: jax.Array,
        *,
        train: bool = False,
    ) -> jax.Array:
        """Logits [B, T, V], float32, of the token that follows each of `tokens` (teacher forcing).

        `tokens[:, 0]` is <bos>. Everything that does not depend on the previous step is computed
        for all steps at once, outside the scan.
        """
        picture, state = self.start(memory_BxPxM, mask_BxP)
        embedded = self.drop(self.embed(tokens_BxT.T), deterministic=not train)
        weights = self._cast(self.weights)
        h, c = recurrence.unroll(weights, picture, state, self.token_gates(embedded))
        return self._logits(h, c, embedded, train=train).swapaxes(0, 1)

    def _logits(self, h, c, embedded, *, train: bool = False) -> jax.Array:
        inputs = [x.astype(self.dtype) for x in (h, c, embedded)]
        features = nn.tanh(self.output_features(jnp.concatenate(inputs, axis=-1)))
        features = self.drop(features, deterministic=not train)
        return self.output_logits(features).astype(jnp.float32)

    def _cast(self, weights: recurrence.Weights) -> recurrence.Weights:
        return jax.tree.map(lambda w: w.astype(self.dtype), weights)
