"""Batches of a plan's examples, loaded ahead by grain.

A batch is a dict of NumPy arrays, B images of one bucket of H x W pixels and T tokens:
  images [B, H, W, 1] uint8 ink, images in the upper left corner;
  sizes [B, 2] int32, height and width of each image in pixels;
  tokens [B, T + 1] int32, <bos>, the caption, <eos>, <pad>...;
  ids [B] int32, number of the example in its split; -1 for a filler, whose caption is all <pad>;
    -2 - n for example n where its record is damaged and was skipped: a filler took its place.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline.buckets import Bucket
from im2latex_jax.input_pipeline.plans import Plan
from im2latex_jax.latex.vocabulary import BOS, EOS, PAD
from im2latex_jax.runtime import workers

if TYPE_CHECKING:
    import jax

Batch = dict[str, np.ndarray]
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


_MIN_PREFETCH = 8  # batches loaded ahead


def iterate(source: BatchSource, *, num_threads: int = 2, num_workers: int = 0) -> Iterator[Batch]:
    """The source's batches in order, loaded ahead in threads or, with `num_workers`, processes."""
    if not len(source):
        return iter(())
    import grain  # takes half a second, which recognition can do without
    from absl import flags

    ahead = max(_MIN_PREFETCH, num_threads)  # grain starts no more threads than it loads ahead
    options = grain.ReadOptions(num_threads=num_threads, prefetch_buffer_size=ahead)
    dataset = grain.MapDataset.source(source).to_iter_dataset(options)
    if num_workers:
        if not flags.FLAGS.is_parsed():  # grain asks for its own flags, also outside of absl's app
            flags.FLAGS.mark_as_parsed()
        dataset = dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=num_workers))
    return iter(dataset)
