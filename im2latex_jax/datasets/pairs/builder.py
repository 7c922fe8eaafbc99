"""TFDS builder of pictures and formulas of your own, brought to the network's scale."""

import dataclasses
import hashlib
import logging
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from im2latex_jax import images
from im2latex_jax.datasets import makers, records
from im2latex_jax.datasets.pairs import pair_files
from im2latex_jax.datasets.preparation import Entry, Limits, list_rejected, read
from im2latex_jax.datasets.statistics import canonical_form
from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import workers

_log = logging.getLogger(__name__)


@dataclasses.dataclass
class PairsConfig(tfds.core.BuilderConfig):
    """Which pairs, and what is left out; with the contents of the files it names the folder.

    Attributes:
      file: `image path<TAB>formula` a line, see `im2latex_jax.datasets.pairs.pair_files`.
      validation_share, test_share: of the different formulas (spellings that draw the same are one
        formula), rounded, but one at least.
      seed: of the splits.
      max_height, max_width: in pixels at the network's scale; larger pictures are left out.
      max_tokens: longer formulas are left out.
    """

    name: str = ""  # made from the other fields and the contents of the files
    file: str = ""
    validation_share: float = 0.1
    test_share: float = 0.1
    seed: int = 0
    max_height: int = 160
    max_width: int = 800
    max_tokens: int = 200

    def __post_init__(self):
        if not self.file:
            raise Im2latexError(
                "pairs: name the file of your pictures and formulas: "
                "--config.dataset.options.file=PAIRS.tsv"
            )
        if min(self.max_height, self.max_width, self.max_tokens) < 1:
            raise Im2latexError("pairs: the limits of tokens, height and width must be positive")
        shares = (self.validation_share, self.test_share)
        if min(shares) < 0 or sum(shares) >= 1:
            raise Im2latexError(
                "pairs: validation_share and test_share must not be negative, their sum less than 1"
            )
        self.file = os.path.abspath(os.path.expanduser(self.file))
        if not self.name:
            limits = (self.max_height, self.max_width, self.max_tokens)
            digest = hashlib.sha256(repr((shares, self.seed, limits, makers.version())).encode())
            for pair in pair_files.read(self.file):
                digest.update(f"{pair.name}\t{pair.formula}\n".encode())
                if pair.image.is_file():
                    digest.update(pair.image.read_bytes())
            self.name = f"pairs_{digest.hexdigest()[:12]}"


class Pairs(tfds.core.GeneratorBasedBuilder):
    """Pictures and formulas of your own: screenshots, scans, pages of a book.

    Pictures are prepared as for recognition (dark on light, cropped, brought to the network's
    scale by the size of their writing); formulas are brought to the normal form. Pairs whose
    picture is missing, broken, blank or too large, or whose formula cannot be normalized or is too
    long, are left out, and listed with the reason in `rejected.tsv` beside the records. All
    pictures of one formula, in whatever spelling, come into one split: the splits are made of the
    canonical forms (see `latex.canonical`).

    Args (besides those of TFDS):
      num_workers: processes that read the pictures; 0 reads in this one; None takes a process a
        CPU.
    """

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {  # noqa: RUF012  (TFDS reads it from the class)
        "1.0.0": "First release.",
        "1.1.0": "Spellings of one formula come into one split.",
    }

    def __init__(self, *, num_workers: int | None = None, **kwargs: Any):
        kwargs["config"] = kwargs.get("config") or PairsConfig()
        super().__init__(**kwargs)
        self._num_workers = workers.available_cpus() if num_workers is None else num_workers
        self._final_directory = self.data_dir  # TFDS changes data_dir while it builds

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=records.features(),
            disable_shuffling=True,  # training shuffles
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        config = self.builder_config
        entries = [
            Entry(pair.name, pair.formula, pair.image, pair.line)
            for pair in pair_files.read(config.file)
        ]
        limits = Limits(config.max_height, config.max_width, config.max_tokens)
        results = list(read(entries, limits, read_picture, self._num_workers))
        rejected = [
            (entry, result)
            for entry, result in zip(entries, results, strict=True)
            if isinstance(result, str)
        ]
        usable = [result for result in results if not isinstance(result, str)]
        summary = list_rejected(pathlib.Path(self.data_dir), "", len(entries), rejected)
        if summary:
            _log.warning("pairs: %s, listed in %s/rejected.tsv", summary, self._final_directory)
        keys = [canonical_form(record["formula"]) for record in usable]
        formulas = set(keys)
        if len(formulas) < 3:
            why = f"; the first that is not: line {rejected[0][0].line}: {rejected[0][1]}"
            raise Im2latexError(
                f"{config.file}: {len(formulas)} different formulas are usable, and training, "
                f"validation and test need one each at least{why if rejected else ''}"
            )
        splits = deal(formulas, config.seed, config.validation_share, config.test_share)
        return {
            name: self._generate_examples(usable, keys, chosen) for name, chosen in splits.items()
        }

    def _generate_examples(
        self, usable: Sequence[dict[str, Any]], keys: Sequence[str], chosen: set[str]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, (record, key) in enumerate(zip(usable, keys, strict=True)):
            if key in chosen:
                # a name may stand there twice
                yield number, {**record, "id": f"{number} {record['id']}"}


def read_picture(path: pathlib.Path) -> np.ndarray:
    """The writing of any picture at the network's scale: uint8 `[height, width]`, black on white.

    Raises:
      ImageError: there is no usable picture (BlankImageError: nothing is written on it).
    """
    return 255 - images.prepare(path, margin=0, rescale=True)


def deal(
    formulas: set[str], seed: int, validation_share: float, test_share: float
) -> dict[str, set[str]]:
    """Deals different formulas, three at least, out to splits of about these shares, none empty."""

    def place(formula: str) -> bytes:
        return hashlib.blake2b(f"{seed}\0{formula}".encode(), digest_size=16).digest()

    shuffled = sorted(formulas, key=place)
    num_test = max(1, round(test_share * len(shuffled)))
    num_validation = max(1, round(validation_share * len(shuffled)))
    if num_test + num_validation >= len(shuffled):
        num_test, num_validation = 1, 1
    return {
        "train": set(shuffled[num_test + num_validation :]),
        "validation": set(shuffled[num_test : num_test + num_validation]),
        "test": set(shuffled[:num_test]),
    }
