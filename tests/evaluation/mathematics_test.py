import pytest

from im2latex_jax.evaluation.mathematics import meaning, same


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (r"x^2", r"x ^ { 2 }"),
        (r"\left( x \right)", "(x)"),
        (r"E = mc^2.", "E=mc^2"),
        (r"E = mc^2 \tag{3.14}", "E=mc^2"),
        (r"\mathbf{E}", r"{\bf E}"),
        (r"\mathrm{Na}_2\mathrm{CO}_3", r"\mathrm{Na_2CO_3}"),
        (r"\text{if } x", r"\mathrm{if}\;x"),
        (r"\sin x", r"\mathrm{sin} x"),
        (r"f'''(x)", r"f^{\prime\prime\prime}(x)"),
        (r"{}^{14}_6 C", r"^{14}_{6} C"),
        (r"\begin{pmatrix} a & b \end{pmatrix}",
         r"\left(\begin{array}{cc} a & b \end{array}\right)"),
        (r"\begin{cases} a & b \\ c & d \end{cases}",
         r"\left\{\begin{array}{ll} a & b \\ c & d \end{array}\right."),
        (r"\begin{aligned} a &= b \\ &= c \end{aligned}",
         r"\begin{gathered} a = b \\ = c \end{gathered}"),
        (r"\ce{2H2 + O2 -> 2H2O}", r"\mathrm{2H_2+O_2 \rightarrow 2H_2O}"),
        (r"\ce{SO4^2- + Ba^2+ -> BaSO4 v}",
         r"\mathrm{SO_{4}^{2-}+Ba^{2+}\rightarrow BaSO_{4}\downarrow}"),
        (r"1{,}234", "1,234"),
        (r"\overline{z}", r"\bar{z}"),
        (r"P(A \mid B)", "P(A|B)"),
        (r"\tfrac{1}{2}", r"\frac12"),
    ],
)  # fmt: skip
def test_spelling_does_not_count(first, second):
    assert meaning(first) is not None
    assert same(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x", "X"),
        ("x_2", "x^2"),
        (r"\mathbf{x}", "x"),
        (r"\mathbb{R}", "R"),
        (r"\mathcal{L}", r"\mathscr{L}"),
        (r"\mathrm{d}x", "dx"),
        (r"\epsilon", r"\varepsilon"),
        (r"\frac{a}{b}", r"\frac{b}{a}"),
        (r"\sqrt[3]{x}", r"\sqrt{x}"),
        (r"\begin{pmatrix} a & b \end{pmatrix}", r"\begin{pmatrix} a \\ b \end{pmatrix}"),
        (r"\begin{pmatrix} a & b \end{pmatrix}", r"\begin{bmatrix} a & b \end{bmatrix}"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "a = b c = d"),
        (r"\overline{ab}", r"\bar{a}b"),
        (r"a . b", "a b"),
        (r"f''", "f'"),
        (r"\left\{ x \right.", "x"),
        (r"\left( \begin{array}{c|c} a & b \end{array} \right)",
         r"\begin{pmatrix} a & b \end{pmatrix}"),
    ],
)  # fmt: skip
def test_signs_styles_and_structure_count(first, second):
    assert not same(first, second)


def test_what_cannot_be_read_equals_only_itself():
    assert meaning("{") is None
    assert same("{", "{") and not same("{", "}")
