"""The list of allowed commands holds what TeX knows, and nothing that reaches out of a formula."""

import shutil
import subprocess

import pytest

from im2latex_jax.latex.commands import COMMANDS

DANGEROUS = """
    input include openin openout read readline write write18 immediate def edef gdef xdef let
    futurelet global long outer newcommand renewcommand providecommand DeclareMathOperator csname
    endcsname expandafter noexpand the string catcode lccode uccode mathcode everymath everydisplay
    everypar special shipout output loop repeat iftrue iffalse ifx if ifnum ifdim fi else jobname
    pdfmdfivesum directlua scantokens endinput stop aftergroup afterassignment mathversion newlength
    setcounter addtocounter newcounter usepackage documentclass errmessage message typeout show
    batchmode scrollmode errorstopmode nonstopmode advance multiply divide chardef mathchardef
    toks newwrite newread verb footnote marginpar insert vadjust mark setbox box copy hsize
    textwidth vsize mag hoffset voffset font fam textfont skewchar hyphenchar fontdimen par
    lowercase uppercase number romannumeral leaders
""".split()  # noqa: SIM905


def test_no_command_reaches_out_of_the_formula():
    assert COMMANDS.isdisjoint(DANGEROUS)


@pytest.mark.skipif(shutil.which("latex") is None, reason="latex is not installed")
def test_latex_knows_every_command(tmp_path):
    # \bm is the renderer's own; \of is a part of \root's syntax.
    tests = "".join(
        rf"\ifdefined\{command}\else\message{{<missing {command}>}}\fi"
        for command in sorted(COMMANDS - {"bm", "of"})
    )
    (tmp_path / "commands.tex").write_text(
        r"\documentclass{article}\usepackage{amsmath,amssymb,mathrsfs}\begin{document}"
        rf"{tests}\message{{<done>}}\end{{document}}"
    )
    printed = subprocess.run(
        ["latex", "-interaction=nonstopmode", "commands.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "<done>" in printed
    assert "<missing" not in printed
