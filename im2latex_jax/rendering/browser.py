"""Formulas as web pages show them: many drawn at once by KaTeX or MathJax in headless Chromium.

Both are read from the folder of their npm package (`npm install katex mathjax@3`); nothing is
fetched. Chromium (Debian: chromium) is driven by Playwright (the extra `browser`). Formulas of one
device scale stand together on a page, of which one screenshot is taken and cut apart.
"""

import contextlib
import dataclasses
import os
import pathlib
import random
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from im2latex_jax.errors import Im2latexError

# Each page defines `draw(node, latex, size, display)`, which puts a formula of `size` pixels an em
# into a node, or throws the reason why it cannot, and `ready()`, a promise.
_KATEX = """
<link rel="stylesheet" href="katex.min.css"><script src="katex.min.js"></script>
<style>.katex { font-size: 1em !important; } .katex-display { margin: 0 !important; }</style>
<script>
function draw(node, latex, size, display) {
  katex.render(latex, node, {displayMode: display, strict: "ignore", output: "html",
                             maxExpand: 1000});
}
const ready = () => document.fonts.ready;
</script>"""
_MATHJAX = """
<script>window.MathJax = {startup: {typeset: false}, svg: {fontCache: "none"},
  tex: {packages: {"[-]": ["noundefined"]}}};</script>
<script src="tex-svg-full.js"></script>
<style>#sheet svg { overflow: visible; display: block; }</style>
<script>
function draw(node, latex, size, display) {
  const container = MathJax.tex2svg(latex, {display: display, em: size, ex: size / 2});
  const error = container.querySelector("[data-mjx-error]");
  if (error) throw new Error(error.getAttribute("data-mjx-error"));
  const svg = container.querySelector("svg");
  // MathJax's unit is an x-height of 0.442 em, whatever the page's font has.
  for (const side of ["width", "height"])
    svg.setAttribute(side, parseFloat(svg.getAttribute(side)) * 0.442 * size + "px");
  node.replaceChildren(svg);  // beside it stands MathML for screen readers
}
const ready = () => MathJax.startup.promise;
</script>"""
_PAGE = """<!doctype html><meta charset="utf-8">
<style>body { margin: 0; width: %(width)dpx; }
#sheet > div { display: inline-block; white-space: nowrap; padding: %(padding)dpx; }</style>
<div id="sheet"></div>%(engine)s
<script>
async function drawAll(items) {
  await ready();
  const sheet = document.getElementById("sheet");
  sheet.replaceChildren();
  const reasons = [];
  for (const item of items) {
    const node = document.createElement("div");
    node.style.cssText =
      `font-size: ${item.size}px; color: ${item.ink}; background: ${item.paper};`;
    const inner = document.createElement("span");
    node.append(inner);
    try { draw(inner, item.latex, item.size, item.display); reasons.push(null); }
    catch (error) { inner.replaceChildren(); reasons.push(String(error.message || error)); }
    sheet.append(node);
  }
  await document.fonts.ready;
  const boxes = Array.from(sheet.children, node => {
    const box = node.getBoundingClientRect();
    return [box.left, box.top + window.scrollY, box.right, box.bottom + window.scrollY];
  });
  return [reasons, boxes];
}
</script>"""
# The page, and where in the npm package what it reads is.
ENGINES = {"katex": (_KATEX, "dist"), "mathjax": (_MATHJAX, "es5")}
RATIOS = (1.0, 1.25, 1.5, 2.0, 3.0)  # device pixels for a pixel of the page, as screens have them
_SIZES = (12, 14, 15, 16, 16, 16, 17, 18, 20, 24)  # pixels an em
_WIDTH = 1600
_PADDING = 10
_INSET = 3  # device pixels at the edges, where a neighbour's paper may show
_PER_SHEET = 100
_TIMEOUT = 60_000  # milliseconds that a page may take
# What TeX knows and these do not, in their words.
_SPELLED = {r"\texteuro": "€", r"\operatorname*": r"\operatorname*"}


class BrowserError(Im2latexError):
    """Nothing can be drawn in a browser here; the message says what is missing."""


@dataclasses.dataclass(frozen=True)
class BrowserStyle:
    """How a page shows a formula.

    Attributes:
      size: pixels of the page an em.
      ratio: device pixels for a pixel of the page.
      ink, paper: CSS colours.
      display: display style, else inline.
    """

    size: float = 16
    ratio: float = 2
    ink: str = "#000"
    paper: str = "#fff"
    display: bool = True


def random_style(seed: int) -> BrowserStyle:
    """A style drawn at random: two of three black on white, one in six light on dark."""
    choose = random.Random(f"browser {seed}")
    style = BrowserStyle(
        size=choose.choice(_SIZES),
        ratio=choose.choice(RATIOS),
        display=choose.random() >= 0.25,
    )
    kind = choose.random()
    if kind < 0.65:
        return style
    if kind < 0.82:
        ink = f"hsl({choose.randrange(360)} {choose.randrange(100)}% {choose.randrange(15, 38)}%)"
        paper = f"hsl({choose.randrange(360)} {choose.randrange(60)}% {choose.randrange(90, 101)}%)"
    else:
        ink = f"hsl({choose.randrange(360)} {choose.randrange(60)}% {choose.randrange(80, 101)}%)"
        paper = f"hsl({choose.randrange(360)} {choose.randrange(40)}% {choose.randrange(5, 22)}%)"
    return dataclasses.replace(style, ink=ink, paper=paper)


def draw(
    engine: str,
    package: str | os.PathLike | None,
    formulas: Sequence[str],
    styles: Sequence[BrowserStyle] | None = None,
) -> list[tuple[np.ndarray | None, str | None]]:
    """Each formula's image, RGB uint8 `[height, width, 3]` with a margin, or why there is none.

    Args:
      engine: a key of `ENGINES`.
      package: the folder of its npm package; None where there is none.
      formulas: LaTeX math.
      styles: of each formula; `BrowserStyle()` by default.

    Raises:
      BrowserError: the package, Chromium or Playwright is missing.
    """
    body, place = ENGINES[engine]
    if package is None:
        raise BrowserError(f"no folder of the npm package {engine} was given")
    folder = pathlib.Path(package).resolve() / place
    if not folder.is_dir():
        raise BrowserError(f"{folder}: there is no such folder: run npm install {engine}")
    styles = styles or [BrowserStyle()] * len(formulas)
    results: list[tuple[np.ndarray | None, str | None]] = [(None, None)] * len(formulas)
    with _browser() as browser:
        for ratio in sorted({style.ratio for style in styles}):
            numbers = [n for n, style in enumerate(styles) if style.ratio == ratio]
            page = _open(browser, folder, body, ratio)
            for start in range(0, len(numbers), _PER_SHEET):
                part = numbers[start : start + _PER_SHEET]
                drawn = _draw_sheet(page, [formulas[n] for n in part], [styles[n] for n in part])
                for number, (image, reason) in zip(part, drawn, strict=True):
                    reason = reason and f"{engine} cannot draw it: {' '.join(reason.split())[:200]}"
                    results[number] = image, reason
            page.close()
    return results


def _open(browser: Any, folder: pathlib.Path, body: str, ratio: float) -> Any:
    page = browser.new_page(device_scale_factor=ratio, viewport={"width": _WIDTH, "height": 1200})
    page.set_default_timeout(_TIMEOUT)
    # The page stands beside what it reads, without a file being written there.
    address = (folder / "drawn.html").as_uri()
    html = _PAGE % {"width": _WIDTH, "padding": _PADDING, "engine": body}
    page.route(address, lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(address)
    return page


def _draw_sheet(
    page: Any, formulas: Sequence[str], styles: Sequence[BrowserStyle]
) -> list[tuple[np.ndarray | None, str | None]]:
    items = []
    for formula, style in zip(formulas, styles, strict=True):
        for ours, theirs in _SPELLED.items():
            formula = formula.replace(ours, theirs)
        items.append({"latex": formula, **dataclasses.asdict(style)})
    reasons, boxes = page.evaluate("items => drawAll(items)", items)
    ratio = styles[0].ratio
    image = _screenshot(page, max(bottom for _, _, _, bottom in boxes), ratio)
    drawn: list[tuple[np.ndarray | None, str | None]] = []
    for reason, box in zip(reasons, boxes, strict=True):
        left, top, right, bottom = (round(side * ratio) for side in box)
        left, top, right, bottom = left + _INSET, top + _INSET, right - _INSET, bottom - _INSET
        if reason is None and right > image.shape[1]:
            reason = "wider than the page"
        if reason is None and bottom > image.shape[0]:
            reason = "beyond the end of the page"
        drawn.append((None, reason) if reason else (image[top:bottom, left:right], None))
    return drawn


def _screenshot(page: Any, height: float, ratio: float) -> np.ndarray:
    import base64

    session = page.context.new_cdp_session(page)
    answer = session.send(
        "Page.captureScreenshot",
        {
            "format": "png",
            "optimizeForSpeed": True,
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": _WIDTH, "height": height + 1, "scale": ratio},
        },
    )
    session.detach()
    data = np.frombuffer(base64.b64decode(answer["data"]), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if image is None:
        raise BrowserError("Chromium gave no screenshot")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@contextlib.contextmanager
def _browser() -> Iterator[Any]:
    try:
        from playwright import sync_api
    except ImportError:
        raise BrowserError("the Python package playwright is not installed") from None
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise BrowserError("Chromium is not installed (Debian: chromium)")
    # Fonts beside a local page are another origin to Chromium; root may not use its sandbox.
    arguments = ["--allow-file-access-from-files", "--disable-lcd-text"]
    if os.getuid() == 0:
        arguments.append("--no-sandbox")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
