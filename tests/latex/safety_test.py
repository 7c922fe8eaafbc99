r"""What may be given to TeX, decided from the text alone."""

import pytest

from im2latex_jax.latex.safety import MAX_CHARACTERS, MAX_DEPTH, refusal

HARMLESS = [
    r"\frac{a}{b}+\sqrt[3]{x}",
    r"\left\{\begin{array}{cc}1&2\\3&4\end{array}\right.",
    r"x \text{ if $x>0$ and \(y<0\)}",
    r"{\cal L}\over\mathbf 2",
    r"\renewcommand{\arraystretch}{1.5}\begin{array}{c}1\\2\end{array}",
    r"\def\arraystretch{2}\begin {array}{c}1\\2\end {array}",
    r"\setlength{\arraycolsep}{2pt}\hspace*{1em}\label{eq:1} % a remark } with \input",
    r"\text{café}",
    r"\makebox[3cm][c]{$x$}\raisebox{-1ex}[0pt]{$y$}\hbox to 3cm{\hfil $z$}",
    r"\begin{array}{c}$if $x\end{array}\begin{tabular}{c}$x$\end{tabular}",
    r"\big\{ \Big{|} \bigl{\|} \left< \middle| \right\rangle \big/",
    r"\frac{a}{b}\begingroup\bf x\endgroup",
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
    # A second command behind one that the lexer joins to it.
    r"\left\begin{filecontents*}[nosearch]{mathrsfs.sty}",
    r"\right\end{document}",
    r"\left\alpha x\right)",
    r"\middle\begin{filecontents}",
    r"\big\begin{array}{c}x\end{array}",
    r"\Biggl{\begin}{filecontents}",
    # What opens or closes something, as another command's argument.
    r"\frac\begin{array}{c}x\end{array}",
    r"\label\bgroup x\egroup",
    r"\hat$x$",
    r"x^\begin{matrix}1\end{matrix}",
    r"\stackrel\def\arraystretch{1}",
    # Out of the braces, and out of math mode.
    r"{\egroup x\bgroup}",
    r"\begingroup{\endgroup}",
    r"\ensuremath{$$ x $$}",
    r"{$$}x",
    r"\mbox{a}\ensuremath{$x$}",
    r"\hbox\setlength{$$}{x}",
    r"\begin{arr" + "\n" + r"ay}{c}x\end{array}",
    r"\begin{array%}",
    r"\begin{array*}{c}x\end{array*}",
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
        ("{a$$b}", "$ stands outside of text"),
        (r"\left\alpha", r"\left is followed by \alpha, which is not a delimiter"),
        (r"\big\alpha", r"\big is followed by \alpha, which is not a delimiter"),
        (r"\sqrt\begin{array}{c}x\end{array}", r"\begin{array} must not follow \sqrt"),
        (r"a\]b", r"\] would end the formula"),
        ("x" * (MAX_CHARACTERS + 1), "20001 characters are too many: at most 20000"),
        ("{" * 70 + "}" * 70, f"groups are nested deeper than {MAX_DEPTH}"),
    ],
)
def test_the_reason_names_the_trouble(formula, reason):
    assert refusal(formula) == reason
