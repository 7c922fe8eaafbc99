"""What latex prints is read back: whose error it is, and how it is called."""

import shutil

import pytest

from im2latex_jax.rendering import styles
from im2latex_jax.rendering.styles import Family, RenderStyle
from im2latex_jax.rendering.tex.latex import TexError, first_error, typeset

needs_latex = pytest.mark.skipif(shutil.which("latex") is None, reason="latex is not installed")


def test_the_first_error_is_told_in_one_line():
    printed = "(./x.tex\n! Double superscript.\nl.5 x^2^\n        3\n! Extra }.\nl.6 }\n"

    assert first_error(printed) == "Double superscript"
    assert first_error("Overfull \\hbox\n[1]") is None


def test_an_undefined_command_is_named():
    printed = "! Undefined control sequence.\nl.5 \\alpha + \\foo\n                 +\\bar\n"

    assert first_error(printed) == r"Undefined control sequence \foo"


@needs_latex
def test_each_error_goes_to_its_formula():
    formulas = ["x", r"\foo", "y", "x^2^3", "z"]

    run = typeset(formulas, [RenderStyle()] * 5, seconds=10)

    assert run.failures == {1: r"Undefined control sequence \foo", 3: "Double superscript"}
    assert run.stopped_at is None
    assert run.unchanged
    assert run.num_pages == 5


@needs_latex
def test_the_formula_that_ends_the_run_is_found():
    run = typeset(["x", r"\read16 to\x", "y"], [RenderStyle()] * 3, seconds=10)

    assert run.stopped_at == 1
    assert not run.unchanged


@needs_latex
@pytest.mark.parametrize(
    "formula",
    [
        r"a\over b",
        r"\bold x \Bbb R \frak g",
        r"\matrix{1&2\cr3&4}\pmatrix{1\cr2}\cases{a&b\cr c&d}",
        r"\begin{matrix}1\end{matrix}\begin{pmatrix}1&2\end{pmatrix}\begin{cases}a&b\end{cases}",
        r"\mathbf{a}\mathsf{b}\mathtt{c}\mathit{d}\mathfrak{e}\mathscr{F}\bm{g}\mbox{\boldmath$h$}",
        r"\label{eq:1}x\eqno(3)",
    ],
)
def test_honest_commands_leave_tex_as_it_was(formula):
    run = typeset([formula], [RenderStyle()], seconds=10)

    assert (run.failures, run.stopped_at, run.unchanged) == ({}, None, True)


@needs_latex
def test_a_font_family_that_is_not_installed_is_named_with_its_package(monkeypatch):
    absent = Family(r"\usepackage{no-such-package}", "texlive-fonts-absent")
    monkeypatch.setitem(styles.FAMILIES, "absent", absent)

    with pytest.raises(TexError, match=r"no-such-package.sty.*'absent'.*texlive-fonts-absent"):
        typeset(["x"], [RenderStyle(family="absent")], seconds=10)
