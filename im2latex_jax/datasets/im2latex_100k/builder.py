"""TFDS builder of im2latex-100k: pages to cropped formulas at 100 dpi, text to normal form."""

import dataclasses
import hashlib
import itertools
import logging
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.util import DownloadError

from im2latex_jax.datasets import makers, records
from im2latex_jax.datasets.im2latex_100k import pages, release
from im2latex_jax.datasets.preparation import Entry, Limits, list_rejected, read
from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import workers

_RECORD_URL = "https://zenodo.org/record/56198/files"
_CITATION = """\
@inproceedings{deng2017image,
  title={Image-to-Markup Generation with Coarse-to-Fine Attention},
  author={Deng, Yuntian and Kanervisto, Anssi and Ling, Jeffrey and Rush, Alexander M.},
  booktitle={International Conference on Machine Learning},
  year={2017}
}
"""

_log = logging.getLogger(__name__)


@dataclasses.dataclass
class Im2latex100kConfig(tfds.core.BuilderConfig):
    """Where the release is, and which entries are left out.

    Attributes:
      source: folder with the unpacked release (the files named in `release`); None downloads it.
      max_height, max_width: in pixels at 100 dpi; larger pictures are left out.
      max_tokens: longer formulas are left out.
    """

    name: str = ""  # made from the other fields and the contents of the release's lists
    source: str | None = None
    max_height: int = 160
    max_width: int = 800
    max_tokens: int = 300

    def __post_init__(self):
        limits = (self.max_height, self.max_width, self.max_tokens)
        if min(limits) < 1:
            raise Im2latexError(f"im2latex_100k: the limits must be positive, not {limits}")
        if not self.name:
            digest = hashlib.sha256(repr((limits, makers.version())).encode())
            if self.source is not None:
                self.source = os.path.abspath(os.path.expanduser(self.source))
                files = release.find(pathlib.Path(self.source))
                for path in (files.formulas, *files.lists.values()):
                    digest.update(path.read_bytes())
            origin = "download" if self.source is None else "folder"
            self.name = f"{origin}_{digest.hexdigest()[:8]}"


class Im2latex100k(tfds.core.GeneratorBasedBuilder):
    """im2latex-100k (Deng et al. 2017), from the official release.

    Pages are composed over white, cropped to the formula and halved from 200 to 100 dpi; formulas
    are brought to the normal form. Entries whose picture is missing, broken, blank or too large,
    or whose formula cannot be normalized or is too long, are left out, and listed with the reason
    in `rejected.tsv` beside the records (split, line of its list, image name, reason).

    Without a `source` folder the release is downloaded from Zenodo record 56198. The download was
    tested against a stand-in for that server only. No checksums are known, so none are checked.

    Args (besides those of TFDS):
      num_workers: processes that read the pages; 0 reads in this one; None takes a process a CPU.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012  (TFDS reads it from the class)
    name = "im2latex_100k"

    def __init__(self, *, num_workers: int | None = None, record_url: str = _RECORD_URL, **kwargs):
        kwargs["config"] = kwargs.get("config") or Im2latex100kConfig()
        super().__init__(**kwargs)
        self._num_workers = workers.available_cpus() if num_workers is None else num_workers
        self._record_url = record_url
        self._final_directory = self.data_dir  # TFDS changes data_dir while it builds

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=records.features(),
            homepage="https://zenodo.org/record/56198",
            citation=_CITATION,
            disable_shuffling=True,  # the lists are shuffled
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        if self.builder_config.source is None:
            files = self._download(dl_manager)
        else:
            files = release.find(pathlib.Path(self.builder_config.source))
        entries = release.read(files)
        # TFDS exhausts one split before it begins the next: one pool of workers serves all.
        config = self.builder_config
        limits = Limits(config.max_height, config.max_width, config.max_tokens)
        all_entries = list(itertools.chain.from_iterable(entries.values()))
        results = read(all_entries, limits, pages.read_page, self._num_workers)
        return {split: self._generate_examples(split, entries[split], results) for split in entries}

    def _download(self, dl_manager: tfds.download.DownloadManager) -> release.Files:
        archive = f"{release.IMAGES}.tar.gz"
        names = {**release.LISTS, "formulas": release.FORMULAS, "images": archive}
        urls = {key: f"{self._record_url}/{name}" for key, name in names.items()}
        try:
            paths = {key: pathlib.Path(path) for key, path in dl_manager.download(urls).items()}
        except (OSError, DownloadError) as error:
            raise Im2latexError(
                f"cannot download im2latex-100k from {self._record_url} "
                f"({' '.join(str(error).split())[:200]}): "
                "fetch the release by hand and name its folder as the source"
            ) from error
        # TFDS would need TensorFlow to unpack it.
        images = release.unpack_images(paths["images"])
        return release.Files(
            paths["formulas"], {split: paths[split] for split in release.LISTS}, images
        )

    def _generate_examples(
        self, split: str, entries: list[Entry], results: Iterator[dict[str, Any] | str]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        rejected: list[tuple[Entry, str]] = []
        for number, entry in enumerate(entries):
            result = next(results)
            if isinstance(result, str):
                rejected.append((entry, result))
            else:
                yield number, result
        if len(rejected) == len(entries):
            entry, reason = rejected[0]
            raise Im2latexError(
                f"im2latex_100k: none of the {len(entries)} entries for {split} is usable; "
                f"the first is {entry.image}: {reason}"
            )
        summary = list_rejected(pathlib.Path(self.data_dir), split, len(entries), rejected)
        if summary:
            _log.warning(
                "im2latex_100k: %s, listed in %s/rejected.tsv", summary, self._final_directory
            )
