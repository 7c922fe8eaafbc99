"""A network of a few thousand random parameters: fast, and it knows nothing."""

import pathlib

import jax
import numpy as np

from experiments.configs import tiny
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.latex.vocabulary import SPECIAL_TOKENS, Vocabulary
from im2latex_jax.model import im2latex, saved_model

TOKENS = (
    *("x", "y", "1", "+", "=", "\\alpha", "\\frac", "\\sqrt", "{", "}", "_", "^"),
    *("\\left(", "\\right)", "\\begin{matrix}", "\\end{matrix}", "&", "\\\\", "[", "]"),
)


def build(
    seed: int = 0,
    tokens: tuple[str, ...] = TOKENS,
    buckets: tuple[Bucket, ...] = (Bucket(64, 160, 32),),
) -> saved_model.TrainedModel:
    """A model with parameters drawn from `seed`, large enough to have opinions."""
    config = tiny.get_config().model
    vocabulary = Vocabulary(SPECIAL_TOKENS + tokens)
    network = im2latex.build(config, len(vocabulary))
    shapes = jax.eval_shape(lambda: im2latex.initialize(network, jax.random.PRNGKey(0)))
    rng = np.random.default_rng(seed)
    params = jax.tree.map(
        lambda leaf: np.float32(2 * rng.standard_normal(leaf.shape) / leaf.shape[0] ** 0.5), shapes
    )
    return saved_model.TrainedModel(network, config, params, vocabulary, buckets)


def save(folder: pathlib.Path, **settings) -> pathlib.Path:
    """Writes such a model; returns its folder."""
    saved_model.save(folder, build(**settings))
    return folder
