r"""The walls behind the input check: here formulas reach TeX unchecked, whatever they hold."""

import shutil
import tempfile

import pytest

from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex import batch, latex
from im2latex_jax.rendering.tex.batch import draw_batch
from im2latex_jax.rendering.tex.dvipng import Drawing
from im2latex_jax.rendering.tex.latex import TexError

pytestmark = pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)

BEFORE, AFTER = r"\frac{\alpha}{b}+\sum_{k=1}^n", r"\left(\alpha^2\right)\sqrt{x}\text{ if }y"


def draw(formulas, seconds=6):
    return draw_batch(formulas, [RenderStyle()] * len(formulas), seconds)


@pytest.fixture(scope="module")
def alone():
    return [draw([formula])[0] for formula in (BEFORE, AFTER)]


# Formulas with which TeX goes on, and a part of the reason given.
FAULTY = {
    r"\foo": r"Undefined control sequence \foo",
    r"x+\foo y": r"Undefined control sequence \foo",
    "x^2^3": "Double superscript",
    r"\quad": "draws nothing",
    "a}b": "Extra }",
    "{a": "Missing }",
    r"\left(a": r"Missing \right",
    r"\foo" * 150: r"Undefined control sequence \foo",
    r"\errorstopmode\foo": r"Undefined control sequence \foo",
    r"\hspace{80in}\raise 120in\hbox{x}x\hspace{50in}x": "larger than 36 by 24 inches",
    r"\special{psfile=/etc/passwd}x": r"Undefined control sequence \special",
    r"\rule{100in}{100in}": "larger than 36 by 24 inches",
}
# Formulas that end the run, or take a part of what follows them.
ENDING = {
    r"\hbox{a": "delimiter",
    r"\begin{array}{c}a": "ended by",
    r"\iffalse a": "",
    r"a$$\egroup": "",
    r"a\end{displaymath}": "",
    r"$$\end{document}": "",
    r"\stop": "",
    r"\read16 to\x x": "",
    r"\expandafter\gdef\csname im@end\endcsname#1{}x": "",
    r"\def\x#1{\x{#1#1}}\x{abc}": "TeX capacity exceeded",
}
# Formulas without an error that change how later ones look, or the pages that they stand on.
CHANGING = [
    r"\gdef\alpha{b}",
    r"\global\let\frac\relax x",
    r"\global\textwidth=1pt x",
    r"\global\catcode`\^=12 x",
    r"\csname tex_shipout:D\endcsname\hbox{b}x",
    r"\global\thinmuskip=50mu x",
    r"\global\mathcode`a=`b x",
    r"\expandafter\gdef\csname frac \endcsname{x}x",
]


def test_faulty_formulas_fail_and_their_neighbours_are_drawn_as_alone(alone):
    formulas = [BEFORE, *(formula for faulty in FAULTY for formula in (faulty, AFTER))]

    drawings = draw(formulas)

    assert drawings[0] == alone[0]
    assert drawings[2::2] == [alone[1]] * len(FAULTY)
    for faulty, drawing in zip(FAULTY, drawings[1::2], strict=True):
        assert drawing.png is None
        assert FAULTY[faulty] in drawing.reason
        assert "\n" not in drawing.reason


@pytest.mark.parametrize("formula", ENDING)
def test_a_formula_that_ends_the_run_fails_alone(formula, alone):
    hostile, after = draw([formula, AFTER])

    assert hostile.png is None
    assert ENDING[formula] in hostile.reason
    assert "\n" not in hostile.reason
    assert after == alone[1]


@pytest.mark.parametrize("formula", CHANGING)
def test_a_formula_that_changes_tex_fails_alone(formula, alone):
    hostile, after = draw([formula, AFTER])

    assert hostile == Drawing(None, "changes TeX's state beyond the formula")
    assert after == alone[1]


@pytest.mark.parametrize(
    "formula",
    [
        r"\def\x{\x}\x",
        r"\catcode`@=11 \loop\message{hello}\iftrue\repeat",
        r"\text{$" * 15 + "x" + "$}" * 15,
        r"\begin{array}{*{99999999}{c}}x\end{array}",
    ],
)
def test_an_endless_formula_is_stopped(formula, alone):
    endless, after = draw([formula, AFTER])

    assert endless.reason in ("over the limit of processor time", "over the limit of file size")
    assert after == alone[1]


def test_no_file_outside_is_read_or_written_and_no_command_run(alone, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    secret, victim = tmp_path / "secret.tex", tmp_path / "victim"
    secret.write_text("x")
    attempts = [
        rf"\input{{{secret}}}",
        r"\input{../../secret.tex}",
        rf"\openin5={secret} \read5 to\x \x",
        rf"\immediate\openout5={victim} \immediate\write5{{x}}x",
        r"\immediate\openout5=../../victim \immediate\write5{x}x",
        r"\immediate\csname tex_openout:D\endcsname5=../../victim \immediate\write5{x}\foo",
        rf"\immediate\write18{{touch {victim}}}\foo",
        rf'\input{{|"touch {victim}"}}',
        rf"\pdffiledump{{{secret}}}x",
    ]

    drawings = draw([BEFORE, *attempts, AFTER])

    assert [drawings[0], drawings[-1]] == alone
    assert all(drawing.reason for drawing in drawings[1:-1])
    assert [path.name for path in tmp_path.iterdir()] == ["secret.tex"]


# A style with full rights over the next run, if that should find it. That `@` is a letter within
# lets it put another drawing in the place of a neighbour's.
_PLANTED = r"\AtBeginDocument{\gdef\im@end\relax}"


@pytest.mark.parametrize("package", ["mathrsfs.sty", "amsmath.sty", "ursfs.fd", "article.cls"])
@pytest.mark.parametrize("environment", ["filecontents*", "filecontents"])
def test_what_a_formula_leaves_behind_is_not_found_by_the_next_run(package, environment, alone):
    formulas = [
        BEFORE,
        rf"\left\begin{{{environment}}}[nosearch]{{{package}}} x",
        _PLANTED,
        rf"\end{{{environment}}}",
        AFTER,
    ]

    drawings = draw(formulas)

    assert [drawings[0], drawings[-1]] == alone
    assert all(drawing.png is None for drawing in drawings[1:-1])


def test_files_written_by_a_run_are_not_found_by_it_nor_by_the_next(alone):
    # TeX writes into its working folder whatever it is told, as a hole in the guards would do.
    unguarded = (
        r"\immediate\csname im@again\endcsname5=planted.tex \immediate\write5{x}"
        r"\immediate\closeout5 \input{planted}x"
    )
    with pytest.MonkeyPatch.context() as patch:
        preamble = latex._PREAMBLE.replace(
            "%(environments)s", r"\let\im@again\openout %(environments)s"
        )
        patch.setattr(latex, "_PREAMBLE", preamble)
        drawings = draw([BEFORE, unguarded, AFTER])

    assert drawings[::2] == alone
    assert drawings[1].reason == "LaTeX Error: File `planted.tex' not found"


def test_no_special_reaches_dvipng(alone, monkeypatch):
    reached = []
    monkeypatch.setattr(batch, "draw_pages", lambda dvi, *rest: reached.append(dvi) or iter(()))
    preamble = latex._PREAMBLE.replace(r"\im@forbid{special}", r"\let\im@special\special")
    monkeypatch.setattr(latex, "_PREAMBLE", preamble)
    hostile = r"\csname im@special\endcsname{psfile=/usr/share/x.png llx=0 lly=0 urx=9 ury=9}x"

    with pytest.raises(KeyError):  # nothing is drawn here
        draw([BEFORE, hostile, AFTER])

    [dvi] = reached
    assert b"psfile" not in dvi
    run = latex.typeset([BEFORE, hostile], [RenderStyle()] * 2, 10)
    assert run.failures == {1: r"uses \special, which formulas may not"}


def test_an_unknown_environment_is_refused_by_tex_too(alone):
    hostile, after = draw([r"\begin{filecontents*}{x}\end{filecontents*}", AFTER])

    assert hostile.reason == "Environment filecontents* is not one that formulas may use"
    assert after == alone[1]


def test_a_tex_that_does_not_begin_is_blamed_on_a_formula_only_where_it_works_without(
    alone, monkeypatch
):
    original = batch.typeset

    def typeset(formulas, styles, seconds):
        if "hostile" in formulas or broken:
            raise TexError("latex does not work here")
        return original(formulas, styles, seconds)

    monkeypatch.setattr(batch, "typeset", typeset)
    broken = False
    drawings = draw([BEFORE, "hostile", AFTER])
    assert drawings[::2] == alone
    assert drawings[1].reason == "stops TeX: latex does not work here"

    broken = True
    with pytest.raises(TexError):
        draw([BEFORE])


def test_several_intruders_are_all_found(alone):
    formulas = [BEFORE, r"\gdef\alpha{b}", AFTER, r"\stop", BEFORE, r"\foo", AFTER]

    drawings = draw(formulas)

    assert [drawing.png is None for drawing in drawings] == [False, True] * 3 + [False]
    assert drawings[::4] == [alone[0]] * 2
    assert drawings[2::4] == [alone[1]] * 2


def test_a_formula_that_changes_its_own_surroundings_only_is_drawn(alone):
    formulas = [r"\def\alpha{b}\textwidth=1pt \alpha", AFTER]

    local, after = draw(formulas)

    assert local.png
    assert after == alone[1]


def test_styles_of_one_document_do_not_mix(alone):
    styles = [RenderStyle(bold=True), RenderStyle(), RenderStyle(display=False, dpi=200)]

    bold, plain, inline = draw_batch([BEFORE] * 3, styles)

    assert plain == alone[0]
    assert len({drawing.png for drawing in (bold, plain, inline)}) == 3


def test_nothing_to_draw():
    assert draw([]) == []
