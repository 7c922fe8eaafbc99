"""Drawing in a real browser, with stand-ins for KaTeX and MathJax that show the formula's text."""

import collections
import shutil

import numpy as np
import pytest

from im2latex_jax import images
from im2latex_jax.rendering import browser
from im2latex_jax.rendering.browser import BrowserError, BrowserStyle

KATEX = """window.katex = {render(latex, place) {
  if (latex.includes("nope")) throw new Error("no such command");
  place.innerHTML = '<b class="wide">' + latex + "</b>";
}};"""
MATHJAX = """Object.assign(MathJax, {startup: {promise: Promise.resolve()},
tex2svg: (latex) => {
  const node = document.createElement("div");
  const error = latex.includes("nope") ? '<g data-mjx-error="no such command"/>' : "";
  node.innerHTML = `<svg width="${6 * latex.length}ex" height="4ex"><rect width="20" height="20"/>`
    + error + "</svg><math>x</math>";
  return node;
}});"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    if shutil.which("chromium") is None and shutil.which("google-chrome") is None:
        pytest.skip("Chromium is not installed")
    pytest.importorskip("playwright", reason="playwright is not installed")
    katex, mathjax = (tmp_path_factory.mktemp(name) for name in ("katex", "mathjax"))
    (katex / "dist").mkdir()
    (katex / "dist" / "katex.min.js").write_text(KATEX)
    (katex / "dist" / "katex.min.css").write_text(".wide { letter-spacing: 40px }")
    (mathjax / "es5").mkdir()
    (mathjax / "es5" / "tex-svg-full.js").write_text(MATHJAX)
    return {"katex": katex, "mathjax": mathjax}


@pytest.mark.parametrize("engine", browser.ENGINES)
def test_formulas_are_drawn_in_order_and_problems_told(packages, engine):
    drawn = browser.draw(engine, packages[engine], ["x", r"\nope", "xyz", "w" * 60])
    assert [image is not None for image, _ in drawn] == [True, False, True, False]
    assert drawn[1][1] == f"{engine} cannot draw it: no such command"
    assert drawn[3][1] == f"{engine} cannot draw it: wider than the page"
    short, long = (images.read(drawn[number][0]) for number in (0, 2))
    assert long.shape[1] > short.shape[1] + 100  # the package's own style is in force
    assert np.median(short) == 255 and short.min() < 60


def test_every_style_has_its_size_and_colours(packages):
    styles = [
        BrowserStyle(),
        BrowserStyle(ratio=1),
        BrowserStyle(size=32),
        BrowserStyle(ink="#ffffff", paper="#102030"),
    ]
    drawn = browser.draw("mathjax", packages["mathjax"], ["xx"] * len(styles), styles)
    plain, small, large, dark = (image for image, _ in drawn)
    assert plain is not None and small is not None and large is not None and dark is not None
    assert plain.shape[1] == pytest.approx(2 * small.shape[1], abs=8)
    assert large.shape[1] > 1.6 * plain.shape[1]
    np.testing.assert_array_equal(dark[0, 0], [0x10, 0x20, 0x30])
    assert (plain[0, 0] == 255).all()


def test_random_styles_are_light_and_dark():
    styles = [browser.random_style(seed) for seed in range(400)]
    assert styles[:9] == [browser.random_style(seed) for seed in range(9)]
    assert {style.ratio for style in styles} == set(browser.RATIOS)
    papers = collections.Counter(style.paper for style in styles)
    assert 0.5 < papers["#fff"] / len(styles) < 0.8


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(BrowserError, match="no folder of the npm package katex"):
        browser.draw("katex", None, ["x"])
    with pytest.raises(BrowserError, match="npm install mathjax"):
        browser.draw("mathjax", tmp_path, ["x"])
