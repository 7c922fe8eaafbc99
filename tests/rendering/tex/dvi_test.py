"""DVI files are looked through command by command."""

import shutil

import pytest

from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex.dvi import DviError, find_forbidden
from im2latex_jax.rendering.tex.latex import typeset

FONT = bytes([243, 0]) + bytes(12) + bytes([0, 5]) + b"cmr10"


def dvi(*pages: bytes, between: bytes = b"") -> bytes:
    begun = b"".join(
        bytes([139]) + number.to_bytes(4, "big") + bytes(40) + page + bytes([140]) + between
        for number, page in enumerate(pages, start=1)
    )
    return bytes([247, 2]) + bytes(12) + bytes([3]) + b"TeX" + begun + bytes([248])


# 171: font 0; 141, 142: push, pop; 132: rule; 157: down by one byte; 238: font by four bytes.
HARMLESS = FONT + bytes([171]) + b"formula" + bytes([141, 157, 139, 132, *b"12345678", 142])


def test_characters_rules_and_movements_are_allowed():
    assert find_forbidden(dvi(HARMLESS, b"", bytes([238, 0, 0, 0, 1]) + b"x")) == {}


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_special_is_found_on_its_page(size):
    text = b"psfile=secret.png"
    special = bytes([238 + size]) + len(text).to_bytes(size, "big") + text

    found = find_forbidden(dvi(HARMLESS, HARMLESS + special + HARMLESS, HARMLESS))

    assert found == {2: r"uses \special, which formulas may not"}


@pytest.mark.parametrize("folder, name", [(b"/tmp/", b"evil"), (b"", b"../evil"), (b"", b"")])
def test_fonts_are_those_of_the_installation(folder, name):
    font = bytes([243, 1]) + bytes(12) + bytes([len(folder), len(name)]) + folder + name

    assert find_forbidden(dvi(b"x", font)) == {2: "uses a font that is none of TeX's"}


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"PNG" * 10,
        dvi(HARMLESS)[:-1],
        dvi(HARMLESS)[:40],
        dvi(bytes([250])),
        dvi(b"x", between=b"x"),
        dvi(bytes([242, 255, 255, 255, 255])),
        dvi(b"x", b"y").replace(bytes([139, 0, 0, 0, 2]), bytes([139, 0, 0, 0, 1])),
    ],
)
def test_what_is_no_dvi_file_is_refused(broken):
    with pytest.raises(DviError):
        find_forbidden(broken)


@pytest.mark.skipif(shutil.which("latex") is None, reason="latex is not installed")
def test_what_tex_writes_of_formulas_is_allowed():
    formulas = [r"\frac{a}{b}\sqrt{\rule{1in}{2pt}}", r"\begin{array}{|c|}\hline x\end{array}"]

    run = typeset(formulas, [RenderStyle()] * 2, seconds=10)

    assert (run.failures, run.num_pages) == ({}, 2)
    assert find_forbidden(run.dvi) == {}
