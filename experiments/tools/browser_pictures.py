"""Formulas as web pages show them: drawn by KaTeX or MathJax in headless Chromium.

Both are read from the folder of their npm package (`npm install katex mathjax@3`); nothing is
fetched. Drives Debian's Chromium through Playwright (the extra `test`).
"""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence

from im2latex_jax.errors import Im2latexError

# Each page defines `draw(latex)`, a promise of null or of the reason why it cannot be drawn.
_KATEX = """
<link rel="stylesheet" href="katex.min.css"><script src="katex.min.js"></script>
<script>
async function draw(latex) {
  try {
    katex.render(latex, document.getElementById("formula"), {displayMode: true});
  } catch (error) { return String(error.message); }
  await document.fonts.ready;
  return null;
}
</script>"""
_MATHJAX = """
<script>window.MathJax = {startup: {typeset: false}, svg: {fontCache: "none"},
  tex: {packages: {"[-]": ["noundefined"]}}};</script>
<script src="tex-svg-full.js"></script>
<script>
async function draw(latex) {
  await MathJax.startup.promise;
  const node = await MathJax.tex2svgPromise(latex, {display: true});
  const error = node.querySelector("[data-mjx-error]");
  // Beside the picture it holds MathML for screen readers.
  document.getElementById("formula").replaceChildren(node.querySelector("svg"));
  return error && error.getAttribute("data-mjx-error");
}
</script>"""
_PAGE = """<!doctype html><meta charset="utf-8"><body style="margin: 0">
<div id="formula" style="display: inline-block; padding: 12px; font-size: 16px"></div>{}"""
# The page, and where in the npm package what it reads is.
ENGINES = {"katex": (_KATEX, "dist"), "mathjax": (_MATHJAX, "es5")}
# Pixels of the picture for one of the page, as screens have them now.
_RATIO = 2


class BrowserError(Im2latexError):
    """Pictures cannot be had from a browser here; the message says what is missing."""


def draw(
    engine: str, package: str | os.PathLike | None, formulas: Sequence[str]
) -> list[tuple[bytes | None, str | None]]:
    """Each formula's picture (PNG), or the reason in a line why there is none.

    Args:
      engine: a key of `ENGINES`.
      package: the folder of its npm package; None where there is none.
      formulas: LaTeX math, set in display style.

    Raises:
      BrowserError: the package, Chromium or Playwright is missing.
    """
    body, place = ENGINES[engine]
    if package is None:
        raise BrowserError(f"no folder of the npm package {engine} was given")
    folder = pathlib.Path(package).resolve() / place
    if not folder.is_dir():
        raise BrowserError(f"{folder}: there is no such folder: run npm install {engine}")
    with _browser() as browser:
        page = browser.new_page(device_scale_factor=_RATIO)
        # The page stands beside what it reads, without a file being written there.
        address = (folder / "drawn.html").as_uri()
        html = _PAGE.format(body)
        page.route(address, lambda route: route.fulfill(body=html, content_type="text/html"))
        page.goto(address)
        pictures: list[tuple[bytes | None, str | None]] = []
        for formula in formulas:
            reason = page.evaluate("latex => draw(latex)", formula)
            if reason is not None:
                pictures.append((None, f"{engine} cannot draw it: {reason}"))
            else:
                pictures.append((page.locator("#formula").screenshot(), None))
        return pictures


@contextlib.contextmanager
def _browser() -> Iterator:
    try:
        from playwright import sync_api
    except ImportError:
        raise BrowserError("the Python package playwright is not installed") from None
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise BrowserError("Chromium is not installed (Debian: chromium)")
    # Fonts beside a local page are another origin to Chromium; root may not use its sandbox.
    arguments = ["--allow-file-access-from-files"]
    if os.getuid() == 0:
        arguments.append("--no-sandbox")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
