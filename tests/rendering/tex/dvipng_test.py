"""Pages of a DVI file to pictures, those that cannot be drawn among them."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex.dvipng import draw_pages, is_whole_png
from im2latex_jax.rendering.tex.latex import typeset

FORMULAS = ["x", r"\quad", r"\rule{1in}{1in}", r"\rlap{\rule{40in}{1pt}}", "y"]

pytestmark = pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)


@pytest.fixture(scope="module")
def dvi():
    return typeset(FORMULAS, [RenderStyle()] * len(FORMULAS), seconds=10).dvi


def test_each_page_gives_a_picture_or_a_reason(dvi):
    drawings = dict(draw_pages(dvi, [1, 2, 3, 4, 5], 100, seconds=10))

    reasons = {page: drawing.reason for page, drawing in drawings.items()}
    assert list(reasons) == [1, 2, 3, 4, 5]
    assert [reasons[page] for page in (1, 3, 5)] == [None] * 3
    assert reasons[2] == "draws nothing"
    assert reasons[4] == "larger than 36 by 24 inches"


def test_pictures_are_dark_on_white_cropped_and_of_the_resolution_asked_for(dvi):
    [(_, drawing)] = draw_pages(dvi, [3], 200, seconds=10)

    picture = np.asarray(Image.open(io.BytesIO(drawing.png)).convert("L"))
    assert abs(picture.shape[0] - 200) <= 1 and abs(picture.shape[1] - 200) <= 1
    assert picture.max() == 0  # ink to every edge


def test_half_a_png_is_not_taken_for_a_whole_one(dvi):
    [(_, drawing)] = draw_pages(dvi, [1], 100, seconds=10)

    assert is_whole_png(drawing.png)
    assert not is_whole_png(drawing.png[:-1])
    assert not is_whole_png(b"")
