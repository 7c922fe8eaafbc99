r"""A formula in the formats that other programs take.

`convert(latex, name)` writes clean LaTeX (see `latex.tidy`) in one of `FORMATS`:

- `latex`, `display` (`\[...\]`), `inline` (`$...$`), `markdown` (`$$...$$` on lines of their own);
- `mathml` for browsers, by latex2mathml; `omml` for Word, by mathml-to-omml from that MathML;
- `typst`, by a writer over the tree of `latex.parsing`. Of 500 formulas of im2latex-100k (seed 0)
  tylax 0.3.8 wrote 474 that Typst compiles, tex2typst 0.1.7 479, both with mistakes that nobody is
  told of (blanks lost in text, `\hline` and `\Big` as words, primes apart from their letter);
- `sympy`, Python code by the parser of `solving`, which refuses what it cannot compute with.

The libraries come with the extra `formats`, SymPy with the extra `solve`.
"""

from collections.abc import Callable

from im2latex_jax.errors import Im2latexError, require_extra
from im2latex_jax.formats import delimited


class FormatError(Im2latexError):
    """A formula cannot be written in a format; the message says why."""


def _mathml(latex: str) -> str:
    from im2latex_jax.formats import mathml

    return mathml.mathml(latex)


def _omml(latex: str) -> str:
    from im2latex_jax.formats import mathml

    return mathml.omml(latex)


def _typst(latex: str) -> str:
    from im2latex_jax.formats import typst

    return typst.typst(latex)


def _sympy(latex: str) -> str:
    from im2latex_jax.formats import sympy_code

    return sympy_code.sympy_code(latex)


FORMATS: dict[str, Callable[[str], str]] = {
    "latex": lambda latex: latex,
    "display": delimited.display,
    "inline": delimited.inline,
    "markdown": delimited.markdown,
    "mathml": _mathml,
    "typst": _typst,
    "omml": _omml,
    "sympy": _sympy,
}


# The extra of the package that a format needs.
_EXTRAS = {"mathml": "formats", "omml": "formats", "typst": "formats", "sympy": "solve"}


def require(name: str) -> None:
    """Checks that a format's libraries are installed.

    Raises:
      Im2latexError: one is not; says what to install.
    """
    if name in _EXTRAS:
        require_extra(_EXTRAS[name])


def convert(latex: str, name: str) -> str:
    """A formula in a format; "" for an empty formula.

    Args:
      latex: LaTeX math without delimiters, as `latex.tidy` writes it.
      name: one of FORMATS.

    Raises:
      FormatError: the format is unknown, or cannot express the formula.
      Im2latexError: a library is not installed.
    """
    if name not in FORMATS:
        raise FormatError(f"unknown format {name!r}: choose one of {', '.join(FORMATS)}")
    if not latex:
        return ""
    require(name)
    try:
        return FORMATS[name](latex)
    except Exception as error:  # of libraries, each of which has its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise FormatError(f"the formula cannot be written as {name}: {reason}") from error
