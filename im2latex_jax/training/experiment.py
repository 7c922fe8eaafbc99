"""What a run computes with, made from its configuration: data, plan, network and optimizer."""

import dataclasses
import functools
import hashlib
import json

import numpy as np
import optax
from ml_collections import ConfigDict

from im2latex_jax import config as config_checks
from im2latex_jax import datasets, input_pipeline
from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import augmentation, examples
from im2latex_jax.latex.vocabulary import Vocabulary
from im2latex_jax.model import im2latex
from im2latex_jax.model.saved_model import TrainedModel, TrainingData
from im2latex_jax.runtime import (
    folders,
    sharding,
)
from im2latex_jax.training import (
    init_from,
    optimizer,
    provenance,
)
from im2latex_jax.training import state as train_state


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything a run computes with, made from its configuration alone.

    Attributes:
      config: see `im2latex_jax/config.py`; with the network of `initial`.
      train, validation, test: the splits.
      buckets: shapes of the training batches.
      eval_buckets: shapes of the evaluation's batches.
      plan: which examples make which batch.
      vocabulary: of the training captions, after that of `initial`.
      model: the network.
      initial: the trained model that training begins with, or None.
      optimizer: optax's.
      layout: where arrays lie on the devices that there are.
      trained_on: what its model will have been trained on.
      remarks: on the data, for people.
    """

    config: ConfigDict
    train: examples.Examples
    validation: examples.Examples
    test: examples.Examples
    buckets: list[input_pipeline.Bucket]
    eval_buckets: list[input_pipeline.Bucket]
    plan: input_pipeline.TrainingPlan
    vocabulary: Vocabulary
    model: im2latex.Im2Latex
    initial: TrainedModel | None
    optimizer: optax.GradientTransformation
    layout: sharding.Layout
    trained_on: tuple[TrainingData, ...]
    remarks: tuple[str, ...]

    def initial_state(self) -> train_state.TrainState:
        """The state before the first step."""
        return self.layout.make_state(self._create_state)

    def state_shapes(self) -> train_state.TrainState:
        """The shapes of the state, and where it lies."""
        return self.layout.state_shapes(self._create_state)

    def digest(self) -> bytes:
        """A hash of what gives token ids and batches their meaning, the same in all processes."""
        digest = hashlib.sha256(json.dumps(self.vocabulary.tokens).encode())
        for split in (self.train, self.validation, self.test):
            digest.update(split.kept.tobytes())
            for sizes in (split.sizes.stack(), split.augmented_sizes.stack()):
                digest.update(sizes.tobytes())
        return digest.digest()

    def useful_work_share(self) -> float:
        """Share of the training work that is not padding: `input_pipeline.useful_work_share`."""
        return input_pipeline.useful_work_share(
            self.plan, self.train.sizes, self.train.augmented_sizes
        )

    def _create_state(self) -> train_state.TrainState:
        return train_state.create(
            self.model,
            self.optimizer,
            self.config.seed,
            averaging=self.config.optimizer.ema_decay > 0,
            trained=self.initial.params if self.initial else None,
        )

    def train_step(self):
        """The jitted step, see `train_state.make_train_step`."""
        return train_state.make_train_step(
            self.model,
            self.optimizer,
            label_smoothing=self.config.label_smoothing,
            counting_weight=self.config.counting_weight,
            ema_decay=self.config.optimizer.ema_decay,
            layout=self.layout,
        )


def set_up(config: ConfigDict, splits=None, vocabulary: Vocabulary | None = None) -> Experiment:
    """Builds or opens the data and assembles what a run computes with.

    Args:
      config: see `im2latex_jax/config.py`.
      splits: `train`, `validation` and `test`, instead of the data set that the config names.
      vocabulary: that the run began with; None for one that begins, which takes that of its data.

    Raises:
      Im2latexError: if the data or the configuration cannot be used, or the data have another
        vocabulary.
    """
    initial = init_from.load(config)
    config = init_from.with_network(config, initial)
    config_checks.check(config)
    config = provenance.with_dtype(config)
    layout = sharding.make_layout(config.fsdp)
    layout.check_batch_size(config.batch_size)
    data_dir = config.dataset.data_dir or folders.cache() / "datasets"
    if splits is None:
        splits = datasets.load(
            config.dataset.name,
            data_dir,
            on_corrupt=config.dataset.on_corrupt,
            **config.dataset.options,
        )
    for name in ("train", "validation", "test"):
        if not len(splits[name]):
            raise Im2latexError(f"data set {config.dataset.name}: split {name!r} is empty")
    if config.dataset.vocabulary:
        built = Vocabulary.load(config.dataset.vocabulary)
    else:
        built = Vocabulary.from_counts(
            splits["train"].statistics.token_counts, min_count=config.dataset.min_token_count
        )
    if initial:
        built = init_from.extend(initial.vocabulary, built)
    if vocabulary is None:
        vocabulary = built
    elif not splits["train"].corrupt:  # tokens of records that were skipped are not counted
        provenance.check_vocabulary(vocabulary, built, "the work directory")
    prepare = functools.partial(
        examples.prepare,
        vocabulary=vocabulary,
        limits=config.limits,
        skip_corrupt=config.dataset.on_corrupt == "skip",
    )
    train = prepare(
        splits["train"], settings=augmentation.Settings(**config.augmentation), seed=config.seed
    )
    validation, test = prepare(splits["validation"]), prepare(splits["test"])
    remarks: list[str] = []
    if initial:
        leaked, remarks = init_from.leaked(initial, splits, data_dir)
        remarks.append(init_from.check_leaks(config.init_from, leaked, config.dataset.on_leak))
        validation = validation.without(leaked["validation"])
        test = test.without(leaked["test"])
    remarks += [split.coverage(config.limits) for split in (validation, test)]
    buckets = _plan_buckets(config, config.num_buckets, train)
    eval_buckets = _plan_buckets(config, config.num_eval_buckets, validation, test, train)
    plan = input_pipeline.TrainingPlan(
        buckets=buckets,
        assignment=train.assign(buckets),
        augmented=train.assign_augmented(buckets),
        lengths=train.sizes.lengths,
        batch_size=config.batch_size,
        num_epochs=config.num_epochs,
        seed=config.seed,
        draw=train.draw,
        curriculum=input_pipeline.Curriculum(tuple(config.curriculum_lengths)),
        max_steps=config.max_steps,
    )
    model = im2latex.build(config.model, len(vocabulary))
    return Experiment(
        config, train, validation, test, buckets, eval_buckets, plan, vocabulary, model, initial,
        optimizer.build(config.optimizer, len(plan), model.encoder.dtype), layout,
        init_from.lineage(initial, splits["train"], data_dir), tuple(filter(None, remarks)),
    )  # fmt: skip


def _plan_buckets(config: ConfigDict, count: int, *splits) -> list[input_pipeline.Bucket]:
    """At most `count` buckets that hold all examples of the splits."""
    multiples = (*np.lcm((8, 16), np.prod(config.model.strides, axis=0)).tolist(), 4)
    sizes, weights = zip(*(split.weighted_sizes() for split in splits), strict=True)
    stacked = np.concatenate([part.stack() for part in sizes])
    return input_pipeline.plan_buckets(
        input_pipeline.Sizes(*stacked.T), count, multiples, np.concatenate(weights)
    )
