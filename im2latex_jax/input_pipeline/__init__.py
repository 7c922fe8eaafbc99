"""Data set to batches: buckets, shuffle, shards, prefetch.

Which examples make batch number k of a run is a pure function of (data, settings, seed, k). So the
position in the data is one number, a resumed run goes on with the very next batch, and neither the
number of worker threads or processes nor the number of hosts changes what is seen.

A batch is a dict of NumPy arrays, B pictures of one bucket of H x W pixels and T tokens:
  images [B, H, W, 1] uint8 ink, pictures in the upper left corner;
  sizes [B, 2] int32, height and width of each picture in pixels;
  tokens [B, T + 1] int32, <bos>, the caption, <eos>, <pad>...;
  ids [B] int32, number of the example in its split; -1 for a filler, whose caption is all <pad>;
    -2 - n for example n where its record is damaged and was skipped: a filler took its place.
"""

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.vocabulary import BOS, EOS, PAD
from im2latex_jax.runtime import workers

if TYPE_CHECKING:
    import jax

Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, order=True)
class Bucket:
    """A shape that batches have: pictures of at most height x width pixels, length steps.

    `length` counts the decoder's steps: a caption's tokens and <eos>.
    """

    height: int
    width: int
    length: int


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of a split's examples in pixels and steps (tokens and <eos>): int arrays [N]."""

    heights: np.ndarray
    widths: np.ndarray
    lengths: np.ndarray

    def stack(self) -> np.ndarray:
        """[N, 3]: height, width, length."""
        return np.stack([self.heights, self.widths, self.lengths], axis=1)


_MAX_SHAPES = 1000  # that planning starts with; it takes seconds then


def _cost(shapes: np.ndarray) -> np.ndarray:
    """Work of one example in a bucket, in arbitrary units: shapes [..., 3] to [...].

    The encoder's work grows with the area; the attention's with area times steps; the rest of the
    decoder's with the steps.
    """
    positions = shapes[..., 0] * shapes[..., 1] / 512
    steps = shapes[..., 2]
    return positions * (60 + steps) + 60 * steps


def plan_buckets(
    sizes: Sizes, count: int, multiples: tuple[int, int, int] = (8, 16, 4)
) -> list[Bucket]:
    """At most `count` buckets that hold all examples with little padding.

    Every example starts in the smallest bucket whose sides are multiples of `multiples` (doubled
    until there are at most `_MAX_SHAPES` of these); the two buckets whose union costs least are
    then merged until `count` are left.
    """
    grid = np.asarray(multiples)
    while True:
        shapes, counts = np.unique(
            np.ceil(sizes.stack() / grid).astype(int) * grid, axis=0, return_counts=True
        )
        if len(shapes) <= max(count, _MAX_SHAPES):
            break
        grid = grid * 2

    def growth(of: np.ndarray) -> np.ndarray:
        """What it costs to merge the buckets `of` with each other bucket: [len(of), N]."""
        union = np.maximum(shapes[of, None], shapes[None])
        alone = counts * _cost(shapes)
        cost = (counts[of, None] + counts[None]) * _cost(union) - alone[of, None] - alone[None]
        cost[np.arange(len(of)), of] = np.inf
        return cost

    costs = growth(np.arange(len(shapes)))
    while len(shapes) > count:
        kept, gone = np.unravel_index(np.argmin(costs), costs.shape)
        shapes[kept] = np.maximum(shapes[kept], shapes[gone])
        counts[kept] += counts[gone]
        shapes, counts = np.delete(shapes, gone, 0), np.delete(counts, gone)
        costs = np.delete(np.delete(costs, gone, 0), gone, 1)
        kept -= kept > gone
        costs[kept] = costs[:, kept] = growth(np.asarray([kept]))[0]
    return sorted(Bucket(*map(int, shape)) for shape in np.unique(shapes, axis=0))


def assign(buckets: Sequence[Bucket], sizes: Sizes) -> np.ndarray:
    """Number of the cheapest bucket that holds each example, [N] int; -1 where none does."""
    shapes = np.asarray([dataclasses.astuple(b) for b in buckets])
    fits = np.all(sizes.stack()[:, None, :] <= shapes[None], axis=-1)
    cost = np.where(fits, _cost(shapes)[None], np.inf)
    return np.where(fits.any(axis=1), cost.argmin(axis=1), -1)


def largest(buckets: Sequence[Bucket]) -> Bucket:
    """The bucket whose examples are the most work."""
    shapes = np.asarray([dataclasses.astuple(b) for b in buckets])
    return buckets[int(np.argmax(_cost(shapes)))]


def padding_share(buckets: Sequence[Bucket], assignment: np.ndarray, sizes: Sizes) -> float:
    """Share of the buckets' picture area and steps that is padding: mean of the two, 0 to 1."""
    kept = assignment >= 0
    shapes = np.asarray([dataclasses.astuple(b) for b in buckets])[assignment[kept]]
    own = sizes.stack()[kept]
    area = (own[:, 0] * own[:, 1]).sum() / (shapes[:, 0] * shapes[:, 1]).sum()
    steps = own[:, 2].sum() / shapes[:, 2].sum()
    return float(1 - (area + steps) / 2)


@dataclasses.dataclass(frozen=True)
class Curriculum:
    """Short formulas first: epoch e has only captions of at most `lengths[e]` steps, later all."""

    lengths: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingPlan:
    """Which examples make which batch of a training run: `plan[k]` is (bucket, example numbers).

    An epoch shuffles the examples within their buckets, cuts them into batches and shuffles the
    batches. A bucket's last batch is filled with examples of the same bucket, so that every example
    is seen in every epoch.

    Attributes:
      buckets: the shapes.
      assignment: [N] bucket of each example; -1: left out.
      lengths: [N] steps of each example, for the curriculum.
      batch_size: examples a batch.
      num_epochs: epochs in the run.
      seed: of the shuffle.
      curriculum: see `Curriculum`.
      max_steps: batches at the most; 0: all of the epochs'.
    """

    buckets: Sequence[Bucket]
    assignment: np.ndarray
    lengths: np.ndarray
    batch_size: int
    num_epochs: int
    seed: int
    curriculum: Curriculum = Curriculum()
    max_steps: int = 0

    def _members(self, epoch: int) -> list[np.ndarray]:
        chosen = self.assignment >= 0
        if epoch < len(self.curriculum.lengths):
            chosen &= self.lengths <= self.curriculum.lengths[epoch]
        return [np.flatnonzero(chosen & (self.assignment == b)) for b in range(len(self.buckets))]

    @functools.cached_property
    def epoch_ends(self) -> np.ndarray:
        """Number of batches up to the end of each epoch, [num_epochs] int."""
        steps = [
            sum(-(-len(members) // self.batch_size) for members in self._members(epoch))
            for epoch in range(self.num_epochs)
        ]
        return np.cumsum(steps)

    def __len__(self) -> int:
        return min(int(self.epoch_ends[-1]), self.max_steps or sys.maxsize)

    @functools.cached_property
    def _epoch(self) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
        @functools.lru_cache(maxsize=2)
        def epoch(number: int) -> tuple[np.ndarray, np.ndarray]:
            rng = np.random.default_rng((self.seed, number))
            buckets, batches = [], []
            for bucket, members in enumerate(self._members(number)):
                if not len(members):
                    continue
                count = -(-len(members) // self.batch_size)
                order = np.resize(rng.permutation(members), count * self.batch_size)
                batches.append(order.reshape(count, self.batch_size))
                buckets.append(np.full(count, bucket))
            order = rng.permutation(sum(map(len, buckets)))
            return np.concatenate(buckets)[order], np.concatenate(batches)[order]

        return epoch

    def epoch_of(self, step: int) -> int:
        """Number of the epoch that batch `step` belongs to."""
        return int(np.searchsorted(self.epoch_ends, step, side="right"))

    def __getitem__(self, step: int) -> tuple[Bucket, np.ndarray]:
        number = self.epoch_of(step)
        start = self.epoch_ends[number - 1] if number else 0
        buckets, batches = self._epoch(number)
        return self.buckets[buckets[step - start]], batches[step - start]

    def __getstate__(self) -> dict:  # worker processes make their own cache
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)


@dataclasses.dataclass(frozen=True, eq=False)
class EvaluationPlan:
    """Every example once, in batches of one bucket; missing ones of a last batch are -1."""

    buckets: Sequence[Bucket]
    assignment: np.ndarray
    batch_size: int

    @functools.cached_property
    def _batches(self) -> list[tuple[Bucket, np.ndarray]]:
        batches = []
        for number, bucket in enumerate(self.buckets):
            members = np.flatnonzero(self.assignment == number)
            for start in range(0, len(members), self.batch_size):
                batch = np.full(self.batch_size, -1)
                part = members[start : start + self.batch_size]
                batch[: len(part)] = part
                batches.append((bucket, batch))
        return batches

    def epoch_of(self, step: int) -> int:
        """There is one epoch: number 0."""
        return 0

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, step: int) -> tuple[Bucket, np.ndarray]:
        return self._batches[step]


Plan = TrainingPlan | EvaluationPlan
# Ink [height, width] uint8, and token ids.
Example = tuple[np.ndarray, Sequence[int]]
# An example by its number and the epoch it is for; None for a damaged record to be skipped.
LoadExample = Callable[[int, int], Example | None]


def collate(examples: Sequence[Example | None], bucket: Bucket) -> Batch:
    """Examples, or None for a filler, to the arrays of a batch (without `ids`)."""
    images = np.zeros((len(examples), bucket.height, bucket.width, 1), np.uint8)
    sizes = np.ones((len(examples), 2), np.int32)
    tokens = np.full((len(examples), bucket.length + 1), PAD, np.int32)
    for row, example in enumerate(examples):
        if example is None:
            continue
        ink, caption = example
        height, width = ink.shape
        images[row, :height, :width, 0] = ink
        sizes[row] = height, width
        tokens[row, : len(caption) + 2] = BOS, *caption, EOS
    return {"images": images, "sizes": sizes, "tokens": tokens}


def batch_shapes(bucket: Bucket, batch_size: int) -> "dict[str, jax.ShapeDtypeStruct]":
    """Shapes and types of a batch's arrays (without `ids`)."""
    import jax

    return {
        name: jax.ShapeDtypeStruct(array.shape, array.dtype)
        for name, array in collate([None] * batch_size, bucket).items()
    }


@dataclasses.dataclass(frozen=True, eq=False)
class BatchSource:
    """A plan's batches by number, for grain. Each host loads its own rows of a batch."""

    plan: Plan
    load: LoadExample
    start: int = 0
    host: int = 0
    num_hosts: int = 1

    def __post_init__(self) -> None:
        if self.plan.batch_size % self.num_hosts:
            raise Im2latexError(
                f"batch_size {self.plan.batch_size} does not divide by {self.num_hosts} hosts: "
                "set --config.batch_size to a multiple"
            )

    def __setstate__(self, state: dict) -> None:  # in a process that loads batches
        self.__dict__.update(state)
        workers.end_with_parent()

    def __len__(self) -> int:
        return len(self.plan) - self.start

    def __getitem__(self, number: int) -> Batch:
        step = self.start + number
        bucket, ids = self.plan[step]
        rows = len(ids) // self.num_hosts
        ids = ids[self.host * rows : (self.host + 1) * rows]
        epoch = self.plan.epoch_of(step)
        examples = [self.load(int(i), epoch) if i >= 0 else None for i in ids]
        skipped = np.asarray([example is None for example in examples]) & (ids >= 0)
        ids = np.where(skipped, -2 - ids, ids)
        return {**collate(examples, bucket), "ids": ids.astype(np.int32)}


def batches(
    source: BatchSource, *, num_threads: int = 2, num_workers: int = 0, prefetch: int = 8
) -> Iterator[Batch]:
    """The source's batches in order, loaded ahead in threads or, with `num_workers`, processes."""
    if not len(source):
        return iter(())
    import grain  # takes half a second, which recognition can do without
    from absl import flags

    options = grain.ReadOptions(num_threads=num_threads, prefetch_buffer_size=prefetch)
    dataset = grain.MapDataset.source(source).to_iter_dataset(options)
    if num_workers:
        if not flags.FLAGS.is_parsed():  # grain asks for its own flags, also outside of absl's app
            flags.FLAGS.mark_as_parsed()
        dataset = dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=num_workers))
    return iter(dataset)
