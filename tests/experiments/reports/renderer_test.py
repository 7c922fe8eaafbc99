"""The measure of likeness, on pictures whose likeness is known; and on original pages."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from experiments.reports.renderer import compare, page_crop, report_likeness


def test_a_picture_is_like_itself_and_unlike_its_negative():
    ink = np.random.default_rng(0).integers(0, 2, (20, 50), dtype=np.uint8) * 255
    picture, negative = Image.fromarray(ink), Image.fromarray(255 - ink)

    same, opposite = compare(picture, picture), compare(picture, negative)

    assert (same.height_ratio, same.width_ratio, same.agreement) == (1, 1, 1)
    assert same.correlation == pytest.approx(1)
    assert opposite.agreement == 0
    assert opposite.correlation == pytest.approx(-1)


def test_ratios_are_drawn_by_original():
    gradient = Image.linear_gradient("L")
    ratios = compare(gradient.resize((30, 10)), gradient.resize((20, 40)))

    assert (ratios.height_ratio, ratios.width_ratio) == (0.25, 1.5)


def test_a_page_is_put_on_white_and_cropped(tmp_path):
    page = np.zeros((60, 40, 4), np.uint8)  # transparent black
    page[10:15, 5:25, 3] = 255
    Image.fromarray(page).save(tmp_path / "page.png")

    crop = page_crop(tmp_path / "page.png")

    assert crop.size == (20, 5)
    assert crop.getextrema() == (0, 0)


@pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)
def test_original_pages_have_the_size_that_the_renderer_gives(shared_data, capsys):
    report_likeness(shared_data / "im2latex-100k-sample", "validate")

    report = capsys.readouterr().out
    for side in ("height_ratio", "width_ratio"):
        assert 0.96 < float(re.search(rf"{side}: median ([0-9.]+)", report)[1]) < 1.04
    assert float(re.search(r"agreement: median ([0-9.]+)", report)[1]) > 0.85
