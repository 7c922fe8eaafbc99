r"""What may be given to TeX, decided from the text alone."""

import pytest

from im2latex_jax.rendering.formula_check import MAX_CHARACTERS, MAX_DEPTH, refusal

HARMLESS = [
    r"\frac{a}{b}+\sqrt[3]{x}",
    r"\left\{\begin{array}{cc}1&2\\3&4\end{array}\right.",
    r"x \text{ if $x>0$ and \(y<0\)}",
    r"{\cal L}\over\mathbf 2",
    r"\renewcommand{\arraystretch}{1.5}\begin{array}{c}1\\2\end{array}",
    r"\def\arraystretch{2}\begin {array}{c}1\\2\end {array}",
    r"\setlength{\arraycolsep}{2pt}\hspace*{1em}\label{eq:1} % a remark } with \input",
    r"\text{café}",
    r"\root 3 \of x \, \! \; \: \> \| \_ \% \# \& \$ \{ \} \ ",
]
HOSTILE = [
    r"\input{/etc/passwd}",
    r"\include{x}",
    r"\openin5=/etc/passwd \read5 to\x",
    r"\immediate\write18{id}",
    r"\openout5=x",
    r"\catcode`\@=11",
    r"\csname input\endcsname",
    r"\def\x{\x}\x",
    r"\def\arraystretch{\input{x}}",
    r"\renewcommand{\arraystretch}{1}{}\renewcommand{\alpha}{b}",
    r"\renewcommand{\alpha}{1}",
    r"\arraystretch",
    r"\gdef\alpha{b}",
    r"\global\let\alpha\beta",
    r"\newcommand{\x}{y}",
    r"\loop\iftrue\repeat",
    r"\expandafter\x\the\everypar",
    r"\end{document}",
    r"\begin{document}",
    r"\end{displaymath}\begin{displaymath}",
    r"\begin{input}\end{input}",
    r"\stop",
    r"\special{ps: x}",
    r"\textwidth=1pt",
    r"\verb|x|",
    r"\aftergroup x",
    r"\left\input x",
    r"^^5cinput x",
    r"\^^69nput x",
    "% a remark\r\\input{x}",
    "a\x00b",
    r"\write",
]


@pytest.mark.parametrize("formula", HARMLESS)
def test_harmless_formulas_pass(formula):
    assert refusal(formula) is None


@pytest.mark.parametrize("formula", HOSTILE)
def test_hostile_formulas_are_refused(formula):
    assert refusal(formula)


@pytest.mark.parametrize(
    "formula, reason",
    [
        (r"\foo+\bar", r"\foo is not a command that formulas may use"),
        (r"\begin{Verbatim}", r"\begin{Verbatim} is not an environment that formulas may use"),
        ("", "the formula is empty"),
        ("% only a remark", "the formula is empty"),
        ("a}b", "a closing brace has no opening brace"),
        ("{a", "{ is never closed"),
        (r"\begin{array}{c}", r"\begin{array} is never closed"),
        (r"\end{array}", r"\end{array} has no \begin{array}"),
        (r"{\begin{array}{c}}\end{array}", "a closing brace has no opening brace"),
        ("a$$b", "$ would end the formula"),
        (r"a\]b", r"\] would end the formula"),
        ("x" * (MAX_CHARACTERS + 1), "20001 characters are too many: at most 20000"),
        ("{" * 70 + "}" * 70, f"groups are nested deeper than {MAX_DEPTH}"),
    ],
)
def test_the_reason_names_the_trouble(formula, reason):
    assert refusal(formula) == reason
