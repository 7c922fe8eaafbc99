"""Training that begins with a trained model: its network, its vocabulary, its parameters."""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from im2latex_jax import input_pipeline
from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.latex.vocabulary import Vocabulary
from im2latex_jax.model import saved_model
from im2latex_jax.model.saved_model import TrainedModel, TrainingData

if TYPE_CHECKING:
    from im2latex_jax.datasets.records import Split
    from im2latex_jax.datasets.statistics import Statistics

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
    return saved_model.load(saved_model.packaged() if packaged else config.init_from)


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


def lineage(
    initial: TrainedModel | None, train: "Split", data_dir: str | os.PathLike
) -> tuple[TrainingData, ...]:
    """All that a run's model has been trained on at its end, in order.

    Empty where that is not known: the initial model does not tell, or the data are no dataset in
    `data_dir`.
    """
    if initial is not None and not initial.trained_on:
        return ()
    known = initial.trained_on if initial else ()
    root = pathlib.Path(data_dir).resolve()
    for part in getattr(train, "parts", (train,)):  # of a mixture, every dataset
        try:
            folder = pathlib.Path(part.directory).resolve().relative_to(root)
        except (AttributeError, ValueError):
            return ()
        own = TrainingData(folder.as_posix(), part.statistics.fingerprint)
        if own not in known:
            known = (*known, own)
    return known


def leaked(
    initial: TrainedModel, splits: "Mapping[str, Split]", data_dir: str | os.PathLike
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Which held-out formulas the initial model was trained on.

    Compared are canonical forms. Formulas that the own training split has too do not count: what a
    dataset has in several of its splits is not the initial model's doing.

    Args:
      initial: the model that training begins with.
      splits: `train`, `validation` and `test` of the run that begins.
      data_dir: folder of datasets, those of the initial model among them.

    Returns:
      For `validation` and `test` a mask [N]; and what could not be compared, for people.
    """
    held_out = {name: splits[name].statistics.digests for name in ("validation", "test")}
    masks = {name: np.zeros(len(digests), bool) for name, digests in held_out.items()}
    own = splits["train"].statistics
    remarks = []
    if not initial.trained_on:
        remarks.append(
            "the model that training begins with does not tell what it was trained on: its "
            "training formulas may be in validation and test"
        )
    for data in initial.trained_on:
        if data.fingerprint is not None and data.fingerprint == own.fingerprint:
            continue
        before = _statistics(pathlib.Path(data_dir, data.dataset))
        if before is None or None in (data.fingerprint, before.fingerprint):
            remarks.append(
                f"{data.dataset}, which the model that training begins with was trained on, is not "
                f"in {data_dir}: its training formulas may be in validation and test"
            )
        elif before.fingerprint != data.fingerprint:
            remarks.append(
                f"{pathlib.Path(data_dir, data.dataset)} has changed since the model that training "
                "begins with was trained on it: those formulas may be in validation and test"
            )
        else:
            for name, digests in held_out.items():
                masks[name] |= _among(digests, before.digests)
    for name, digests in held_out.items():
        if masks[name].any():
            masks[name] &= ~_among(digests, own.digests)
    return masks, remarks


def check_leaks(init_from: str, masks: Mapping[str, np.ndarray], on_leak: str) -> str:
    """Tells how many held-out formulas are to be left out; "" where none is.

    Args:
      init_from: the model that training begins with.
      masks: see `leaked`.
      on_leak: "fail" or "skip".

    Raises:
      Im2latexError: there are some, and they are not to be left out.
    """
    counts = [f"{mask.sum()} of {len(mask)} {name}" for name, mask in masks.items() if mask.any()]
    if not counts:
        return ""
    found = f"{init_from} was trained on {' and '.join(counts)} formulas"
    if on_leak == "skip":
        return f"{found}: they are left out"
    raise Im2latexError(
        f"{found}, which would read too well: give the data the seed and the shares of splits that "
        "it was trained with, or set --config.dataset.on_leak=skip to leave them out"
    )


def _statistics(folder: pathlib.Path) -> "Statistics | None":
    """Of the training split of a dataset; None where there is none, or a damaged one."""
    from im2latex_jax.datasets.records import Split

    if not (folder / "dataset_info.json").exists():
        return None
    return Split(folder, "train").statistics


def _among(wanted: np.ndarray, digests: np.ndarray, chunk: int = 1 << 20) -> np.ndarray:
    """Where `wanted` are among `digests`, which may be a file's and do not fit into memory."""
    different, inverse = np.unique(wanted, return_inverse=True)
    found = np.zeros(len(different), bool)
    for start in range(0, len(digests), chunk):
        found |= np.isin(different, digests[start : start + chunk])
    return found[inverse]


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
