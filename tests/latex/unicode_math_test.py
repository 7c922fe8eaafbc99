# ruff: noqa: RUF001
import pytest

from im2latex_jax.latex.unicode_math import UnsupportedCharacterError, to_latex


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        (r"\alpha+x", r"\alpha+x"),
        ("αx", r"\alpha x"),
        ("a≤b×c−d", r"a\leq b\times c-d"),
        ("f′(x″)", "f'(x'')"),
        ("x²₁", "x^{2}_{1}"),
        ("ℝ𝒜𝔤𝐱𝑦", r"\mathbb{R}\mathcal{A}\mathfrak{g}\mathbf{x}y"),
        ("\N{OHM SIGN}", r"\Omega "),
        ("a\u00a0b\u200b", "a~b"),
    ],
)
def test_what_math_draws_is_written_as_latex(text, latex):
    assert to_latex(text) == latex


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ab語", r"character 語 \(U\+8A9E CJK UNIFIED IDEOGRAPH-8A9E\) at character 2"),
        ("é", "LATIN SMALL LETTER E WITH ACUTE"),
        ("\x85", r"control character U\+0085"),
        ("a\ue000", r"control character U\+E000 at character 1"),
    ],
)
def test_the_rest_is_refused_by_name(text, reason):
    with pytest.raises(UnsupportedCharacterError, match=reason):
        to_latex(text)
