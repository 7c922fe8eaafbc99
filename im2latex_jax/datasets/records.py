"""What a record of every data set holds, and how a finished data set is read."""

import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
import tqdm

from im2latex_jax.datasets import statistics
from im2latex_jax.datasets.shards import DamageError, Shards
from im2latex_jax.datasets.statistics import Statistics
from im2latex_jax.errors import CorruptRecordError

_MAX_NAMED = 10  # damaged records of a split that are named; all are counted


def features() -> tfds.features.FeaturesDict:
    """The features that every builder of this project has."""
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(
                shape=(None, None, 1), encoding_format="png", doc="black on white"
            ),
            "formula": tfds.features.Text(doc="normal form: tokens separated by single spaces"),
            "id": tfds.features.Text(doc="a unique name"),
            "height": tfds.features.Scalar(np.int32, doc="pixels"),
            "width": tfds.features.Scalar(np.int32, doc="pixels"),
        }
    )


class Split:
    """Random access to the records of one split of a finished data set.

    `split[i]` is a dictionary: `image` (PNG bytes, not decoded), `formula` and `id` (str),
    `height` and `width` (int, pixels). The statistics of all records are at hand without reading
    any (see `statistics`): `heights`, `widths` (pixels) and `lengths` (tokens of the formula),
    int32 `[len(split)]`. Pickles as its place on the disk, so that loader processes can have it.

    A record whose bytes are damaged raises `CorruptRecordError` when it is asked for. What looks at
    all records (`formulas`, and the statistics where they are not on the disk yet) raises that too
    or, with `skip_corrupt`, has an empty formula and zeros for such a record and adds its number to
    `corrupt`. Where the operating system refuses to read, nothing is known of the record: that is
    tried again for some seconds, and then an error in any case.
    """

    def __init__(
        self, builder_directory: str | os.PathLike, name: str, *, skip_corrupt: bool = False
    ):
        self.directory = os.fspath(builder_directory)
        self.name = name
        self.skip_corrupt = skip_corrupt
        self.corrupt: set[int] = set()

    def __reduce__(self):
        return functools.partial(Split, skip_corrupt=self.skip_corrupt), (self.directory, self.name)

    def __repr__(self) -> str:
        return f"Split({self.directory!r}, {self.name!r})"

    @functools.cached_property
    def _source(self) -> tuple[Shards, Callable[[bytes], dict[str, Any]]]:
        """The raw records, and what makes a record of its bytes."""
        info = tfds.builder_from_directory(self.directory).info
        split = info.splits[self.name]
        decoders = {"image": tfds.decode.SkipDecoding()}

        def parse(raw: bytes) -> dict[str, Any]:
            return _plain(info.features.deserialize_example_np(raw, decoders=decoders))

        return Shards(split.filepaths, split.shard_lengths), parse

    def __len__(self) -> int:
        return len(self._source[0])

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        index %= len(self)
        shards, parse = self._source
        try:
            return shards.read(index, parse)
        except DamageError as error:
            raise CorruptRecordError(
                f"{self.place(index)} cannot be read ({str(error)[:120]}): delete {self.directory} "
                "to build the data set again, or set --config.dataset.on_corrupt=skip to do "
                "without what is damaged"
            ) from error

    def place(self, index: int) -> str:
        """File of a record, and its number there (from 0)."""
        file, position = self._source[0].place(index)
        return f"{file}: record {position}"

    def note_corrupt(self, index: int, error: CorruptRecordError) -> None:
        """Counts a damaged record that is skipped, and names it on standard error."""
        if index in self.corrupt:
            return
        self.corrupt.add(index)
        if len(self.corrupt) <= _MAX_NAMED:
            tqdm.tqdm.write(f"skipped a record of split {self.name!r}: {error}", file=sys.stderr)

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """All records with their numbers, without the damaged ones if those are to be skipped."""
        for index in range(len(self)):
            try:
                yield index, self[index]
            except CorruptRecordError as error:
                if not self.skip_corrupt:
                    raise
                self.note_corrupt(index, error)

    @functools.cached_property
    def statistics(self) -> Statistics:
        """What is known of all records; see `statistics.load`."""
        return statistics.load(self)

    @functools.cached_property
    def heights(self) -> np.ndarray:
        return self.statistics.heights.astype(np.int32)

    @functools.cached_property
    def widths(self) -> np.ndarray:
        return self.statistics.widths.astype(np.int32)

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        return self.statistics.lengths.astype(np.int32)

    @functools.cached_property
    def formulas(self) -> list[str]:
        """The formulas of all records, in order: a few seconds for 100,000."""
        formulas = [""] * len(self)
        for index, record in self._records():
            formulas[index] = record["formula"]
        return formulas


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "image": record["image"],
        "formula": record["formula"].decode(),
        "id": record["id"].decode(),
        "height": int(record["height"]),
        "width": int(record["width"]),
    }
