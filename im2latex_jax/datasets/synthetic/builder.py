"""TFDS builder of the embedded data set: `grammar` writes the formulas, mathtext draws them."""

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import sys
from collections.abc import Collection, Generator, Iterator
from typing import Any

import tensorflow_datasets as tfds
import tqdm

from im2latex_jax.datasets import makers, records
from im2latex_jax.datasets.synthetic import drawing
from im2latex_jax.errors import Im2latexError
from im2latex_jax.rendering import mathtext
from im2latex_jax.runtime import workers

Example = tuple[int, dict[str, Any]]

_SHORT_KEYS = 10**9  # the keys of short formulas begin here
_CHUNK = 100  # formulas that a worker draws at a time
# Formulas generated in a row of which none is new and fits, after which there is no hope.
_PATIENCE = 10_000


@dataclasses.dataclass
class SyntheticConfig(tfds.core.BuilderConfig):
    """Everything that the formulas and pictures depend on; it gives the folder its name.

    Attributes:
      seed: of the formulas and of the choice of font and size.
      num_train, num_validation, num_test: formulas in each split. The test formulas come first out
        of the generator, so they stay the same whatever the size of the training split.
      num_short: short formulas added to the training split, from single symbols up, to begin the
        training with. They may repeat each other in other fonts, but none of another split.
      fonts: of mathtext, one chosen for each formula.
      font_sizes: in points, one chosen for each formula.
      dpi: pixels an inch.
      max_height, max_width: in pixels; a formula whose picture is larger is left out.
    """

    name: str = ""  # made from the other fields
    seed: int = 0
    num_train: int = 48_000
    num_short: int = 12_000
    num_validation: int = 1_000
    num_test: int = 1_000
    fonts: tuple[str, ...] = ("cm", "dejavusans", "dejavuserif")
    font_sizes: tuple[float, ...] = (13.0, 14.0, 15.0)
    dpi: int = 100
    max_height: int = 64
    max_width: int = 320

    def __post_init__(self):
        self.fonts = tuple(self.fonts)
        self.font_sizes = tuple(float(size) for size in self.font_sizes)
        if min(self.num_train, self.num_validation, self.num_test) < 1:
            raise Im2latexError("synthetic: each split needs at least one formula")
        if self.seed < 0 or self.num_short < 0:
            raise Im2latexError("synthetic: seed and num_short must be 0 or more")
        unknown = set(self.fonts) - set(mathtext.FONTS)
        if unknown or not self.fonts:
            raise Im2latexError(
                f"synthetic: fonts must be some of {', '.join(mathtext.FONTS)}, not {self.fonts}"
            )
        if not self.font_sizes:
            raise Im2latexError("synthetic: font_sizes is empty")
        if not self.name:
            looks = (self.fonts, self.font_sizes, self.dpi, self.max_height, self.max_width)
            looks += (makers.version(), makers.version("matplotlib"))
            digest = hashlib.sha256(repr(looks).encode()).hexdigest()[:8]
            sizes = f"{self.num_train}_{self.num_short}_{self.num_validation}_{self.num_test}"
            self.name = f"seed{self.seed}_{sizes}_{digest}"


class Synthetic(tfds.core.GeneratorBasedBuilder):
    """Generated formulas in the normal form of im2latex-100k, drawn in several fonts and sizes.

    The same configuration gives the same records, in the same order, on any number of workers.

    Args (besides those of TFDS):
      num_workers: processes that draw; 0 draws in this one; None takes a process a CPU.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012  (TFDS reads it from the class)

    def __init__(self, *, num_workers: int | None = None, **kwargs: Any):
        kwargs["config"] = kwargs.get("config") or SyntheticConfig()
        super().__init__(**kwargs)
        self._num_workers = workers.available_cpus() if num_workers is None else num_workers

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=records.features(),
            disable_shuffling=True,  # the formulas have no order to hide
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        config = self.builder_config
        sizes = {
            "test": config.num_test,
            "validation": config.num_validation,
            "train": config.num_train,
        }
        total = sum(sizes.values())
        bar = tqdm.tqdm(
            total=total + config.num_short,
            desc="Drawing formulas",
            unit="formula",
            disable=not sys.stderr.isatty(),
        )
        seen: set[str] = set()
        long = self._distinct(total, seen, bar)
        # TFDS exhausts one split before it begins the next: one stream serves all three.
        splits: dict[str, Iterator[Example]] = {
            name: itertools.islice(long, size) for name, size in sizes.items()
        }
        splits["train"] = itertools.chain(splits["train"], self._short(seen, bar))
        return splits

    def _generate_examples(self) -> Iterator:
        raise AssertionError("the splits share one generator: see _split_generators")

    def _drawn(self, *, short: bool) -> Generator[Example | None, None, None]:
        """Yields all formulas that fit the limits, without end, each as key and example.

        After each chunk of formulas, also of those that do not fit, None is yielded.
        """
        config = self.builder_config
        look = drawing.Look(
            config.fonts, config.font_sizes, config.dpi, config.max_height, config.max_width
        )
        draw = functools.partial(drawing.draw_chunk, config.seed, look, short)
        chunks = (range(start, start + _CHUNK) for start in itertools.count(0, _CHUNK))
        results = workers.ordered_map(draw, chunks, self._num_workers, drawing.prepare_worker)
        with contextlib.closing(results):
            for chunk in results:
                yield from chunk
                yield None

    def _distinct(self, total: int, seen: set[str], bar: tqdm.tqdm) -> Iterator[Example]:
        """Yields the first `total` different formulas, and adds them to `seen`."""
        with contextlib.closing(self._drawn(short=False)) as drawn:
            for index, example in self._new(drawn, seen):
                seen.add(example["formula"])
                bar.update()
                yield index, example
                if len(seen) == total:
                    return

    def _short(self, seen: Collection[str], bar: tqdm.tqdm) -> Iterator[Example]:
        """Yields the short formulas, without those of the long ones."""
        with bar, contextlib.closing(self._drawn(short=True)) as drawn:
            new = self._new(drawn, seen)
            for index, example in itertools.islice(new, self.builder_config.num_short):
                bar.update()
                yield _SHORT_KEYS + index, example

    def _new(self, drawn: Iterator[Example | None], seen: Collection[str]) -> Iterator[Example]:
        """Yields the formulas that are not in `seen`.

        Raises:
          Im2latexError: of the last _PATIENCE formulas none is new and fits the limits.
        """
        chunks_left = patience = _PATIENCE // _CHUNK
        for drawing_ in drawn:
            if drawing_ is None:
                chunks_left -= 1
            elif drawing_[1]["formula"] not in seen:
                chunks_left = patience
                yield drawing_
            if not chunks_left:
                config = self.builder_config
                raise Im2latexError(
                    f"synthetic: {_PATIENCE:,} formulas in a row gave no new one whose picture is "
                    f"at most {config.max_width} pixels wide and {config.max_height} high: raise "
                    "max_width and max_height, or ask for fewer formulas"
                )
