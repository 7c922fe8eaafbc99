"""Pages of a DVI file to pictures, those that cannot be drawn among them."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex.dvipng import draw_pages, is_whole_png
from im2latex_jax.rendering.tex.latex import DVI, typeset

FORMULAS = ["x", r"\quad", r"\rule{1in}{1in}", r"\special{x}x", r"\rule{40in}{1pt}", "y"]

pytestmark = pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rasterizing")
    typeset(FORMULAS, [RenderStyle()] * len(FORMULAS), folder, seconds=10)
    return folder


def test_each_page_gives_a_picture_or_a_reason(folder):
    drawings = dict(draw_pages(DVI, [1, 2, 3, 4, 5, 6], 100, folder, seconds=10))

    reasons = {page: drawing.reason for page, drawing in drawings.items()}
    assert list(reasons) == [1, 2, 3, 4, 5, 6]
    assert [reasons[page] for page in (1, 3, 6)] == [None] * 3
    assert reasons[2] == "draws nothing"
    assert reasons[4].startswith("dvipng cannot draw it: at (")
    assert reasons[5] == "larger than 36 by 24 inches"


def test_pictures_are_dark_on_white_cropped_and_of_the_resolution_asked_for(folder):
    [(_, drawing)] = draw_pages(DVI, [3], 200, folder, seconds=10)

    picture = np.asarray(Image.open(io.BytesIO(drawing.png)).convert("L"))
    assert abs(picture.shape[0] - 200) <= 1 and abs(picture.shape[1] - 200) <= 1
    assert picture.max() == 0  # ink to every edge


def test_half_a_png_is_not_taken_for_a_whole_one(folder):
    [(_, drawing)] = draw_pages(DVI, [1], 100, folder, seconds=10)

    assert is_whole_png(drawing.png)
    assert not is_whole_png(drawing.png[:-1])
    assert not is_whole_png(b"")
