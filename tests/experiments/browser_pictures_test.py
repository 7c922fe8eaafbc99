"""Drawing in a real browser, with stand-ins for KaTeX and MathJax that show the formula's text."""

import shutil

import numpy as np
import pytest

from experiments.tools import browser_pictures
from experiments.tools.browser_pictures import BrowserError
from im2latex_jax import images

KATEX = """window.katex = {render(latex, place) {
  if (latex.includes("nope")) throw new Error("no such command");
  place.innerHTML = '<b class="wide">' + latex + "</b>";
}};"""
MATHJAX = """Object.assign(MathJax, {startup: {promise: Promise.resolve()},
tex2svgPromise: async (latex) => {
  const node = document.createElement("div");
  const error = latex.includes("nope") ? '<g data-mjx-error="no such command"/>' : "";
  node.innerHTML = `<svg width="${40 * latex.length}" height="30"><rect width="20" height="20"/>`
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


@pytest.mark.parametrize("engine", browser_pictures.ENGINES)
def test_formulas_are_drawn_in_order_and_problems_told(packages, engine):
    drawn = browser_pictures.draw(engine, packages[engine], ["x", r"\nope", "xyz"])
    assert [png is not None for png, _ in drawn] == [True, False, True]
    assert drawn[1][1] == f"{engine} cannot draw it: no such command"
    short, long = (images.read(drawn[number][0]) for number in (0, 2))
    assert long.shape[1] > short.shape[1] + 100  # the package's own style is in force
    assert np.median(short) == 255 and short.min() < 60


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(BrowserError, match="no folder of the npm package katex"):
        browser_pictures.draw("katex", None, ["x"])
    with pytest.raises(BrowserError, match="npm install mathjax"):
        browser_pictures.draw("mathjax", tmp_path, ["x"])
