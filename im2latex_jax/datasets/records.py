"""What a record of every data set holds, and how a finished data set is read."""

import contextlib
import functools
import os
import pathlib
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
import tqdm

from im2latex_jax import whole_files
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
    `height` and `width` (int, pixels). The figures of all records are at hand without reading any:
    `heights`, `widths` (pixels) and `lengths` (tokens of the formula), int32 `[len(split)]`.
    Pickles as its place on the disk, so that loader processes can have it.

    A record whose bytes are damaged raises `CorruptRecordError` when it is asked for. What looks at
    all records (`formulas`, and the figures where they are not on the disk yet) raises that too or,
    with `skip_corrupt`, has an empty formula and zeros for such a record and adds its number to
    `corrupt`.
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
    def _source(self) -> Sequence[Mapping[str, Any]]:
        builder = tfds.builder_from_directory(self.directory)
        return builder.as_data_source(self.name, decoders={"image": tfds.decode.SkipDecoding()})

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        index %= len(self)
        try:
            return _plain(self._source[index])
        except (RuntimeError, ValueError, AttributeError, LookupError, OSError) as error:
            # ArrayRecord gives nothing at all for records of a file whose end is missing.
            reason = "nothing is there" if isinstance(error, AttributeError) else str(error)
            raise CorruptRecordError(
                f"{self.place(index)} cannot be read ({reason[:120]}): delete {self.directory} to "
                "build the data set again, or set --config.dataset.on_corrupt=skip to do without "
                "what is damaged"
            ) from error

    def place(self, index: int) -> str:
        """File of a record, and its number there (from 0)."""
        info = tfds.builder_from_directory(self.directory).info.splits[self.name]
        for file, count in zip(info.filepaths, info.shard_lengths, strict=True):
            if index < count:
                return f"{file}: record {index}"
            index -= count
        raise IndexError(f"record {index} after the last one")

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
    def _index(self) -> dict[str, np.ndarray]:
        path = pathlib.Path(self.directory) / f"index-{self.name}.npz"
        try:
            with np.load(path) as index:
                return dict(index)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            pass  # none yet, or a damaged one: it can be made again
        heights, widths, lengths = np.zeros((3, len(self)), np.int32)
        for number, record in self._records():
            heights[number], widths[number] = record["height"], record["width"]
            lengths[number] = len(record["formula"].split())
        index = {"heights": heights, "widths": widths, "lengths": lengths}
        # Where the data set is another's, or its disk is full, the index is made at every start.
        if not self.corrupt:
            with (
                contextlib.suppress(OSError),
                whole_files.replacing(path) as part,
                part.open("wb") as file,
            ):
                np.savez(file, **index)
        return index

    @property
    def heights(self) -> np.ndarray:
        return self._index["heights"]

    @property
    def widths(self) -> np.ndarray:
        return self._index["widths"]

    @property
    def lengths(self) -> np.ndarray:
        return self._index["lengths"]

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
