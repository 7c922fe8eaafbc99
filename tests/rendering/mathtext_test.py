"""Drawing formulas with mathtext."""

import io

import numpy as np
import pytest
from PIL import Image

from im2latex_jax.datasets.synthetic import grammar
from im2latex_jax.errors import Im2latexError
from im2latex_jax.rendering import mathtext


@pytest.mark.parametrize("font", mathtext.FONTS)
def test_draws_black_on_white_cropped_to_the_ink(font):
    picture = mathtext.draw(r"\frac { a } { b } = x _ { 1 } ^ { 2 }", font)
    assert picture.dtype == np.uint8
    assert picture.min() < 64
    assert np.median(picture) == 255
    for border in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert border.min() < 255


def test_fonts_sizes_and_resolutions_differ():
    shapes = {mathtext.draw("x + y", font).shape for font in mathtext.FONTS}
    assert len(shapes) >= 3
    small, large = mathtext.draw("x + y", font_size=10), mathtext.draw("x + y", font_size=20)
    assert large.shape[1] == pytest.approx(2 * small.shape[1], rel=0.1)
    np.testing.assert_array_equal(large, mathtext.draw("x + y", font_size=10, dpi=200))


@pytest.mark.parametrize(
    "spaced, tight",
    [
        (r"A _ { 1 } ^ { 2 }", r"A_{1}^{2}"),
        (r"\sum _ { n = 1 } ^ { \infty } n", r"\sum_{n=1}^{\infty}n"),
        (r"\alpha x \ y", r"\alpha x\ y"),
        (r"\operatorname* { l i m } _ { x \rightarrow 0 } f", r"\lim_{x\rightarrow 0}f"),
        (r"\operatorname { s i n } x", r"\operatorname{sin}x"),
    ],
)
def test_spaces_between_tokens_do_not_change_the_picture(spaced, tight):
    np.testing.assert_array_equal(mathtext.draw(spaced), mathtext.draw(tight))


def test_limits_stand_above_and_below_a_sum():
    bare = mathtext.draw(r"\sum")
    assert mathtext.draw(r"\sum _ { n } ^ { m }").shape[0] > bare.shape[0] + 10
    assert mathtext.draw(r"\sum _ { n } ^ { m }").shape[1] == bare.shape[1]


def test_growing_brackets_grow():
    for font in mathtext.FONTS:
        plain = mathtext.draw(r"( \sum _ { n } ^ { m } n )", font)
        growing = mathtext.draw(r"\left( \sum _ { n } ^ { m } n \right)", font)
        assert (plain[:, 0] < 128).sum() < (growing[:, :3].min(axis=1) < 128).sum()


@pytest.mark.parametrize(
    "formula, reason",
    [
        (r"\frac { 1 }", r"Expected \dfrac{num}{den}"),
        (r"\nosuchcommand x", r"Unknown symbol: \nosuchcommand"),
        (r"\begin{array} { c } x \end{array}", r"Unknown symbol: \begin"),
        ("x _ { 1 } _ { 2 }", "Double subscript"),
        ("a {", "Expected '}'"),
        ("$ x $", "leave the dollar signs out"),
        (r"\quad", "draws nothing"),
        ("", "empty"),
        ("\u4e2d", "cm lacks"),
        ("{" * 2000 + "x" + "}" * 2000, "nested too deeply"),
    ],
)
def test_refuses_in_one_line_with_the_reason(formula, reason):
    for _ in range(2):  # a cache must not hide the reason the second time
        with pytest.raises(mathtext.MathtextError) as caught:
            mathtext.draw(formula)
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)
    assert issubclass(mathtext.MathtextError, Im2latexError)


def test_a_refused_formula_leaves_no_trace():
    expected = mathtext.draw("a = b + c", font_size=12.5)
    for bad in (r"\operatorname{sin}_", r"\operatorname{sin}^{2", "\u4e2d"):
        with pytest.raises(mathtext.MathtextError):
            mathtext.draw(bad)
        # The size is new to the caches, so that this one is set and not remembered.
        again = mathtext.draw("a = b + c", font_size=12.5, dpi=100.0001)
        np.testing.assert_array_equal(again, expected)


def test_unknown_font():
    with pytest.raises(mathtext.MathtextError, match="choose one of cm"):
        mathtext.draw("x", "comic")


def test_render_gives_an_eight_bit_grey_png():
    png = mathtext.render(r"\sqrt { 2 }", "stix", 12, 100)
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        np.testing.assert_array_equal(np.asarray(image), mathtext.draw(r"\sqrt { 2 }", "stix"))


def test_every_font_has_every_symbol_of_the_embedded_data_set():
    seen: set[str] = set()
    formulas = []
    for index in range(3000):
        tokens = grammar.generate(0, index)
        if not seen.issuperset(tokens):
            seen.update(tokens)
            formulas.append(" ".join(tokens))
    assert len(seen) > 120
    for font in mathtext.FONTS:
        for formula in formulas:
            assert mathtext.draw(formula, font).size


def test_fonts_that_others_clear_do_not_change_what_is_drawn():
    import matplotlib
    from matplotlib.font_manager import get_font

    path = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    formulas = (r"x ^ { 2 } + \alpha", r"\beta = x ^ { 2 } + \alpha", r"\frac { x } { \alpha }")
    before = [mathtext.draw(formula, "dejavusans", 11) for formula in formulas]
    get_font(path).clear()  # as a plot does that writes a text
    mathtext._parser()._parse_cached.cache_clear()
    after = [mathtext.draw(formula, "dejavusans", 11) for formula in formulas]
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "formula, reason",
    [
        (r"x\hspace{1000000000000}y", "larger than 36 by 24 inches"),
        (r"x\hspace{100000}y", "larger than 36 by 24 inches"),
        (r"x\hspace{-100000}y\hspace{100000}z", "larger than 36 by 24 inches"),
        (rf"x\hspace{{{'9' * 400}}}y", "larger than 36 by 24 inches"),
        ("x" * 600, "larger than 36 by 24 inches"),
        ("x" * 3000 + r"\middle", "of more than 2000 tokens"),
        ("x" * 20_001, "20001 characters are too many"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_drawn(formula, reason):
    with pytest.raises(mathtext.MathtextError, match=reason) as raised:
        mathtext.draw(formula)
    assert len(str(raised.value)) < 400


def test_the_limit_of_pixels_goes_with_the_resolution():
    formula = r"\frac{a}{b}" + "x" * 100
    assert mathtext.draw(formula, dpi=600).shape[1] > 5000
    with pytest.raises(mathtext.MathtextError, match="larger than 64 megapixels at 6000 dpi"):
        mathtext.draw(formula, dpi=6000)
