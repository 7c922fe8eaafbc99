import lzma
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2latex_jax.latex.lexer import tokenize
from im2latex_jax.latex.normalizer import MAX_CHARACTERS, NormalizeError, normalize, normalize_lines


@pytest.mark.parametrize(
    ("formula", "normal"),
    [
        # Scripts: braced, subscript first, primes.
        ("x^2_i", "x _ { i } ^ { 2 }"),
        (r"x^\alpha_{ij}", r"x _ { i j } ^ { \alpha }"),
        ("f''_k", r"f _ { k } ^ { \prime \prime }"),
        ("f'^2", r"f ^ { \prime 2 }"),
        (r"x_\mathrm{eff}", r"x _ { \mathrm { e f f } }"),
        ("{}^2x", "{ } ^ { 2 } x"),
        # Arguments and fractions.
        (r"\frac{a}{b}\frac12", r"\frac { a } { b } \frac 1 2"),
        (r"{a+1 \over b}", r"{ \frac { a + 1 } { b } }"),
        (r"n\choose k", r"\binom { n } { k }"),
        (r"\dfrac{a}{b}\tfrac12", r"\frac { a } { b } \frac 1 2"),
        (r"\sqrt[3]{x}", r"\sqrt [ 3 ] { x }"),
        (r"\hat x\bar{y}", r"\hat { x } \bar { y }"),
        (r"\overline{z}\overline z", r"\overline { { z } } \overline { z }"),
        (r"a\buildrel\Delta\over=b", r"a \stackrel { \Delta } { = } b"),
        # Function names, limits.
        (r"\sin x", r"\operatorname { s i n } x"),
        (r"\lim_{n}", r"\operatorname* { l i m } _ { n }"),
        (r"\sum\limits_i\int\limits_a", r"\sum _ { i } \int \limits _ { a }"),
        (r"\sum\nolimits_i", r"\sum \nolimits _ { i }"),
        # Fonts and text.
        (r"{\rm eff}_{\rm x}", r"\mathrm { e f f } _ { \mathrm { x } }"),
        (r"a {\cal L}{\bf x}\Bbb R", r"a { \cal L } { \bf x } \mathbb R"),
        (r"a \rm b", r"a \mathrm { b }"),
        (r"\text{for all }x", r"\mathrm { f o r ~ a l l ~ } x"),
        (r"\text{non-zero $x_1$}", r"\text { n o n - z e r o ~ $ x _ { 1 } $ }"),
        (r"\mbox{\bf a b. c, d}", r"\mbox { \bf a ~ b . \space c , \space d }"),
        (r"\text{if }x", r"\text { i f ~ } x"),
        (r"\textrm{a b}", r"\textrm { a b }"),
        # Delimiters.
        (r"\left ( x \right .", r"\left( x \right."),
        (r"\bigl\{x\bigr\}", r"\bigl \{ x \bigr \}"),
        # Environments.
        (
            r"\begin{array}{c|*{2}{r}}a&b\\\hline c&\end{array}",
            r"\begin{array} { c | r r } { a } & { b } \\ \hline { c } & { } \\ \end{array}",
        ),
        (
            r"\begin{bmatrix}1\\[1ex] 2\\\end{bmatrix}",
            r"\left[ \begin{matrix} { 1 } \\ [ 1 e x ] { 2 } \\ \end{matrix} \right]",
        ),
        (r"\begin{cases}1&x\end{cases}", r"\begin{cases} { 1 } & { x } \\ \end{cases}"),
        (
            r"\begin{split}a&=b\end{split}",
            r"\begin{aligned} { a } & { { } = b } \\ \end{aligned}",
        ),
        (r"\matrix{a&b\cr c&d}", r"\begin{matrix} { a } & { b } \\ { c } & { d } \\ \end{matrix}"),
        (r"\sum_{\substack{a\\b}}", r"\sum _ { \substack { a \\ b } }"),
        # Spacing, comments, labels, delimiters of the whole.
        (r"a\,b\ c~d\>e\quad f", r"a \, b \ c ~ d \: e \quad f"),
        (r"a\hskip 1cm b\hspace*{2pt}", r"a \hspace { 1 c m } b \hspace * { 2 p t }"),
        (r"\hskip 1em plus 2em x", r"\hspace { 1 e m } x"),
        (r"a\hskip-2pt plus 1fil minus .5pt b", r"a \hspace { - 2 p t } b"),
        (r"a\hskip 1pt minus 3mm p", r"a \hspace { 1 p t } p"),
        (r"a\hskip 1pt plus x", r"a \hspace { 1 p t } p l u s x"),
        (r"\hskip 1pt p l", r"\hspace { 1 p t } p l"),
        (r"a\kern 1pt plus 2pt", r"a \kern 1 p t p l u s 2 p t"),
        (r"\mbox{a\hskip 1em plus 1fill b}", r"\mbox { a \hskip 1 e m b }"),
        (r"a\label{eq:x_1} % comment", "a"),
        (r"a\\b", r"a \, b"),
        (r"$$ x $$", "x"),
        (r"\[x\]", "x"),
        # Beyond ASCII.
        ("\N{GREEK SMALL LETTER ALPHA} ≤ x\N{PRIME}²", r"\alpha \leq x ^ { \prime 2 }"),
    ],
)
def test_normal_form(formula, normal):
    assert normalize(formula) == normal
    assert normalize(normal) == normal


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("", "empty formula"),
        (r"\label{a}", "nothing to draw"),
        ("{a", "{ without }"),
        ("a}", "} without {"),
        (r"\left( a", r"\\left\( without \\right"),
        (r"a \right)", r"\\right\) out of place"),
        (r"\begin{array}{c} a", r"\\begin{array} without its \\end"),
        (r"\begin{array} a \end{array}", "without its columns"),
        (r"\begin{tikzcd} a \end{tikzcd}", "environment tikzcd is not read"),
        ("a & b", "& outside an environment"),
        ("x^a^b", "double superscript"),
        ("x_a_b", "double subscript"),
        ("x^", "superscript without an argument"),
        (r"\frac{a}", r"\\frac without an argument"),
        (r"{a \over b \over c}", "in one group"),
        (r"\def\x{\x}\x", r"\\def is not read"),
        (r"\text{\input a}", r"\\input is not read"),
        ("a $ b", r"\$ inside a formula"),
        ("a\x07b", r"U\+0007 at character 1"),
        ("a日b", r"U\+65E5 CJK UNIFIED IDEOGRAPH-65E5\) at character 1 cannot be drawn"),
        ("x" * (MAX_CHARACTERS + 1), "characters: more than"),
        ("{" * 5000 + "}" * 5000, "deep"),
        (r"\hat" * 3000, "deep"),
        ("x^{" * 3000, "deep"),
        (r"\begin{array}{" + "*{9}{" * 500, "without }"),
    ],
)
def test_refuses_with_reason(formula, reason):
    with pytest.raises(NormalizeError, match=reason):
        normalize(formula)


_PIECES = (
    r"a b 1 + , ( ) [ ] { } { } _ ^ ' & \\ \frac \sqrt \hat \overline \rm \bf \over \left( \right) "
    r"\begin{array} \end{array} \begin{cases} \end{cases} \text \mbox $ ~ \limits \sum \int \label "
    r"\substack \hskip \operatorname* \mathrm \displaystyle \stackrel %"
)


@given(st.lists(st.sampled_from(_PIECES.split()), max_size=12))
def test_any_tokens_are_normalized_or_refused_and_never_left_unbalanced(pieces):
    try:
        normal = normalize(" ".join(pieces))
    except NormalizeError:
        return
    tokens = normal.split(" ")
    assert tokenize(normal) == tokens
    assert tokens.count("{") == tokens.count("}")


def test_lines_come_back_in_order_with_their_reasons():
    assert list(normalize_lines(["x^2\r\n", "{\n", "", "y"])) == [
        ("x ^ { 2 }", None),
        ("", "{ without }"),
        ("", "empty formula"),
        ("y", None),
    ]


def test_lines_in_canonical_form():
    assert list(normalize_lines([r"\frac12 \le \alpha"], canonical=True)) == [
        (r"\frac { 1 } { 2 } \leq \alpha", None)
    ]


def test_validation_lines_stay_as_they_are(shared_data):
    text = (shared_data / "im2latex-100k" / "val.formulas.norm.txt").read_text(encoding="utf-8")
    lines = text.splitlines()
    same = sum(
        line == normal for line, (normal, _) in zip(lines, normalize_lines(lines), strict=True)
    )
    assert same / len(lines) >= 0.99


def test_reference_gives_the_same_tokens_and_speed(shared_data):
    with lzma.open(
        shared_data / "normalizer_reference.tsv.xz", "rt", encoding="utf-8", newline="\n"
    ) as lines:
        pairs = [line.rstrip("\n").split("\t") for line in lines]
    start = time.process_time()
    normalized = [normal for normal, _ in normalize_lines(raw for raw, _ in pairs)]
    seconds = time.process_time() - start
    same = sum(
        ours.split() == theirs.split() for ours, (_, theirs) in zip(normalized, pairs, strict=True)
    )
    # 96 % of those that compile, which only TeX can tell (see experiments.reports.normalizer).
    assert same / len(pairs) >= 0.95
    assert len(pairs) / seconds >= 2000
    again = [normal for normal, _ in normalize_lines(line for line in normalized if line)]
    assert again == [line for line in normalized if line]
