r"""The walls behind the input check: here formulas reach TeX unchecked, whatever they hold."""

import shutil

import pytest

from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex.batch import draw_batch
from im2latex_jax.rendering.tex.dvipng import Drawing

pytestmark = pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)

BEFORE, AFTER = r"\frac{\alpha}{b}+\sum_{k=1}^n", r"\left(\alpha^2\right)\sqrt{x}\text{ if }y"


def draw(formulas, folder, seconds=6):
    return draw_batch(formulas, [RenderStyle()] * len(formulas), folder, seconds)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return [draw([formula], tmp_path_factory.mktemp("alone"))[0] for formula in (BEFORE, AFTER)]


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
    r"\special{psfile=/etc/passwd}x": "dvipng cannot draw it",
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
]


def test_faulty_formulas_fail_and_their_neighbours_are_drawn_as_alone(alone, tmp_path):
    formulas = [BEFORE, *(formula for faulty in FAULTY for formula in (faulty, AFTER))]

    drawings = draw(formulas, tmp_path)

    assert drawings[0] == alone[0]
    assert drawings[2::2] == [alone[1]] * len(FAULTY)
    for faulty, drawing in zip(FAULTY, drawings[1::2], strict=True):
        assert drawing.png is None
        assert FAULTY[faulty] in drawing.reason
        assert "\n" not in drawing.reason


@pytest.mark.parametrize("formula", ENDING)
def test_a_formula_that_ends_the_run_fails_alone(formula, alone, tmp_path):
    hostile, after = draw([formula, AFTER], tmp_path)

    assert hostile.png is None
    assert ENDING[formula] in hostile.reason
    assert "\n" not in hostile.reason
    assert after == alone[1]


@pytest.mark.parametrize("formula", CHANGING)
def test_a_formula_that_changes_tex_fails_alone(formula, alone, tmp_path):
    hostile, after = draw([formula, AFTER], tmp_path)

    assert hostile == Drawing(None, "changes TeX's state beyond the formula")
    assert after == alone[1]


@pytest.mark.parametrize(
    "formula",
    [
        r"\def\x{\x}\x",
        r"\catcode`@=11 \loop\message{hello}\iftrue\repeat",
        r"\text{$" * 15 + "x" + "$}" * 15,
    ],
)
def test_an_endless_formula_is_stopped(formula, alone, tmp_path):
    endless, after = draw([formula, AFTER], tmp_path, seconds=1)

    assert endless.reason in ("over the limit of processor time", "over the limit of file size")
    assert after == alone[1]


def test_no_file_outside_is_read_or_written_and_no_command_run(alone, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    secret, victim = tmp_path / "secret.tex", tmp_path / "victim"
    secret.write_text("x")
    attempts = [
        rf"\input{{{secret}}}",
        r"\input{../secret.tex}",
        rf"\openin5={secret} \read5 to\x \x",
        rf"\immediate\openout5={victim} \immediate\write5{{x}}x",
        r"\immediate\openout5=../victim \immediate\write5{x}x",
        rf"\immediate\write18{{touch {victim}}}\foo",
        rf'\input{{|"touch {victim}"}}',
    ]

    drawings = draw([BEFORE, *attempts, AFTER], inner)

    assert [drawings[0], drawings[-1]] == alone
    assert all(drawing.reason for drawing in drawings[1:-1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inner", "secret.tex"]


def test_several_intruders_are_all_found(alone, tmp_path):
    formulas = [BEFORE, r"\gdef\alpha{b}", AFTER, r"\stop", BEFORE, r"\foo", AFTER]

    drawings = draw(formulas, tmp_path)

    assert [drawing.png is None for drawing in drawings] == [False, True] * 3 + [False]
    assert drawings[::4] == [alone[0]] * 2
    assert drawings[2::4] == [alone[1]] * 2


def test_a_formula_that_changes_its_own_surroundings_only_is_drawn(alone, tmp_path):
    formulas = [r"\def\alpha{b}\textwidth=1pt \alpha", AFTER]

    local, after = draw(formulas, tmp_path)

    assert local.png
    assert after == alone[1]


def test_styles_of_one_document_do_not_mix(alone, tmp_path):
    styles = [RenderStyle(bold=True), RenderStyle(), RenderStyle(display=False, dpi=200)]

    bold, plain, inline = draw_batch([BEFORE] * 3, styles, tmp_path)

    assert plain == alone[0]
    assert len({drawing.png for drawing in (bold, plain, inline)}) == 3


def test_nothing_to_draw(tmp_path):
    assert draw([], tmp_path) == []
