"""Several finished datasets as one: their records one after the other, some of them repeated."""

import collections
import dataclasses
import hashlib
import itertools
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from im2latex_jax.datasets.records import Split
from im2latex_jax.datasets.statistics import Statistics
from im2latex_jax.errors import CorruptRecordError, Im2latexError

_SPLITS = ("train", "validation", "test")


@dataclasses.dataclass
class MixtureConfig:
    """Which datasets are mixed.

    Attributes:
      folders: of finished datasets (see `experiments.tools.build_dataset`), or links to them;
        relative to the folder of datasets.
      repeats: how often the training split of each stands in an epoch; () for once. A dataset that
        is small and matters is seen more often that way.
    """

    folders: Sequence[str] = ()
    repeats: Sequence[int] = ()

    def __post_init__(self) -> None:
        if not self.folders:
            raise Im2latexError("mixture: name at least one dataset in `folders`")
        self.repeats = tuple(self.repeats) or (1,) * len(self.folders)
        if len(self.repeats) != len(self.folders) or min(self.repeats) < 1:
            raise Im2latexError(
                f"mixture: repeats must be {len(self.folders)} positive numbers, one for each of "
                f"folders, not {self.repeats}"
            )


class MixedSplit:
    """One split of several datasets, with the interface of `records.Split`.

    Attributes:
      name: of the split.
      parts: the splits of the datasets, each once.
      repeats: how often the records of each stand here, one repetition after the other.
    """

    def __init__(self, name: str, parts: Sequence[Split], repeats: Sequence[int]):
        self.name = name
        self.parts = tuple(parts)
        self.repeats = tuple(repeats)
        self._places = [
            part for part, repeat in enumerate(self.repeats) for _ in range(repeat)
        ]  # number of the part of each run of records
        sizes = [len(self.parts[part]) for part in self._places]
        self._ends = np.asarray(list(itertools.accumulate(sizes)))
        self._statistics: Statistics | None = None

    def __reduce__(self) -> tuple[Any, ...]:  # without the statistics, which workers do not need
        return MixedSplit, (self.name, self.parts, self.repeats)

    @property
    def directory(self) -> str:
        """The folders, for people."""
        return ", ".join(part.directory for part in self.parts)

    @property
    def skip_corrupt(self) -> bool:
        return all(part.skip_corrupt for part in self.parts)

    @skip_corrupt.setter
    def skip_corrupt(self, value: bool) -> None:
        for part in self.parts:
            part.skip_corrupt = value

    @property
    def corrupt(self) -> set[int]:
        """Numbers of damaged records that were met."""
        starts = self._ends - [len(self.parts[part]) for part in self._places]
        return {
            int(start) + index
            for start, part in zip(starts, self._places, strict=True)
            for index in self.parts[part].corrupt
        }

    def __len__(self) -> int:
        return int(self._ends[-1])

    def _find(self, index: int) -> tuple[Split, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        index %= len(self)
        run = int(np.searchsorted(self._ends, index, side="right"))
        part = self.parts[self._places[run]]
        return part, index - int(self._ends[run]) + len(part)

    def __getitem__(self, index: int) -> dict[str, Any]:
        part, number = self._find(index)
        return part[number]

    def place(self, index: int) -> str:
        """File of a record, and its number there (from 0)."""
        part, number = self._find(index)
        return part.place(number)

    def note_corrupt(self, index: int, error: CorruptRecordError) -> None:
        """Counts a damaged record that is skipped, and names it on standard error."""
        part, number = self._find(index)
        part.note_corrupt(number, error)

    @property
    def statistics(self) -> Statistics:
        """Of all records; each part's tokens are counted once."""
        if self._statistics is None:
            parts = [part.statistics for part in self.parts]
            runs = [parts[part] for part in self._places]
            counts: collections.Counter[str] = collections.Counter()
            for part in parts:
                counts.update(part.token_counts)
            fingerprints = [part.fingerprint for part in parts]
            text = repr((fingerprints, self.repeats)).encode()
            fingerprint = hashlib.sha256(text).hexdigest()[:16]
            self._statistics = Statistics(
                heights=np.concatenate([run.heights for run in runs]),
                widths=np.concatenate([run.widths for run in runs]),
                lengths=np.concatenate([run.lengths for run in runs]),
                digests=np.concatenate([run.digests for run in runs]),
                token_counts=counts,
                fingerprint=None if None in fingerprints else fingerprint,
            )
        return self._statistics

    @property
    def heights(self) -> np.ndarray:
        return self.statistics.heights.astype(np.int32)

    @property
    def widths(self) -> np.ndarray:
        return self.statistics.widths.astype(np.int32)

    @property
    def lengths(self) -> np.ndarray:
        return self.statistics.lengths.astype(np.int32)

    @property
    def formulas(self) -> list[str]:
        """The formulas of all records, in order."""
        texts = [part.formulas for part in self.parts]
        return [formula for part in self._places for formula in texts[part]]


def load(config: MixtureConfig, data_dir: str | os.PathLike) -> dict[str, MixedSplit]:
    """Opens the datasets of a mixture; validation and test have every record once.

    Raises:
      Im2latexError: a folder holds no finished dataset.
    """
    folders = [pathlib.Path(data_dir, folder).resolve() for folder in config.folders]
    for folder in folders:
        if not (folder / "dataset_info.json").exists():
            raise Im2latexError(
                f"{folder}: holds no finished dataset (dataset_info.json is missing): build it "
                "first, or correct --config.dataset.options.folders"
            )
    once = (1,) * len(folders)
    return {
        name: MixedSplit(
            name,
            [Split(folder, name) for folder in folders],
            config.repeats if name == "train" else once,
        )
        for name in _SPLITS
    }
