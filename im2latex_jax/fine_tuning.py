"""Training that begins with a trained model: its network, its vocabulary, its parameters."""

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from im2latex_jax import input_pipeline, model_files
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.latex.vocabulary import Vocabulary
from im2latex_jax.model_files import TrainedModel

PACKAGED = "packaged"
# Settings of the network that are the training's own affair: they do not change its parameters.
_FREE_SETTINGS = ("dropout", "dtype")


def load(config: ConfigDict) -> TrainedModel | None:
    """The model of `config.init_from`: a folder or work directory, or `PACKAGED`; None for "".

    Raises:
      Im2latexError: there is no such model.
    """
    if not config.init_from:
        return None
    packaged = config.init_from == PACKAGED
    return model_files.load(model_files.packaged() if packaged else config.init_from)


def with_network(config: ConfigDict, initial: TrainedModel | None) -> ConfigDict:
    """The configuration with the network of the model that it begins with.

    Dropout and the type of the computation stay as they are configured.
    """
    if initial is None:
        return config
    kept = {name: config.model[name] for name in _FREE_SETTINGS}
    changed = config.copy_and_resolve_references()
    with changed.unlocked():
        changed.model = ConfigDict({**initial.config.to_dict(), **kept})
    return changed


def extend(vocabulary: Vocabulary, captions: Vocabulary) -> Vocabulary:
    """The tokens of a model, each with its id, and after them those that only captions have."""
    known = set(vocabulary.tokens)
    return Vocabulary(vocabulary.tokens + tuple(t for t in captions.tokens if t not in known))


def merge_buckets(known: Iterable[Bucket], own: Iterable[Bucket]) -> tuple[Bucket, ...]:
    """The buckets of a model, and those of its further training that fit into none of them.

    Few: each canvas is a program that recognition compiles, and parts full batches.
    """
    known, own = sorted(set(known)), sorted(set(own))
    if not known:
        return tuple(own)
    shapes = np.asarray([dataclasses.astuple(bucket) for bucket in own])
    fitting = input_pipeline.assign(known, input_pipeline.Sizes(*shapes.T)) >= 0
    return tuple(sorted({*known, *itertools.compress(own, ~fitting)}))


def grow(trained: Any, fresh: Any) -> Any:
    """Trained parameters in the shapes of fresh ones, whose values new tokens keep.

    A vocabulary that was extended makes some arrays longer at their end.

    Args:
      trained: a tree of arrays.
      fresh: a tree of the same names, each array as long or longer in each dimension.
    """

    def fill(old: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.asarray(new).at[tuple(slice(size) for size in old.shape)].set(old)

    return jax.tree.map(fill, trained, fresh)
