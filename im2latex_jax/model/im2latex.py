"""The whole network: a picture of a formula to the logits of its tokens."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from im2latex_jax.model.decoder import Decoder
from im2latex_jax.model.encoder import Encoder


class Im2Latex(nn.Module):
    """Encoder and decoder. `apply` is a pure function of (parameters, pictures, sizes, tokens).

    Attributes:
      encoder: pictures to memory.
      decoder: memory and tokens to logits.
    """

    encoder: Encoder
    decoder: Decoder

    def setup(self):
        # a symbol is somewhere in a few of a hundred cells: start from there
        few = nn.initializers.constant(-5.0)
        self.count = nn.Dense(self.decoder.vocabulary_size, bias_init=few, dtype=jnp.float32)

    def __call__(
        self,
        images_BxHxWx1: jax.Array,
        sizes_Bx2: jax.Array,
        tokens_BxT: jax.Array,
        *,
        train: bool = False,
    ) -> tuple[jax.Array, jax.Array]:
        """Logits of the next tokens, and how often each token is expected in the formula.

        The counts are an auxiliary task for training: a density over the grid for each token,
        summed (Li et al. 2022, "When Counting Meets HMER"). It teaches the encoder the symbols
        before the attention has learned where to look. Decoding does not use it.

        Args:
          images_BxHxWx1: uint8 ink (0 paper, 255 ink), H and W multiples of the encoder's stride,
            each picture in the upper left corner.
          sizes_Bx2: int32 height and width of each picture in pixels.
          tokens_BxT: int32.
          train: whether dropout is on (needs the rng "dropout").

        Returns:
          Logits [B, T, V], float32, of the token after each of `tokens`; `tokens[:, 0]` is <bos>.
          Counts [B, V], float32, above 0.
        """
        memory, mask = self.encoder(images_BxHxWx1, sizes_Bx2, train=train)
        counts = (nn.softplus(self.count(memory)) * mask[..., None]).sum(axis=1)
        return self.decoder(memory, mask, tokens_BxT, train=train), counts

    def start(self, images_BxHxWx1: jax.Array, sizes_Bx2: jax.Array):
        """Encodes pictures for decoding: see `Decoder.start`."""
        return self.decoder.start(*self.encoder(images_BxHxWx1, sizes_Bx2))

    def step(self, picture, state, tokens_B: jax.Array):
        """One step of decoding: see `Decoder.step`."""
        return self.decoder.step(picture, state, tokens_B)


def build(config: ConfigDict, vocabulary_size: int) -> Im2Latex:
    """The network of a config's `model` part (see `im2latex_jax/config.py`)."""
    dtype = jnp.dtype(config.dtype)
    encoder = Encoder(
        features=tuple(config.features),
        blocks=tuple(config.blocks),
        strides=tuple(tuple(s) for s in config.strides),
        dropout=config.dropout,
        dtype=dtype,
    )
    decoder = Decoder(
        vocabulary_size=vocabulary_size,
        embedding=config.embedding,
        hidden=config.hidden,
        attention=config.attention,
        memory=encoder.features[-1],
        dropout=config.dropout,
        dtype=dtype,
    )
    return Im2Latex(encoder, decoder)


def initialize(model: Im2Latex, key: jax.Array):
    """Parameters of `model`, a tree of float32 arrays, drawn from `key`."""
    rows, columns = model.encoder.stride
    images = jnp.zeros((1, rows, columns, 1), jnp.uint8)
    sizes = jnp.asarray([[rows, columns]], jnp.int32)
    tokens = jnp.zeros((1, 1), jnp.int32)
    # Compiled: operation by operation it takes longer, and no cache keeps it.
    return jax.jit(model.init)(key, images, sizes, tokens)["params"]
