"""TFDS builder of a data set from any lists of formulas: the stages, one after the other."""

import contextlib
import dataclasses
import glob
import hashlib
import logging
import os
import pathlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds
import tqdm

from im2latex_jax import images
from im2latex_jax.datasets import makers, records
from im2latex_jax.datasets.corpus import card, chunks, drawing, selection
from im2latex_jax.datasets.corpus.looks import Look, check_looks, choose_look
from im2latex_jax.datasets.corpus.selection import SPLITS, Candidate, Rejected
from im2latex_jax.datasets.corpus.sources import Columns, Source, SourceError, unique_names
from im2latex_jax.errors import Im2latexError
from im2latex_jax.rendering import browser
from im2latex_jax.rendering.tex import sandbox
from im2latex_jax.runtime import locks, workers

_log = logging.getLogger(__name__)


@dataclasses.dataclass
class CorpusConfig(tfds.core.BuilderConfig):
    """Which formulas, and what becomes of them; with the files' contents it names the folder.

    Attributes:
      files: lists of formulas, paths or patterns such as `data/*.txt.gz`: a formula a line, or TSV;
        plain, .xz, .gz or .bz2.
      encoding: of the files.
      formula_column: of a TSV; a number from 0, or a name in the first line. "": the whole line.
      group_column: of what must not be torn apart, such as the paper's number: all formulas of a
        group come into one split. "": every formula by itself.
      kind_column, kinds: only lines with one of these words in this column are taken.
      exclude: files with formulas of an evaluation set, one a line: none comes into any split.
      validation_share, test_share: of the groups, about.
      seed: of the splits and the styles.
      canonical: records hold the canonical form of the formulas, one spelling a picture, instead
        of the normal form, which is that of im2latex-100k.
      min_tokens, max_tokens: of that form.
      max_height, max_width: of the picture, in pixels at the network's scale (100 dpi).
      engine: `latex`, or `mathtext` where there is no TeX.
      looks: shares of formulas that are drawn otherwise and brought to the size of the rest, which
        is drawn by the engine in 12 point Computer Modern at 100 dpi. `styled`: by the engine in a
        random style (see `rendering.styles`); `katex`, `mathjax`: as web pages show them (see
        `rendering.browser`); `mathtext`: in one of matplotlib's fonts. What these cannot draw, the
        engine draws.
      web_packages: folder of the npm packages of `katex` and `mathjax`.
      keep_repeated: keeps formulas that stand in the lists several times, each in a look of its
        own, as long as they come into one split.
    """

    name: str = ""  # made from the other fields and the contents of the files
    files: Sequence[str] = ()
    encoding: str = "utf-8"
    formula_column: str = ""
    group_column: str = ""
    kind_column: str = ""
    kinds: Sequence[str] = ()
    exclude: Sequence[str] = ()
    validation_share: float = 0.02
    test_share: float = 0.02
    seed: int = 0
    canonical: bool = False
    min_tokens: int = 1
    max_tokens: int = 200
    max_height: int = 160
    max_width: int = 800
    engine: str = "latex"
    looks: Mapping[str, float] = dataclasses.field(default_factory=dict)
    web_packages: str = ""
    keep_repeated: bool = False

    def __post_init__(self):
        self.files = _paths(self.files)
        self.exclude = _paths(self.exclude)
        self.kinds = (self.kinds,) if isinstance(self.kinds, str) else tuple(self.kinds)
        for role in ("formula_column", "group_column", "kind_column"):
            setattr(self, role, str(getattr(self, role)))
        if not self.files:
            raise Im2latexError("corpus: name at least one file of formulas in `files`")
        if min(self.min_tokens, self.max_tokens, self.max_height, self.max_width) < 1:
            raise Im2latexError("corpus: the limits of tokens, height and width must be positive")
        shares = (self.validation_share, self.test_share)
        if min(shares) <= 0 or sum(shares) >= 1:
            raise Im2latexError(
                "corpus: validation_share and test_share must be positive, their sum less than 1"
            )
        if self.seed < 0:
            raise Im2latexError(f"corpus: seed must be 0 or more, not {self.seed}")
        self.looks = check_looks(dict(self.looks))
        if set(self.looks) & set(browser.ENGINES) and not self.web_packages:
            raise Im2latexError(
                "corpus: looks has katex or mathjax: name the folder of their npm packages in "
                "web_packages (npm install katex mathjax@3)"
            )
        if self.engine not in drawing.ENGINES:
            raise Im2latexError(
                f"corpus: unknown engine {self.engine!r}: choose {' or '.join(drawing.ENGINES)}"
            )
        if not self.name:
            digest = hashlib.sha256(repr((self.settings(), makers.version())).encode())
            for source in (*self.sources(), *self.exclusions()):
                digest.update(source.digest())
            self.name = f"{self.engine}_{digest.hexdigest()[:12]}"

    def settings(self) -> dict[str, Any]:
        """All fields; of the files only the names, so that it does not matter where they lie."""
        fields = dataclasses.asdict(self)
        for field in dataclasses.fields(tfds.core.BuilderConfig):
            del fields[field.name]
        del fields["web_packages"]
        for files in ("files", "exclude"):
            fields[files] = tuple(os.path.basename(path) for path in fields[files])
        return fields

    def sources(self) -> list[Source]:
        """The lists of formulas."""
        columns = Columns(
            self.formula_column, self.group_column, self.kind_column, tuple(self.kinds)
        )
        return [Source(path, columns, self.encoding) for path in self.files]

    def exclusions(self) -> list[Source]:
        """The lists of formulas to exclude."""
        return [Source(path) for path in self.exclude]

    def excluded(self) -> tuple[set[bytes], int]:
        """What `selection.excluded_digests` makes of the formulas to exclude."""
        return selection.excluded_digests(
            line.formula for source in self.exclusions() for line in source.lines()
        )

    def look_of(self, candidate: Candidate) -> Look:
        """How a formula is drawn."""
        return choose_look(candidate, self.engine, self.seed, self.looks, self.keep_repeated)

    def tools(self) -> drawing.Tools:
        """What formulas are drawn with."""
        return drawing.Tools(self.engine, self.web_packages)

    def limits(self) -> drawing.Limits:
        """What pictures are too large."""
        return drawing.Limits(self.max_height, self.max_width)

    def rules(self) -> selection.Rules:
        """What chooses the formulas."""
        names = [field.name for field in dataclasses.fields(selection.Rules)]
        return selection.Rules(**{name: getattr(self, name) for name in names})


def _paths(patterns: str | Sequence[str]) -> tuple[str, ...]:
    """The files that paths and patterns name, each once."""
    found: dict[str, None] = {}
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        path = os.path.expanduser(pattern)
        matches = sorted(glob.glob(path)) if not os.path.exists(path) else [path]
        if not matches:
            raise SourceError(f"{pattern}: there is no such file of formulas")
        found |= dict.fromkeys(map(os.path.abspath, matches))
    return tuple(found)


class Corpus(tfds.core.GeneratorBasedBuilder):
    """Formulas from any lists, in normal or canonical form, drawn by TeX or mathtext.

    Beside the records lie a data card (`README.md`, `card.json`, `card.png`), `tokens.tsv` (how
    often each token comes) and `rejected.tsv` (each line that was left out, and why).

    While it is built, finished pictures are kept in a work folder in `data_dir`: a build that was
    killed goes on from there. The same files and settings give the same records on any number of
    workers, whether or not the build was interrupted.

    Args (besides those of TFDS):
      num_workers: processes that draw; 0 draws in this one; None takes a process a CPU.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012  (TFDS reads it from the class)

    def __init__(self, *, num_workers: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self._num_workers = workers.available_cpus() if num_workers is None else num_workers
        self._final_directory = pathlib.Path(self.data_dir)  # TFDS changes it while it builds
        self._work = pathlib.Path(self.data_dir_root) / f"corpus-{self.builder_config.name}.work"

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self, description=Corpus.__doc__, features=records.features()
        )

    def download_and_prepare(self, **arguments: Any) -> None:
        """Builds the data set, or goes on where a build was interrupted; see TFDS."""
        if self.is_prepared():
            shutil.rmtree(self._work, ignore_errors=True)  # killed just before it was done
            return
        with _claimed(self._work):
            super().download_and_prepare(**arguments)
            shutil.rmtree(self._work)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        config = self.builder_config
        if config.engine == "latex":
            sandbox.require_programs()
        sources = config.sources()
        tally = card.Tally(config.settings(), unique_names([source.path for source in sources]))
        chosen = self._choose(sources, tally)
        plans = {
            split: list(
                drawing.plan(
                    [(candidate, config.look_of(candidate)) for candidate in chosen[split]],
                    config.tools(),
                    self._work,
                )
            )
            for split in SPLITS
        }
        jobs = [job for split in SPLITS for _, job in plans[split]]
        # TFDS exhausts one split before it begins the next: one pool of workers serves all.
        drawn = self._draw(jobs)
        return {
            split: self._generate_examples(split, plans[split], drawn, tally) for split in SPLITS
        }

    def _choose(self, sources: list[Source], tally: card.Tally) -> dict[str, list[Candidate]]:
        """Reads, normalizes, excludes, removes duplicates and deals out."""
        config, rules = self.builder_config, self.builder_config.rules()
        excluded, refused = config.excluded()
        candidates = []
        results = selection.read(sources, rules, self._num_workers, images.use_one_thread)
        for result in tqdm.tqdm(
            results, desc="Normalizing", unit="formula", disable=not sys.stderr.isatty()
        ):
            if isinstance(result, Rejected):
                tally.reject(result)
            else:
                candidates.append(result)
        chosen, left_out = selection.choose(candidates, excluded, rules)
        for split, rejected in left_out:
            tally.reject(rejected, split)
        tally.exclude(len(excluded), refused)
        for number, source in enumerate(sources):
            tally.read(number, card.describe(source))
            if source.remark:
                _log.warning("corpus: %s", source.remark)
        for split in SPLITS:
            if not chosen[split]:
                raise Im2latexError(
                    f"corpus: no formula is left for {split}: {tally.summary()}; "
                    "give more formulas or groups, or a larger share"
                )
        return chosen

    def _draw(self, jobs: Sequence[drawing.Job]) -> Iterator[list[chunks.Picture]]:
        """The pictures of each job, in order."""
        results = workers.ordered_map(drawing.draw, jobs, self._num_workers, images.use_one_thread)
        total = sum(len(job.formulas) for job in jobs)
        resumed = 0
        with tqdm.tqdm(
            total=total, desc="Drawing", unit="formula", disable=not sys.stderr.isatty()
        ) as bar:
            for path, was_there in results:
                pictures = chunks.read(path)
                if pictures is None:
                    raise Im2latexError(f"{path}: was changed while it was in use; run again")
                bar.update(len(pictures))
                resumed += len(pictures) * was_there
                yield pictures
        if resumed:
            _log.warning("corpus: %d of %d pictures were there from an earlier run", resumed, total)

    def _generate_examples(
        self,
        split: str,
        plan: Sequence[tuple[list[Candidate], drawing.Job]],
        drawn: Iterator[list[chunks.Picture]],
        tally: card.Tally,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        limits = self.builder_config.limits()
        for candidates, _ in plan:
            for candidate, picture in zip(candidates, next(drawn), strict=True):
                reason = drawing.problem(picture, limits)
                if reason:
                    tally.reject(Rejected(candidate.source, candidate.line, reason), split)
                else:
                    tally.keep(split, candidate, picture.size)
                    yield record(tally.names[candidate.source], candidate, picture)
        if not tally.kept[split]:
            raise Im2latexError(
                f"corpus: no formula is left for {split} when drawn: {tally.summary()}"
            )
        if split == SPLITS[-1]:
            next(drawn, None)  # lets the workers go
            tally.write(pathlib.Path(self.data_dir))
            _log.warning("corpus: %s; see %s", tally.summary(), self._final_directory / "README.md")


def record(
    source: str, candidate: Candidate, picture: chunks.Picture
) -> tuple[str, dict[str, Any]]:
    """A record's key, and the record."""
    name = f"{source}:{candidate.line}"
    return name, {
        "image": picture.png,
        "formula": candidate.formula,
        "id": name,
        "height": picture.height,
        "width": picture.width,
    }


def _claimed(folder: pathlib.Path) -> contextlib.AbstractContextManager[None]:
    """Makes the work folder and keeps other builds out of it, until this process ends or is killed.

    Raises:
      Im2latexError: on entering: another process builds the same data set.
    """
    return locks.held(
        folder / "lock", f"{folder}: another process builds this data set; wait for it to end"
    )
