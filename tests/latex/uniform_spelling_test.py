import itertools
import lzma

import pytest

from im2latex_jax.latex.normalizer import NormalizeError, normalize
from im2latex_jax.latex.uniform_spelling import respell


@pytest.mark.parametrize(
    ("formulas", "respelled"),
    [
        ([r"\mathcal{L}", r"{\cal L}", r"{\mathcal L}"], r"{ \cal L }"),
        ([r"\mathbf{x}_1", r"{\bf x}_1", r"\textbf{x}_1"], r"{ \bf x } _ { 1 }"),
        ([r"a_{\mathbf{k}}", r"a_{\bf k}"], r"a _ { \bf k }"),
        ([r"\bm{x}", r"\boldsymbol x", r"\pmb{x}"], r"\boldsymbol { x }"),
        ([r"a \le b", r"a \leq b", "a ≤ b"], r"a \leq b"),
        ([r"\left(x\right)", "(x)"], "( x )"),
        ([r"\left(x^2\right)"], r"\left( x ^ { 2 } \right)"),
        ([r"\left\lvert\frac12\right\rvert", r"\left|\frac{1}{2}\right|"],
         r"\left| \frac { 1 } { 2 } \right|"),
        ([r"\bigl( x \bigr)", r"\big( x \big)"], r"\big ( x \big )"),
        ([r"\text{if } x", r"\mbox{if } x"], r"\mathrm { i f ~ } x"),
        ([r"x\,\,y", r"x~y", r"x\ y", r"x\hspace{0.34em}y"], "x ~ y"),
        ([r"x\qquad y", r"x\quad\quad y", r"x\hspace{2em}y"], r"x \qquad y"),
        ([r"x\!y", "xy", r"x\displaystyle y", r"{x}{y}"], "x y"),
        ([r"\mathrm{sin}x", r"\sin x"], r"\operatorname { s i n } x"),
        ([r"\mathop{\rm max}_x", r"\max_x", r"\mathop{\mathrm{max}}\limits_x"],
         r"\operatorname* { m a x } _ { x }"),
        ([r"a \dots b", r"a \hdots b", r"a \ldots b"], r"a \ldots b"),
        ([r"1{,}5"], "1 { , } 5"),
        ([r"a{,}b", "a,b"], "a , b"),
        ([r"\not= x", r"\neq x", r"\ne x"], r"\neq x"),
        ([r"\mathit{x}", "x", r"\mathnormal{x}"], "x"),
        ([r"x \overset{!}{=} y", r"x \stackrel{!}{=} y"], r"x \stackrel { ! } { = } y"),
        ([r"\hat{\mathbf{x}}"], r"\hat { \bf x }"),
        ([r"{}^{14}_6\mathrm{C}", r"{}_6^{14}\mathrm C"],
         r"{ } _ { 6 } ^ { 1 4 } \mathrm { C }"),
    ],
)  # fmt: skip
def test_what_looks_alike_has_one_spelling(formulas, respelled):
    assert [respell(formula) for formula in formulas] == [respelled] * len(formulas)


def test_arrays_in_brackets_are_matrices_and_rows_lose_their_extra_space():
    expected = r"\left( \begin{matrix} { a } & { b } \\ { c } & { d } \\ \end{matrix} \right)"
    for rows in (
        r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}",
        r"\left( \begin{array}{cc} a & b \\[2ex] c & d \end{array} \right)",
        r"\left( \begin{smallmatrix} a & b \\ c & d \end{smallmatrix} \right)",
    ):
        assert respell(rows) == expected
    cases = r"\begin{cases} { a } & { b } \\ { c } & { d } \\ \end{cases}"
    assert respell(r"\begin{cases} a & b \\ c & d \end{cases}") == cases
    assert respell(r"\left\{ \begin{array}{ll} a & b \\ c & d \end{array} \right.") == cases
    augmented = respell(r"\left( \begin{array}{c|c} a & b \end{array} \right)")
    assert augmented == r"\left( \begin{array} { c | c } { a } & { b } \\ \end{array} \right)"


@pytest.mark.parametrize(
    "formula",
    [r"a \kern 1pt b", r"\raise 2pt \hbox{a}", r"\rule{1em}{1pt}", r"\text{for $x$}", r"x \tag{1}"],
)
def test_layout_by_hand_is_refused(formula):
    with pytest.raises(NormalizeError):
        respell(formula)


def test_a_respelled_formula_stays_as_it_is(shared_data):
    with lzma.open(shared_data / "arxiv_formulas.tsv.xz", "rt", encoding="utf-8") as lines:
        raw = [line.rstrip("\n").split("\t", 2)[2] for line in itertools.islice(lines, 600)]
    kept = 0
    for formula in raw:
        try:
            respelled = respell(formula)
        except NormalizeError:
            continue
        kept += 1
        assert normalize(respelled) == respelled
        assert respell(respelled) == respelled
    assert kept > 500
