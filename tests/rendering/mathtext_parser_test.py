"""The direct parser against mathtext's own."""

import matplotlib.mathtext
import numpy as np
import pytest
from matplotlib import _mathtext
from matplotlib.font_manager import FontProperties

from im2latex_jax.datasets.synthetic import grammar
from im2latex_jax.rendering import mathtext

FURTHER = [
    r"\dfrac { a } { b } + \binom { n } { k }",
    r"\sqrt [ 3 + n ] { x } \quad \sqrt { x } \; y",
    r"\sin x + \lim _ { x \rightarrow 0 } ^ { 2 } f \operatorname { s i n } ^ { 2 } x",
    r"\left. \frac { a } { b } \right| _ { 0 } ^ { \left\{ x \right\} }",
    r"\widehat { a b } + \widetilde { f } \ddot { x } _ { 1 }",
    r"{ _ { 1 } ^ { 2 } A } { } ^ { - 1 }",
    r"\mathrm { d } x \mathbf { k } \mathcal { L } \mathbb { R } \mathit { x } \mathsf { x }",
    r"- 1 = - x , 1 . 5 ( - y ) \{ z \} \alpha A \ B ~ C",
    # These are left to mathtext's parser.
    r"f ' ( x ) + \overline { x + y } \mathrm{a} \text{if} {\rm b}",
    r"\left( a \middle| b \right) \phantom { x } \boldsymbol { y }",
]


def own_picture(text: str, font: str) -> np.ndarray:
    parser = matplotlib.mathtext.MathTextParser("agg")
    properties = FontProperties(size=12, math_fontfamily=font)
    ink = np.asarray(parser.parse(f"${text}$", dpi=100, prop=properties, antialiased=True).image)
    rows, columns = np.nonzero(ink)
    return 255 - ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


@pytest.mark.parametrize("font", mathtext.FONTS)
def test_draws_what_mathtext_draws(font):
    first = 1000 * mathtext.FONTS.index(font)
    generated = [" ".join(grammar.generate(5, index)) for index in range(first, first + 40)]
    for formula in [*generated, *FURTHER]:
        own = own_picture(mathtext.to_mathtext(formula), font)
        np.testing.assert_array_equal(mathtext.draw(formula, font), own, err_msg=formula)


def test_real_formulas_are_drawn_as_mathtext_draws_them(shared_data):
    lines = (shared_data / "im2latex-100k" / "val.formulas.norm.txt").read_text().splitlines()
    drawn = 0
    for formula in lines[:120]:
        try:
            picture = mathtext.draw(formula)
        except mathtext.MathtextError:
            with pytest.raises(ValueError):
                own_picture(mathtext.to_mathtext(formula), "cm")
            continue
        own = own_picture(mathtext.to_mathtext(formula), "cm")
        np.testing.assert_array_equal(picture, own, err_msg=formula)
        drawn += 1
    assert drawn > 80


def test_reads_the_embedded_data_set_without_help(monkeypatch):
    mathtext.draw("x")  # set up before mathtext's parser is taken away
    monkeypatch.setattr(_mathtext.Parser, "parse", None)
    for index in range(100):
        assert mathtext.draw(" ".join(grammar.generate(6, index))).size
    for formula in FURTHER[:-2]:
        assert mathtext.draw(formula).size
