"""What a record of every data set holds, and how a finished data set is read."""

import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from im2latex_jax import whole_files


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
    """

    def __init__(self, builder_directory: str | os.PathLike, name: str):
        self.directory = os.fspath(builder_directory)
        self.name = name

    def __reduce__(self):
        return Split, (self.directory, self.name)

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
        return _plain(self._source[index % len(self)])

    @functools.cached_property
    def _index(self) -> dict[str, np.ndarray]:
        path = pathlib.Path(self.directory) / f"index-{self.name}.npz"
        if not path.exists():
            _write_index(path, self)
        with np.load(path) as index:
            return dict(index)

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
        return [self[index]["formula"] for index in range(len(self))]


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "image": record["image"],
        "formula": record["formula"].decode(),
        "id": record["id"].decode(),
        "height": int(record["height"]),
        "width": int(record["width"]),
    }


def _write_index(path: pathlib.Path, split: Split) -> None:
    """Writes the figures of all records beside them: the whole file or none of it."""
    figures = np.zeros((3, len(split)), np.int32)
    for index in range(len(split)):
        record = split[index]
        figures[:, index] = record["height"], record["width"], len(record["formula"].split())
    heights, widths, lengths = figures
    with whole_files.replacing(path) as part, part.open("wb") as file:
        np.savez(file, heights=heights, widths=widths, lengths=lengths)
