"""Plans: which examples make which batch, as a pure function of data, settings, seed and number."""

import dataclasses
import functools
import itertools
import sys
import threading
from collections.abc import Callable, Sequence

import numpy as np

from im2latex_jax.input_pipeline import augmentation
from im2latex_jax.input_pipeline.buckets import Bucket, Sizes, cost

_SHUFFLE = 1  # first number of the seed of the shuffle, see also `augmentation`


@dataclasses.dataclass(frozen=True)
class Curriculum:
    """Short formulas first: epoch e has only captions of at most `lengths[e]` steps, later all."""

    lengths: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingPlan:
    """Which examples make which batch of a training run: `plan[k]` is (bucket, example numbers).

    An epoch puts every example into the cheapest bucket that holds it at the size it has in that
    epoch, shuffles the buckets' examples, cuts them into batches and shuffles the batches. What is
    left over in a bucket goes into a larger one. Where there is none, the last batch has fillers,
    number -1, whose loss is zero: every example is seen once in every epoch.

    Attributes:
      buckets: the shapes.
      assignment: [N] bucket of each example as it is stored; -1: left out.
      augmented: [N] the same for an example that is augmented.
      lengths: [N] steps of each example, for the curriculum.
      batch_size: examples a batch.
      num_epochs: epochs in the run.
      seed: of the shuffle.
      draw: which examples are augmented in which epoch; None: none is.
      curriculum: see `Curriculum`.
      max_steps: batches at the most; 0: all of the epochs'.
    """

    buckets: Sequence[Bucket]
    assignment: np.ndarray
    augmented: np.ndarray
    lengths: np.ndarray
    batch_size: int
    num_epochs: int
    seed: int
    draw: augmentation.Draw | None = None
    curriculum: Curriculum = Curriculum()
    max_steps: int = 0

    def assigned(self, epoch: int) -> np.ndarray:
        """[N] bucket of each example in an epoch; -1: it takes no part."""
        bucket = self.assignment
        if self.draw is not None:
            drawn = self.draw(epoch, np.arange(len(bucket)))
            bucket = np.where(drawn, self.augmented, bucket)
        if epoch < len(self.curriculum.lengths):
            bucket = np.where(self.lengths <= self.curriculum.lengths[epoch], bucket, -1)
        return bucket

    @functools.cached_property
    def _order(self) -> list[tuple[int, int | None]]:
        """Buckets from cheap to costly, each with the one that takes what it has left over."""
        shapes = np.asarray([dataclasses.astuple(b) for b in self.buckets])
        work = cost(shapes)
        holds = np.all(shapes[:, None] <= shapes[None], axis=-1) & (work[:, None] < work[None])
        larger = np.where(holds, work[None], np.inf)
        return [
            (int(b), int(larger[b].argmin()) if holds[b].any() else None) for b in np.argsort(work)
        ]

    @functools.cached_property
    def epoch_ends(self) -> np.ndarray:
        """Number of batches up to the end of each epoch, [num_epochs] int."""
        epochs = np.arange(self.num_epochs)
        if self.draw is None:  # those after the curriculum are alike
            epochs = np.minimum(epochs, len(self.curriculum.lengths))
        different = {int(epoch): self.num_batches(int(epoch)).sum() for epoch in np.unique(epochs)}
        return np.cumsum([different[int(epoch)] for epoch in epochs])

    def num_batches(self, epoch: int) -> np.ndarray:
        """Batches of each bucket in an epoch, [len(buckets)] int."""
        bucket = self.assigned(epoch)
        waiting = np.bincount(bucket[bucket >= 0], minlength=len(self.buckets))
        batches = np.zeros_like(waiting)
        for number, larger in self._order:
            batches[number], rest = divmod(waiting[number], self.batch_size)
            if larger is not None:
                waiting[larger] += rest
            elif rest:
                batches[number] += 1
        return batches

    def __len__(self) -> int:
        return min(int(self.epoch_ends[-1]), self.max_steps or sys.maxsize)

    @functools.cached_property
    def _epochs(self) -> "_Epochs":
        return _Epochs(self._batches_of)

    def _batches_of(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Bucket of each batch [K], and its examples [K, batch_size]; -1 for a filler."""
        rng = np.random.default_rng((_SHUFFLE, self.seed, epoch))
        assigned = self.assigned(epoch)
        by_bucket = np.argsort(assigned, kind="stable")
        edges = np.searchsorted(assigned, np.arange(len(self.buckets) + 1), sorter=by_bucket)
        members = [by_bucket[a:b] for a, b in itertools.pairwise(edges)]
        buckets, batches = [], []
        for number, larger in self._order:
            order = rng.permutation(members[number])
            whole = len(order) // self.batch_size * self.batch_size
            rest = order[whole:]
            if larger is not None:
                members[larger] = np.concatenate([members[larger], rest])
                order = order[:whole]
            elif len(rest):
                order = np.pad(order, (0, self.batch_size - len(rest)), constant_values=-1)
            batches.append(order.reshape(-1, self.batch_size))
            buckets.append(np.full(len(batches[-1]), number))
        shuffled = rng.permutation(sum(map(len, buckets)))
        return np.concatenate(buckets)[shuffled], np.concatenate(batches)[shuffled]

    def epoch_of(self, step: int) -> int:
        """Number of the epoch that batch `step` belongs to."""
        return int(np.searchsorted(self.epoch_ends, step, side="right"))

    def __getitem__(self, step: int) -> tuple[Bucket, np.ndarray]:
        number = self.epoch_of(step)
        start = self.epoch_ends[number - 1] if number else 0
        buckets, batches = self._epochs(number)
        return self.buckets[buckets[step - start]], batches[step - start]

    def __getstate__(self) -> dict:  # worker processes make their own cache
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)


class _Epochs:
    """The batches of the last two epochs asked for; threads that ask at once wait for one."""

    def __init__(self, compute: Callable[[int], tuple[np.ndarray, np.ndarray]]):
        self._compute = functools.lru_cache(maxsize=2)(compute)
        self._lock = threading.Lock()

    def __call__(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        with self._lock:
            return self._compute(epoch)


def useful_work_share(plan: TrainingPlan, plain: Sizes, augmented: Sizes) -> float:
    """Share of a run's work that is not padding, 0 to 1, in its last epoch.

    That is the cost of the examples at their own sizes over that of their batches, see
    `buckets.cost`. An augmented example counts with the most that augmentation makes of it.

    Args:
      plan: of the run.
      plain: sizes of the examples as they are stored.
      augmented: at the most, of the examples when they are augmented.
    """
    epoch = plan.num_epochs - 1
    taken = plan.assigned(epoch) >= 0
    work = cost(plain.stack())
    if plan.draw is not None:
        work = np.where(plan.draw(epoch, np.arange(len(work))), cost(augmented.stack()), work)
    shapes = np.asarray([dataclasses.astuple(b) for b in plan.buckets])
    done = (plan.num_batches(epoch) * cost(shapes)).sum() * plan.batch_size
    return float(work[taken].sum() / done)


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
