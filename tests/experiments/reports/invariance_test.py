import pytest

from experiments.reports import invariance
from im2latex_jax import images
from im2latex_jax.errors import Im2latexError
from im2latex_jax.recognizer import Recognition


def reads_light_paper_only(pictures):
    """Stands in for a recognizer: whatever is on light paper is an x."""
    light = [images.read(picture)[0, 0] > 128 for picture in pictures]
    return [
        Recognition(normal_form=word, tokens=[word])
        for word in ("x" if is_light else "y" for is_light in light)
    ]


def test_the_share_of_each_look_is_of_the_formulas_that_are_read_right(tmp_path):
    formulas = tmp_path / "formulas.txt"
    formulas.write_text("x\nz\n", "utf-8")
    figures = invariance.measure(reads_light_paper_only, str(formulas), "mathtext", 10)
    assert (figures["formulas"], figures["right"]) == (2, 1)
    for look, share in figures["same"].items():
        assert share == (0.0 if "dark" in look else 1.0), look
    assert len(figures["same"]) == 24
    assert figures["same_in_the_mean"] == 0.5
    assert "600 dpi" in invariance.describe(figures)


def test_nothing_right_is_an_error(tmp_path):
    formulas = tmp_path / "formulas.txt"
    formulas.write_text("z\n", "utf-8")
    with pytest.raises(Im2latexError, match="no formula is read right"):
        invariance.measure(reads_light_paper_only, str(formulas), "mathtext", 10)
