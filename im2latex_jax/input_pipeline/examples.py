"""A data set's splits as the network sees them: prepared pictures and token ids."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from im2latex_jax import images, input_pipeline
from im2latex_jax.datasets.records import Split
from im2latex_jax.errors import CorruptRecordError, Im2latexError
from im2latex_jax.input_pipeline import augmentation
from im2latex_jax.latex.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """One split, ready for batches.

    Attributes:
      split: the records.
      vocabulary: numbers the tokens.
      sizes: of the prepared images in pixels as they are stored, and of the captions in steps.
      augmented_sizes: the same when they are augmented, at the most.
      kept: [N] bool; False for examples over the size limits.
      augmentable: [N] bool; False for examples that would be over the limits when augmented.
      settings: how images are augmented; `augmentation.OFF` for evaluation.
      seed: of the augmentation.
      skip_corrupt: whether to do without records that are damaged.
    """

    split: Split
    vocabulary: Vocabulary
    sizes: input_pipeline.Sizes
    augmented_sizes: input_pipeline.Sizes
    kept: np.ndarray
    augmentable: np.ndarray
    settings: augmentation.Settings = augmentation.OFF
    seed: int = 0
    skip_corrupt: bool = False

    @property
    def draw(self) -> augmentation.Draw | None:
        """Which examples are augmented in which epoch; None: none is."""
        if not self.settings.probability:
            return None
        return augmentation.Draw(self.seed, self.settings.probability)

    def load(self, number: int, epoch: int = 0) -> input_pipeline.Example | None:
        """Prepared ink [height, width] uint8 and token ids of example `number`, for an epoch.

        None for a damaged record that is to be skipped.

        Raises:
          CorruptRecordError: the record is damaged, and not to be skipped.
        """
        try:
            ink, formula = self._read(number)
        except CorruptRecordError as error:
            if not self.skip_corrupt:
                raise
            self.split.note_corrupt(number, error)
            return None
        if self.draw and self.augmentable[number] and self.draw(epoch, np.asarray([number]))[0]:
            always = dataclasses.replace(self.settings, probability=1.0)
            ink = augmentation.augment(ink, self.draw.rng(epoch, number), always)
        ids = self.vocabulary.encode(formula.split())
        return np.pad(ink, images.MARGIN), ids

    def _read(self, number: int) -> tuple[np.ndarray, str]:
        """Ink and formula of a record."""
        record = self.split[number]
        try:
            # Stored pictures are black on white and cropped: what recognition makes of any picture.
            return 255 - images.read(record["image"]), record["formula"]
        except Im2latexError as error:
            raise CorruptRecordError(
                f"{self.split.place(number)} has a damaged picture ({error}): build the data set "
                "again, or set --config.dataset.on_corrupt=skip to do without"
            ) from error

    def formula(self, number: int) -> list[str]:
        """Tokens of the true formula."""
        return self.split[number]["formula"].split()

    def without(self, left_out: np.ndarray) -> "Examples":
        """The same, with some more examples left out: a mask [N].

        Raises:
          Im2latexError: if nothing is left.
        """
        kept = self.kept & ~left_out
        if not kept.any():
            raise Im2latexError(
                f"split {self.split.name!r} has only formulas that the model of init_from was "
                "trained on: give it others, or begin with another model"
            )
        return dataclasses.replace(self, kept=kept)

    def left_out(self, limits: Mapping[str, int]) -> dict[str, int]:
        """How many examples take no part, by the first reason that applies.

        Args:
          limits: as for `prepare`.
        """
        reasons = {
            "damaged": self.split.heights == 0,
            "too high": self.sizes.heights > limits["max_height"],
            "too wide": self.sizes.widths > limits["max_width"],
            "too long": self.sizes.lengths > limits["max_length"],
            "trained on before": np.ones(len(self.kept), bool),
        }
        counts, rest = {}, ~self.kept
        for reason, applies in reasons.items():
            if count := int((rest & applies).sum()):
                counts[reason] = count
            rest &= ~applies
        return counts

    def coverage(self, limits: Mapping[str, int]) -> str:
        """What metrics on this split do not cover, in a line; "" where they cover all of it."""
        counts = self.left_out(limits)
        if not counts:
            return ""
        kinds = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        return (
            f"metrics on {self.split.name} cover {self.kept.sum()} of {len(self.kept)} examples "
            f"({kinds}; the limits are config.limits)"
        )

    def assign(self, buckets) -> np.ndarray:
        """Bucket of each example as it is stored, -1 where left out: `input_pipeline.assign`."""
        return np.where(self.kept, input_pipeline.assign(buckets, self.sizes), -1)

    def assign_augmented(self, buckets) -> np.ndarray:
        """Bucket of each example when it is augmented, -1 where left out."""
        augmented = input_pipeline.assign(buckets, self.augmented_sizes)
        return np.where(self.kept & self.augmentable, augmented, self.assign(buckets))

    def weighted_sizes(self) -> tuple[input_pipeline.Sizes, np.ndarray]:
        """Sizes that the kept examples have over the epochs, and how often they have each."""
        kept, larger = self.kept, self.kept & self.augmentable
        share = self.settings.probability
        if not share:
            return input_pipeline.Sizes(*self.sizes.stack()[kept].T), np.ones(kept.sum())
        stacked = self.sizes.stack()[kept], self.augmented_sizes.stack()[larger]
        weights = np.where(larger[kept], 1 - share, 1.0), np.full(larger.sum(), share)
        return input_pipeline.Sizes(*np.concatenate(stacked).T), np.concatenate(weights)

    def writing_scale(self, count: int = 200) -> float:
        """Size of the writing, as a multiple of the network's scale: see `images.estimate_scale`.

        The median over `count` examples, so that pictures to be read can be brought to the size of
        those trained on.
        """
        numbers = np.flatnonzero(self.kept)
        chosen = numbers[np.linspace(0, len(numbers) - 1, min(count, len(numbers))).astype(int)]
        scales = []
        for number in chosen:
            try:
                scales.append(images.estimate_scale(self._read(int(number))[0]))
            except CorruptRecordError:
                if not self.skip_corrupt:
                    raise
        return float(1 / np.median(scales)) if scales else 1.0

    def fingerprint(self) -> str | None:
        """A hash of all images and formulas; None where damaged ones were skipped."""
        return self.split.statistics.fingerprint


def prepare(
    split: Split,
    vocabulary: Vocabulary,
    limits: Mapping[str, int],
    settings: augmentation.Settings = augmentation.OFF,
    seed: int = 0,
    *,
    skip_corrupt: bool = False,
) -> Examples:
    """Measures a split and leaves out what is over `limits` (max_height, max_width, max_length).

    Raises:
      Im2latexError: if nothing is left.
    """
    margin = 2 * images.MARGIN

    def measured(heights, widths) -> tuple[input_pipeline.Sizes, np.ndarray]:
        sizes = input_pipeline.Sizes(heights + margin, widths + margin, split.lengths + 1)
        return sizes, (
            (sizes.heights <= limits["max_height"])
            & (sizes.widths <= limits["max_width"])
            & (sizes.lengths <= limits["max_length"])
        )

    sizes, within = measured(split.heights, split.widths)
    augmented_sizes, augmentable = measured(
        *augmentation.max_size(split.heights, split.widths, settings)
    )
    kept = within & (split.heights > 0)  # not a damaged record
    if not kept.any():
        raise Im2latexError(
            f"no example of split {split.name!r} is within max_height, max_width and max_length: "
            "raise --config.limits.max_height, max_width or max_length"
        )
    return Examples(
        split, vocabulary, sizes, augmented_sizes, kept, augmentable, settings, seed, skip_corrupt
    )
