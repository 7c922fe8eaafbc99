"""A split as the network sees it."""

import numpy as np
import pytest

from im2latex_jax import images
from im2latex_jax.datasets import statistics
from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import augmentation, examples
from im2latex_jax.latex.vocabulary import Vocabulary
from im2latex_jax.rendering import mathtext

LIMITS = {"max_height": 60, "max_width": 200, "max_length": 9}


class FakeSplit:
    """What `examples` asks of `datasets.records.Split`."""

    name = "train"

    def __init__(self, formulas):
        self.formulas = formulas
        self.pictures = [mathtext.draw(formula) for formula in formulas]
        self.heights, self.widths = np.asarray([p.shape for p in self.pictures], np.int32).T
        self.lengths = np.asarray([len(f.split()) for f in formulas], np.int32)

    @property
    def statistics(self):
        sizes = zip(self.heights, self.widths, strict=True)
        return statistics.measure(
            {**self[n], "height": h, "width": w} for n, (h, w) in enumerate(sizes)
        )

    def __len__(self):
        return len(self.formulas)

    def __getitem__(self, number):
        return {
            "image": mathtext.encode_png(self.pictures[number]),
            "formula": self.formulas[number],
        }


@pytest.fixture(scope="module")
def split():
    return FakeSplit(["x ^ { 2 }", r"\frac { a } { b }", "a + b + c + d + e + f"])


@pytest.fixture(scope="module")
def vocabulary(split):
    return Vocabulary.build(formula.split() for formula in split.formulas)


def test_an_example_is_the_picture_with_its_margin_and_the_caption(split, vocabulary):
    prepared = examples.prepare(split, vocabulary, LIMITS)
    ink, ids = prepared.load(0)
    margin = images.MARGIN
    np.testing.assert_array_equal(ink[margin:-margin, margin:-margin], 255 - split.pictures[0])
    assert ink[:margin].max() == ink[:, -margin:].max() == 0
    assert vocabulary.decode(ids) == prepared.formula(0) == split.formulas[0].split()
    np.testing.assert_array_equal(ink.shape, [prepared.sizes.heights[0], prepared.sizes.widths[0]])
    # what recognition makes of the same picture
    np.testing.assert_array_equal(ink, images.prepare(split[0]["image"]))


def test_what_is_over_the_limits_is_left_out(split, vocabulary):
    assert examples.prepare(split, vocabulary, LIMITS).kept.tolist() == [True, True, False]
    with pytest.raises(Im2latexError, match="no example of split 'train' is within"):
        examples.prepare(split, vocabulary, {**LIMITS, "max_length": 2})


def test_what_metrics_do_not_cover_is_counted_and_said(split, vocabulary):
    prepared = examples.prepare(split, vocabulary, LIMITS)
    assert prepared.left_out(LIMITS) == {"too long": 1}
    assert prepared.coverage(LIMITS) == (
        "metrics on train cover 2 of 3 examples (1 too long; the limits are config.limits)"
    )
    low = {**LIMITS, "max_height": int(prepared.sizes.heights.min())}
    assert examples.prepare(split, vocabulary, low).left_out(low) == {"too high": 1, "too long": 1}
    fewer = prepared.without(np.asarray([True, False, False]))
    assert fewer.left_out(LIMITS) == {"too long": 1, "trained on before": 1}
    wide = {**LIMITS, "max_length": 99, "max_width": 999}
    assert examples.prepare(split, vocabulary, wide).coverage(wide) == ""
    with pytest.raises(Im2latexError, match="only formulas that the model of init_from"):
        prepared.without(np.ones(3, bool))


def test_augmentation_follows_seed_and_epoch_and_keeps_to_the_planned_size(split, vocabulary):
    settings = augmentation.Settings(probability=1.0)
    prepared = examples.prepare(split, vocabulary, LIMITS, settings, seed=5)
    pictures = [prepared.load(1, epoch)[0] for epoch in range(8)]
    np.testing.assert_array_equal(prepared.load(1, 3)[0], pictures[3])
    assert any(p.shape != pictures[0].shape or (p != pictures[0]).any() for p in pictures)
    assert all(p.shape[0] <= prepared.augmented_sizes.heights[1] for p in pictures)
    assert all(p.shape[1] <= prepared.augmented_sizes.widths[1] for p in pictures)


def test_only_the_examples_that_are_drawn_are_augmented(split, vocabulary):
    settings = augmentation.Settings(probability=0.5, rate=1.0)
    prepared = examples.prepare(split, vocabulary, LIMITS, settings, seed=5)
    plain = examples.prepare(split, vocabulary, LIMITS).load(1)[0]
    drawn = [bool(prepared.draw(epoch, np.arange(2))[1]) for epoch in range(12)]
    changed = [not np.array_equal(prepared.load(1, epoch)[0], plain) for epoch in range(12)]
    assert {*drawn} == {True, False}
    assert not any(c and not d for c, d in zip(changed, drawn, strict=True))
    assert any(changed)


def test_an_example_that_would_be_too_large_when_augmented_is_kept_as_it_is(split, vocabulary):
    height = int(split.heights[1]) + 2 * images.MARGIN
    limits = {**LIMITS, "max_height": height}
    settings = augmentation.Settings(probability=1.0, rate=1.0)
    prepared = examples.prepare(split, vocabulary, limits, settings)
    assert prepared.kept[1] and not prepared.augmentable[1]
    plain = examples.prepare(split, vocabulary, LIMITS).load(1)[0]
    np.testing.assert_array_equal(prepared.load(1, 3)[0], plain)


def test_the_fingerprint_tells_data_apart(split, vocabulary):
    other = FakeSplit([*split.formulas[:2], "a + b + c + d + e + d"])
    first, second = (examples.prepare(s, vocabulary, LIMITS) for s in (split, other))
    assert first.fingerprint() == examples.prepare(split, vocabulary, LIMITS).fingerprint()
    assert first.fingerprint() != second.fingerprint()
