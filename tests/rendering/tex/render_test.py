"""Formulas to pictures with TeX: order, independence, styles, and hostile input from the front."""

import io
import shutil

import pytest
from PIL import Image

from im2latex_jax.errors import Im2latexError
from im2latex_jax.rendering.styles import FAMILIES, RenderStyle
from im2latex_jax.rendering.tex import render
from im2latex_jax.rendering.tex.render import Rendered, render_formulas
from im2latex_jax.rendering.tex.sandbox import MissingProgramError

needs_tex = pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)

FORMULA = r"\int_0^\infty \frac{\sin x}{\sqrt{x+\alpha}}\,dx = \sum_{k\ge 1} A_k"


def picture(rendered):
    return Image.open(io.BytesIO(rendered.png)).convert("L")


@needs_tex
def test_results_come_in_order_with_pictures_or_reasons():
    results = list(render_formulas(["x", r"\foo", "", "x^2^3", "x+y"]))

    assert [result.index for result in results] == [0, 1, 2, 3, 4]
    assert [result.png is None for result in results] == [False, True, True, True, False]
    assert [result.reason for result in results] == [
        None,
        r"\foo is not a command that formulas may use",
        "the formula is empty",
        "Double superscript",
        None,
    ]


@needs_tex
def test_jobs_and_batches_do_not_change_the_result(monkeypatch):
    formulas = [rf"x^{{{n}}}+\frac{{{n}}}{{2}}" if n % 5 else "x^2^3" for n in range(24)]
    kinds = [RenderStyle(), RenderStyle(display=False), RenderStyle(point_size=10, dpi=80)]
    styles = [kinds[n % 3] for n in range(24)]
    expected = list(render_formulas(formulas, styles, jobs=1))

    monkeypatch.setattr(render, "BATCH_SIZE", 5)
    monkeypatch.setattr(render, "WINDOW", 10)

    assert list(render_formulas(formulas, styles, jobs=3)) == expected
    assert sum(result.png is None for result in expected) == 5


@needs_tex
def test_styles_change_the_picture():
    plain, inline, bold, small, fine = (
        picture(result)
        for result in render_formulas(
            [FORMULA] * 5,
            [
                RenderStyle(),
                RenderStyle(display=False),
                RenderStyle(bold=True),
                RenderStyle(point_size=10),
                RenderStyle(dpi=200),
            ],
        )
    )

    assert inline.height < plain.height
    assert bold.width > plain.width
    assert 0.8 < small.width / plain.width < 0.92
    assert 1.96 < fine.width / plain.width < 2.04
    assert plain.getpixel((0, 0)) == 255


@needs_tex
@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_draws_its_own_letters(family):
    formula = FORMULA + r"\mathbf{b}\mathcal{L}\mathbb{R}\mathfrak{g}\hat{x}\text{ if }y\neq 5"
    try:
        plain, regular, bold = render_formulas(
            [formula] * 3,
            [RenderStyle(), RenderStyle(family=family), RenderStyle(family=family, bold=True)],
        )
    except Im2latexError as error:
        pytest.skip(str(error))

    assert regular.png and bold.png and bold.png != regular.png
    assert (regular.png == plain.png) == (family == "computer-modern")


@needs_tex
def test_hostile_formulas_are_reported_and_the_others_drawn(tmp_path):
    victim = tmp_path / "victim"
    hostile = [
        r"\input{/etc/passwd}",
        rf"\immediate\openout5={victim} \immediate\write5{{x}}",
        rf"\immediate\write18{{touch {victim}}}",
        r"\def\x{\x}\x",
        r"\loop\iftrue\repeat",
        r"\def\x#1{\x{#1#1}}\x{abc}",
        r"\end{document}",
        r"\stop",
        r"\hbox{a",
        "a$$b",
        r"\end{displaymath}",
        r"\end{preview}",
        r"\gdef\alpha{b}",
        r"\global\let\alpha\beta",
        r"\textwidth=1pt",
    ]
    formulas = [r"\alpha", *(formula for each in hostile for formula in (each, r"\alpha"))]

    results = list(render_formulas(formulas))

    [alone] = render_formulas([r"\alpha"])
    assert all(result.png == alone.png for result in results[::2])
    assert all(result.png is None and result.reason for result in results[1::2])
    assert not victim.exists()


@needs_tex
@pytest.mark.parametrize("bold", [False, True])
def test_fonts_do_not_depend_on_the_formulas_before(bold):
    names = ["mathbf", "mathit", "mathtt", "mathfrak", "mathscr", "mathbb", "mathsf", "boldsymbol"]
    formulas = [rf"\widehat{{\{name}{{Q}}}}_{{{{\{name} m}}}}" for name in names]
    style = RenderStyle(bold=bold)

    together = [result.png for result in render_formulas(formulas, style)]
    backwards = [result.png for result in render_formulas(formulas[::-1], style)][::-1]

    assert together == backwards
    assert len(set(together)) == len(names)


@needs_tex
def test_progress_stays_quiet_where_there_is_no_terminal(capsys):
    assert [result.reason for result in render_formulas(["x"], progress=True)] == [None]
    assert capsys.readouterr() == ("", "")


@needs_tex
def test_an_iterator_left_early_stops_its_work(monkeypatch):
    monkeypatch.setattr(render, "BATCH_SIZE", 1)
    calls = []
    monkeypatch.setattr(
        render, "draw_batch", lambda *args: calls.append(args) or [render.Drawing(b"")]
    )

    results = render_formulas(["x"] * 1000, jobs=1)
    assert next(results) == Rendered(0, b"", None)
    results.close()

    assert len(calls) < 1000


@needs_tex
def test_no_formulas_give_no_results():
    assert list(render_formulas([])) == []


@needs_tex
def test_there_must_be_a_style_for_each_formula():
    with pytest.raises(Im2latexError, match="1 styles for 2 formulas"):
        render_formulas(["x", "y"], [RenderStyle()])


def test_without_tex_the_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MissingProgramError, match=r"apt-get install .*dvipng"):
        render_formulas(["x"])
