"""Formulas to pictures with matplotlib's mathtext: no system package, a subset of LaTeX math.

Mathtext sets a formula by TeX's rules for boxes and glue and paints the glyphs with FreeType. It is
called here below matplotlib's figures, which would cost ten times as much. It has no environments
(`array`, `cases`), no `\\over` and few of the packages' symbols: what it cannot draw is refused.
"""

import concurrent.futures
import functools
import logging
import os
import re
from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.lexer import detokenize, tokenize
from im2latex_jax.latex.safety import MAX_CHARACTERS

_SHOWN_CHARACTERS = 200  # of a formula in a message

FONTS = ("cm", "stix", "stixsans", "dejavusans", "dejavuserif")

# Mathtext knows limits under these names only when they are written as commands.
_LIMIT_OPERATOR = re.compile(r"\\operatorname\*\{(lim|liminf|limsup|sup|max|min)\}")
_NO_GLYPH = re.compile(r"does not have a glyph for '?(?P<symbol>.*?)'? \[")


class MathtextError(Im2latexError):
    """Mathtext cannot draw the formula; the message holds its reason in one line."""


class _MissingGlyphs(logging.Filter):
    """Silences mathtext's warnings, and keeps those by which it replaces a symbol its font lacks.

    The others tell of its own layout (a `\\vec` that does not stretch) and change nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.symbols: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        match = _NO_GLYPH.search(record.getMessage())
        if match:
            self.symbols.append(match["symbol"])
        return False


def to_mathtext(formula: str) -> str:
    """The formula as mathtext must be given it: in display style, no spaces between tokens.

    To mathtext a space is a symbol of no width: in `x _ { 1 }` the subscript would hang on the
    space, too low for a tall letter, and `\\sum _ { n }` would lose its limits.
    """
    return _LIMIT_OPERATOR.sub(r"\\\1", detokenize(_in_display_style(tokenize(formula))))


def _in_display_style(tokens: Sequence[str]) -> list[str]:
    """`\\frac` as `\\dfrac` outside of scripts and other fractions, where TeX sets it large."""
    styled = []
    groups = [[False, 0]]  # of each open group: whether it is set small, small groups to come
    for token in tokens:
        group = groups[-1]
        if token == "{":
            groups.append([group[0] or group[1] > 0, 0])
            group[1] -= group[1] > 0
        elif token == "}" and len(groups) > 1:
            groups.pop()
        else:
            group[1] = {r"\frac": 2, "_": 1, "^": 1}.get(token, 0)
        styled.append(r"\dfrac" if token == r"\frac" and not group[0] else token)
    return styled


def draw(formula: str, font: str = "cm", font_size: float = 12.0, dpi: float = 100) -> np.ndarray:
    """Draws a formula, black on white, cropped to its ink.

    Args:
      formula: LaTeX math without dollar signs, tokens separated by spaces or not.
      font: one of `FONTS`.
      font_size: in points (1/72 inch).
      dpi: pixels an inch.

    Returns:
      uint8 `[height, width]`: 0 is ink, 255 is paper.

    Raises:
      LexError: the formula does not consist of LaTeX tokens.
      MathtextError: mathtext cannot draw the formula (its reason in the message), or draws nothing.
    """
    if font not in FONTS:
        raise MathtextError(f"unknown mathtext font {font!r}: choose one of {', '.join(FONTS)}")
    if len(formula) > MAX_CHARACTERS:
        raise MathtextError(
            f"{len(formula)} characters are too many for a formula: at most {MAX_CHARACTERS}"
        )
    if re.search(r"(?<!\\)\$", formula):
        raise MathtextError(f"leave the dollar signs out of the formula: {formula}")
    text = to_mathtext(formula)
    if not text:
        raise MathtextError("the formula is empty")
    ink = _drawer().submit(_draw_ink, text, font, font_size, dpi).result()
    rows, columns = (np.flatnonzero(ink.max(axis=axis)) for axis in (1, 0))
    if not rows.size:
        raise MathtextError(f"the formula draws nothing: {formula}")
    return 255 - ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def render(formula: str, font: str = "cm", font_size: float = 12.0, dpi: float = 100) -> bytes:
    """`draw`, encoded as an 8-bit grey PNG. Raises `MathtextError` as `draw` does."""
    return encode_png(draw(formula, font, font_size, dpi))


def encode_png(picture: np.ndarray) -> bytes:
    """PNG bytes of a uint8 picture `[height, width]`."""
    done, png = cv2.imencode(".png", picture)
    if not done:
        raise ValueError(f"OpenCV cannot encode a picture of shape {picture.shape}")
    return png.tobytes()


@functools.cache
def _drawer() -> concurrent.futures.ThreadPoolExecutor:
    """The one thread that draws.

    Matplotlib gives every thread fonts of its own. Those of a thread that also plots would lose the
    glyphs that mathtext has loaded whenever a plot writes a text; and mathtext keeps its state
    between calls, so that only one thread may use it.
    """
    return concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="mathtext")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawer.cache_clear)  # a fork has no such thread


def _draw_ink(text: str, font: str, font_size: float, dpi: float) -> np.ndarray:
    """Mathtext's picture of a text, uint8 `[height, width]`, 0 is paper."""
    # matplotlib takes a third of a second to import.
    from matplotlib.font_manager import FontProperties

    parser = _parser()
    properties = FontProperties(size=font_size, math_fontfamily=font)
    logger = logging.getLogger("matplotlib.mathtext")
    missing = _MissingGlyphs()
    logger.addFilter(missing)
    try:
        raster = parser.parse(f"${text}$", dpi=dpi, prop=properties, antialiased=True)
    except ValueError as error:
        _forget(parser)
        raise MathtextError(_reason(str(error), text)) from None
    except RecursionError:
        _forget(parser)
        raise MathtextError("the formula is nested too deeply for mathtext") from None
    finally:
        logger.removeFilter(missing)
    if missing.symbols:
        _forget(parser)
        raise MathtextError(f"mathtext font {font} lacks {', '.join(missing.symbols)}")
    return np.asarray(raster.image)


@functools.cache
def _parser():
    """Mathtext's raster parser with a quicker grammar, and its font files looked up only once."""
    from matplotlib.mathtext import MathTextParser

    from im2latex_jax.rendering.mathtext_parser import DirectParser

    class QuickParser(MathTextParser):
        _parser = DirectParser()
        _font_type_mapping: ClassVar = {
            name: functools.lru_cache(maxsize=16)(font_class)
            for name, font_class in MathTextParser._font_type_mapping.items()
        }

    return QuickParser("agg")


def _forget(parser) -> None:
    """Clears what a refused formula leaves in mathtext, so that the next one does not depend on it.

    A failed parse leaves the flag set that spaces operators; a replaced symbol leaves its picture
    in the caches, from where it would be given the next time without a warning.
    """
    parser._parser._needs_space_after_subsuper = False
    parser._parse_cached.cache_clear()
    for font_class in parser._font_type_mapping.values():
        font_class.cache_clear()


def _reason(message: str, text: str) -> str:
    """Mathtext's several lines (formula, caret, exception) as one."""
    last = message.strip().splitlines()[-1]
    reason = re.sub(r"^Parse\w*Exception: ", "", last)
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
    return f"mathtext cannot draw {shown}: {reason}"
