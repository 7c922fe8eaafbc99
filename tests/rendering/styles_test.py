"""Styles are checked when made, and random ones depend on the seed alone."""

import pytest

from im2latex_jax.rendering.styles import (
    FAMILIES,
    RANDOM_DPIS,
    RenderStyle,
    StyleError,
    random_style,
)


def test_the_same_seed_gives_the_same_style():
    assert [random_style(seed) for seed in range(20)] == [random_style(seed) for seed in range(20)]


def test_random_styles_cover_all_that_there_is():
    styles = [random_style(seed) for seed in range(1000)]

    assert {style.family for style in styles} == set(FAMILIES)
    assert {style.dpi for style in styles} == set(RANDOM_DPIS)
    assert min(RANDOM_DPIS) == 60 and max(RANDOM_DPIS) == 600
    assert {style.point_size for style in styles} == {10, 11, 12}
    assert {style.display for style in styles} == {style.bold for style in styles} == {True, False}


@pytest.mark.parametrize(
    "values, message",
    [
        ({"family": "comic"}, "unknown font family 'comic': choose one of computer-modern"),
        ({"point_size": 13}, "point size 13: choose one of 10, 11, 12"),
        ({"dpi": 7}, "7 dpi: choose 30 to 1200"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(StyleError, match=message):
        RenderStyle(**values)
