"""Clean LaTeX: its spelling, and that it draws what the normal form draws."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.reports import tidy as tidy_report
from im2latex_jax.latex.lexer import detokenize
from im2latex_jax.latex.normalizer import normalize
from im2latex_jax.latex.tidy import tidy

SPELLINGS = {
    r"{ \bf E } = m c ^ { 2 }": r"\mathbf{E}=mc^2",
    r"{ \cal L } _ { 0 }": r"\mathcal{L}_0",
    r"\mathbf x": r"\mathbf{x}",
    r"{ \it a b } c": r"\mathit{ab}c",
    r"\operatorname { s i n } x + \operatorname { s i n c } y": r"\sin x+\operatorname{sinc}y",
    r"\operatorname* { l i m } _ { x \to 0 } f ( x )": r"\lim_{x\to0}f(x)",
    r"\operatorname* { l i m \, s u p } _ { n } a _ { n }": r"\limsup_n a_n",
    r"\frac 1 2 + { \frac { a } { b } }": r"\frac{1}{2}+\frac{a}{b}",
    r"{ \textstyle { \frac { 1 } { 2 } } }": r"\tfrac{1}{2}",
    r"{ n \choose k } + { a \over b }": r"\binom{n}{k}+\frac{a}{b}",
    r"f ^ { \prime \prime } ( x ) + g _ { i } ^ { \prime 2 }": r"f''(x)+g_i'^2",
    r"x _ { 1 2 } ^ { \alpha } y": r"x_{12}^\alpha y",
    r"x ^ { 2 } 3": r"x^2 3",
    r"\sqrt [ { \left[ a \right] } ] { x }": r"\sqrt[{\left[a\right]}]{x}",
    r"\begin{aligned} { [ } x \end{aligned}": r"\begin{aligned} {[x} \end{aligned}",
    r"{ { x } } ^ { { \dagger } }": r"x^\dagger",
    r"{ \bar { x } } ^ { 2 }": r"\bar{x}^2",
    r"\left( \begin{matrix} { a } & { b } \\ { c } & { d } \\ \end{matrix} \right)": (
        r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}"
    ),
    r"\left[ \begin{matrix} { a } \\ \end{matrix} \right]": r"\begin{bmatrix} a \end{bmatrix}",
    r"\left| \begin{matrix} { a } \\ { b } \\ \end{matrix} \right|": (
        r"\begin{vmatrix} a \\ b \end{vmatrix}"
    ),
    r"\begin{cases} { x } & { \text { i f ~ } y } \\ { 0 } & { \mathrm { o r } } \\ \end{cases}": (
        r"\begin{cases} x & \text{if }y \\ 0 & \text{or} \end{cases}"
    ),
    r"\begin{aligned} { a } & { { } = b } \\ \end{aligned}": (
        r"\begin{aligned} a & =b \end{aligned}"
    ),
    r"\begin{array} { c | c } { a } & { [ b ] } \\ { [ c ] } & { } \\ \hline \end{array}": (
        r"\begin{array}{c|c} a & [b] \\ {[c]} & \\ \hline \end{array}"
    ),
    r"a \quad \mathrm { f o r ~ a l l } \quad b": r"a\quad\text{for all}\quad b",
    r"\, x \, y \quad \,": r"x\,y",
    r"a = b \qquad \qquad ( 3 . 1 4 )": r"a=b\tag{3.14}",
    r"a = b \eqno ( 3 . 1 4 )": r"a=b\tag{3.14}",
    r"a = b \quad ( n = 1 )": r"a=b\quad(n=1)",
    r"a \quad \quad b": r"a\qquad b",
    r"\Hat { x } + \boldmath y \nonumber": r"\hat{x}+y",
    r"{ a b } ^ { 2 } + { x _ { 1 } } ^ { 2 }": r"{ab}^2+{x_1}^2",
    r"a { = } b": r"a{=}b",
    r"a \sum { ' } b": r"a\sum{}'b",
    r"\left( { 1 / 2 } \right)": r"\left(1/2\right)",
    r"\not = x \not \partial": r"\ne x\not{\partial}",
    r"\Bigl ( x \Bigr ) \big | y": r"\Bigl(x\Bigr)\big|y",
    r"\hspace { 0 . 5 c m } x \hspace { 1 c m } y": r"x\hspace{1cm}y",
    r"a - - b": r"a--b",
    r"\mathop { \mathrm { T r } } A": r"\operatorname*{Tr}A",
    r"a = \mathrm { } - b": r"a={}-b",
    r"x ^ { ( 2 ) } { _ { \mu } }": r"x^{(2)}{}_\mu",
}
# What cannot be taken apart is left alone, whatever else stands beside it.
OPAQUE = (
    r"\raisebox{1pt}{a b} {\bf x}",
    r"\mymacro{ a } b",
    r"{ x",
    r"x _ 1 _ 2",
    r"\begin{picture} x \end{picture}",
    "",
)
# TeX sets these in a box of its own less, which rounds positions to pixels in another way.
ROUNDED = (r"\left( { 1 / 2 } \right)", r"\begin{aligned} { a } & { { } = b } \\ \end{aligned}")
PORTABLE = {
    r"a \hspace { 0 . 5 c m } b": r"a\hspace{14pt}b",
    r"a \hspace { - 0 . 2 c m } b": r"a\!\!\!b",
    r"a \hspace { 1 c m } b": r"a\hspace{1cm}b",
    r"{ \tiny x } \Bigl ( y \Bigr )": r"x\Big(y\Big)",
    r"\operatorname { l n } \Bigl ( y \Bigr )": r"\ln\mathopen{\Big(}y\Big)",
    r"\S 3 \varGamma": r"\text{§}3\mathit{\Gamma}",
    r"\left( { n \atop k } \right)": r"\binom{n}{k}",
}


@pytest.mark.parametrize(("normal", "clean"), SPELLINGS.items())
def test_spelling(normal, clean):
    assert tidy(normal) == clean
    assert tidy(clean) == clean


@pytest.mark.parametrize("formula", OPAQUE)
def test_what_cannot_be_read_is_left_alone(formula):
    assert tidy(formula) == formula.strip() or tidy(formula) == detokenize(formula.split())


@pytest.mark.parametrize(("normal", "spelled"), PORTABLE.items())
def test_portable_spelling(normal, spelled):
    assert tidy(normal, portable=True) == spelled
    assert tidy(spelled, portable=True) == spelled


def test_the_clean_form_normalizes_to_the_same_formula():
    for normal in (
        r"{ \bf E } = m c ^ { 2 }",
        r"\operatorname { s i n } x",
        r"\left( \begin{matrix} { a } & { b } \\ { c } & { d } \\ \end{matrix} \right)",
    ):
        again = normalize(tidy(normal))
        assert normalize(tidy(again)) == again


TOKENS = st.sampled_from(
    (
        *("{", "{", "{", "}", "}", "}", "_", "^", "^", "x", "y", "1", "2", "+", "=", "(", ")", ","),
        *(r"\,", r"\bf", r"\frac", r"\sqrt", r"\bar", r"\mathrm", r"\alpha", r"\quad", r"\left("),
        *(r"\right)", r"\operatorname", r"\begin{matrix}", r"\end{matrix}", "&", r"\\"),
    )
)


@given(st.lists(TOKENS, max_size=25))
def test_any_tokens_are_taken_and_a_second_time_changes_nothing(tokens):
    for portable in (False, True):
        once = tidy(" ".join(tokens), portable=portable)
        assert tidy(once, portable=portable) == once


@pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)
def test_the_same_image_is_drawn():
    formulas = [f for f in SPELLINGS if "tag" not in SPELLINGS[f] and f not in ROUNDED]
    originals = [tidy_report.without_end_spaces(formula) for formula in formulas]

    drawn, differing = tidy_report.compare(originals, [SPELLINGS[f] for f in formulas])

    assert drawn == len(formulas)
    assert [formulas[number] for number in differing] == []


def test_real_formulas_are_idempotent_and_portable(shared_data):
    file = shared_data / "im2latex-100k" / "val.formulas.norm.txt"
    if not file.exists():
        pytest.skip(f"{file} is missing")
    formulas = file.read_text(encoding="utf-8").splitlines()[:1000]

    tidied = [tidy(formula, portable=True) for formula in formulas]

    assert [text for text in tidied if tidy(text, portable=True) != text] == []
    assert sum("\\bf" in text or "\\cal" in text for text in tidied) <= 1  # in an \\fbox
    if shutil.which("pandoc") is not None:
        # Those left have commands that no prediction can have (\raise, \d), or text that is none.
        assert len(tidy_report.pandoc_refusals(tidied)) <= 6


@pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)
def test_real_formulas_draw_the_same_image(shared_data):
    file = shared_data / "im2latex-100k" / "val.formulas.norm.txt"
    if not file.exists():
        pytest.skip(f"{file} is missing")
    formulas = file.read_text(encoding="utf-8").splitlines()[:300]
    originals = [tidy_report.without_end_spaces(formula) for formula in formulas]

    drawn, differing = tidy_report.compare(originals, [tidy(f) for f in formulas])

    assert drawn >= 290
    assert len(differing) <= 1, [formulas[number] for number in differing]


@pytest.mark.parametrize(
    "formula",
    [
        r"\begin{matrix}\ensuremath{[}\ensuremath{\left\vert]]l\right|]}\end{matrix}",
        r"x [\begin{aligned}\relax[\\\end{aligned}]\biggr]\quad",
    ],
)
def test_brackets_at_the_start_of_an_environment_are_no_option(formula):
    assert tidy(tidy(formula)) == tidy(formula)
