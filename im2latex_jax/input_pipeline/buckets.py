"""Buckets: the few shapes that batches have, and which of them holds an example."""

import dataclasses
from collections.abc import Sequence

import numpy as np


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


_MAX_SHAPES = 4000  # that planning starts with; it takes seconds then
_MAX_CELLS = 1 << 24  # of a grid of shapes


def cost(shapes: np.ndarray) -> np.ndarray:
    """Work of one example in a bucket, in arbitrary units: shapes [..., 3] to [...].

    The encoder's work grows with the area; the attention's with area times steps; the rest of the
    decoder's with the steps.
    """
    positions = shapes[..., 0] * shapes[..., 1] / 512
    steps = shapes[..., 2]
    return positions * (60 + steps) + 60 * steps


def _snapped(
    sizes: Sizes, grid: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Shapes on a grid that hold the examples [M, 3], ascending, and how often each is needed [M].

    None where the grid is too fine to be counted without sorting the examples.
    """
    columns = (sizes.heights, sizes.widths, sizes.lengths)
    cells = [-(-column // step) for column, step in zip(columns, grid.tolist(), strict=True)]
    extents = [int(column.max(initial=0)) + 1 for column in cells]
    if np.prod(extents, dtype=float) > _MAX_CELLS:
        return None
    keys = np.ravel_multi_index(cells, extents)
    present = np.flatnonzero(np.bincount(keys))
    shapes = np.stack(np.unravel_index(present, extents), axis=1) * grid
    return shapes, np.bincount(keys, weights)[present]


def plan_buckets(
    sizes: Sizes,
    count: int,
    multiples: tuple[int, int, int] = (8, 16, 4),
    weights: np.ndarray | None = None,
) -> list[Bucket]:
    """At most `count` buckets that hold all examples with little padding.

    Every example starts in the smallest bucket whose sides are multiples of `multiples` (doubled
    until there are at most `_MAX_SHAPES` of these); the two buckets whose union costs least are
    then merged until `count` are left.

    Args:
      sizes: of the examples.
      count: of buckets.
      multiples: of their height, width and length.
      weights: [N] how often each example is seen; by default once.
    """
    grid = np.asarray(multiples)
    while (found := _snapped(sizes, grid, weights)) is None or len(found[0]) > max(
        count, _MAX_SHAPES
    ):
        grid = grid * 2
    shapes, counts = found

    def growth(of: np.ndarray) -> np.ndarray:
        """What it costs to merge the buckets `of` with each other bucket: [len(of), N]."""
        union = np.maximum(shapes[of, None], shapes[None])
        alone = counts * cost(shapes)
        grown = (counts[of, None] + counts[None]) * cost(union) - alone[of, None] - alone[None]
        grown[np.arange(len(of)), of] = np.inf
        grown[:, ~left] = np.inf
        return grown

    left = np.ones(len(shapes), bool)
    costs = np.concatenate([growth(part) for part in np.array_split(np.arange(len(shapes)), 64)])
    partner = costs.argmin(axis=1)  # the cheapest of each row, kept up to date
    cheapest = costs.min(axis=1)
    for _ in range(len(shapes) - count):
        kept = int(cheapest.argmin())
        gone = int(partner[kept])
        shapes[kept] = np.maximum(shapes[kept], shapes[gone])
        counts[kept] += counts[gone]
        left[gone] = False
        costs[gone] = costs[:, gone] = cheapest[gone] = np.inf
        costs[kept] = costs[:, kept] = growth(np.asarray([kept]))[0]
        changed = np.flatnonzero(left & ((partner == kept) | (partner == gone)))
        changed = np.append(changed, kept)
        partner[changed] = costs[changed].argmin(axis=1)
        cheapest[changed] = costs[changed].min(axis=1)
        nearer = left & (costs[:, kept] < cheapest)
        partner[nearer], cheapest[nearer] = kept, costs[nearer, kept]
    return sorted(Bucket(*map(int, shape)) for shape in np.unique(shapes[left], axis=0))


def assign(buckets: Sequence[Bucket], sizes: Sizes) -> np.ndarray:
    """Number of the cheapest bucket that holds each example, [N] int16; -1 where none does."""
    shapes = np.asarray([dataclasses.astuple(b) for b in buckets])
    work = cost(shapes)
    assignment = np.full(len(sizes.heights), -1, np.int16)
    for number in np.argsort(work, kind="stable")[::-1]:  # cheaper ones overwrite
        height, width, length = shapes[number]
        fits = (sizes.heights <= height) & (sizes.widths <= width) & (sizes.lengths <= length)
        assignment[fits] = number
    return assignment


def largest(buckets: Sequence[Bucket]) -> Bucket:
    """The bucket whose examples are the most work."""
    shapes = np.asarray([dataclasses.astuple(b) for b in buckets])
    return buckets[int(np.argmax(cost(shapes)))]
