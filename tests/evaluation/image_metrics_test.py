"""Picture metrics on small pictures worked out by hand, and on drawn formulas."""

import shutil

import numpy as np
import pytest

from im2latex_jax import images
from im2latex_jax.evaluation import image_metrics
from im2latex_jax.evaluation.image_metrics import PictureScore

TALL = 20


def _picture(*columns: str) -> np.ndarray:
    """A letter a column: those of the alphabet differ in at least five pixels; a space is paper."""
    patterns = np.random.default_rng(0).integers(0, 2, (26, TALL)).astype(bool)
    rows = [np.zeros(TALL, bool) if c == " " else patterns[ord(c) - ord("a")] for c in columns]
    return np.where(np.stack(rows, axis=1), 0, 255).astype(np.uint8)


def test_equal_pictures_are_equal_in_every_way():
    assert image_metrics.compare(_picture(*"ab c"), _picture(*"ab c")) == PictureScore(
        True, True, True, True, 0, 4
    )


def test_a_missing_picture_costs_all_columns():
    assert image_metrics.compare(None, _picture(*"abc")) == PictureScore(
        False, False, False, False, 3, 3
    )


def test_columns_without_ink_can_be_left_out():
    score = image_metrics.compare(_picture(*"ab       c"), _picture(*"abc"))
    assert score == PictureScore(False, True, False, True, 7, 10)


def test_the_distance_is_levenshteins_over_columns():
    score = image_metrics.compare(_picture(*"xbcdef"), _picture(*"abcde"))
    assert (score.distance, score.length, score.exact) == (2, 6, False)


def test_short_runs_and_small_marks_are_within_the_tolerance():
    truth = _picture(*"abcdefgh")
    speck = truth.copy()
    speck[:4, 3] = 255 - speck[:4, 3]
    assert image_metrics.compare(speck, truth).near
    assert not image_metrics.compare(speck, truth).exact
    assert image_metrics.compare(_picture(*"abcdxyzw"), truth).near
    assert not image_metrics.compare(_picture(*"abcvxyzw"), truth).near
    # Five columns more than the truth has are no picture of it.
    assert not image_metrics.compare(_picture(*"abcdefghstuvw"), truth).near


def test_pictures_of_other_heights_are_compared_from_the_top():
    truth = _picture(*"abc")
    lower = np.pad(truth, ((0, 6), (0, 0)), constant_values=255)
    assert image_metrics.compare(lower, truth).exact
    assert not image_metrics.compare(np.roll(lower, 6, axis=0), truth).exact


def test_grey_levels_do_not_matter():
    truth = _picture(*"abc")
    assert image_metrics.compare(np.clip(truth, 60, 190), truth).exact


def test_figures_are_over_what_has_a_true_picture():
    right, wrong = PictureScore(True, True, True, True, 0, 10), PictureScore(*[False] * 4, 6, 20)
    rows = image_metrics.rows([right, wrong, None], [True, False, True])
    figures = image_metrics.from_sums(rows.sum(axis=0))
    assert figures == image_metrics.PictureMetrics(
        0.5, 0.5, 0.5, 0.5, edit_distance_score=0.8, compile_rate=0.5, num_examples=2
    )


@pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)
def test_formulas_that_look_the_same_score_full():
    drawn = image_metrics.draw(["x _ { 1 }", "x_1", "x _ { 2 }", r"\nope", "x _ { 1 }"])
    pictures = {f: r.png and images.read(r.png) for f, r in drawn.items()}
    assert pictures[r"\nope"] is None and drawn[r"\nope"].reason
    assert image_metrics.compare(pictures["x_1"], pictures["x _ { 1 }"]).exact
    other = image_metrics.compare(pictures["x _ { 2 }"], pictures["x _ { 1 }"])
    assert 0 < other.distance < other.length and not other.exact
