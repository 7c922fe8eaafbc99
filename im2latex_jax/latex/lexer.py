r"""LaTeX math to tokens and back.

A token is what the normal form of im2latex-100k (Deng et al. 2017) separates by spaces: a control
word (`\frac`), a control symbol (`\,`; the control space is a lone backslash), one character, a run
of two or three hyphens, or one of three compounds: an environment's border (`\begin{array}`), a
growing delimiter with its control word (`\left(`, `\right\}`), and `\operatorname*`.
"""

import re
from collections.abc import Sequence

from im2latex_jax.errors import Im2latexError

_DELIMITER_LIST = r"""
    ( ) [ ] | / < > . \{ \} \| \langle \rangle \lbrace \rbrace \lbrack \rbrack \lfloor \rfloor
    \lceil \rceil \vert \Vert \lvert \rvert \lVert \rVert \backslash \slash \uparrow \downarrow
    \updownarrow \Uparrow \Downarrow \Updownarrow \lgroup \rgroup \lmoustache \rmoustache
    \arrowvert \Arrowvert \bracevert \ulcorner \urcorner \llcorner \lrcorner \llbracket \rrbracket
"""
# What can grow with TeX, amsmath and stmaryrd: nothing else may follow `\\left` and its relatives.
DELIMITERS = frozenset(_DELIMITER_LIST.split())

_SPACE = r"[ \t\r\n]"
_TOKEN = re.compile(
    rf"""
      {_SPACE}+
    | %[^\n]*
    | \\(?:begin|end){_SPACE}*\{{[^{{}}\\]*\}}
    | \\(?:left|right)(?![A-Za-z]){_SPACE}*(?:\\[A-Za-z]+|\\[^ \t\r\n]|[^{{}}\\%A-Za-z0-9 \t\r\n])
    | \\operatorname\*
    | \\[A-Za-z]+
    | \\[^ \t\r\n]
    | \\
    | ---?
    | .
    """,
    re.VERBOSE,
)
_CONTROL_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# Matches that may hold inner spaces, or that are a compound's broken head.
_COMPOUND_HEAD = re.compile(r"\\(?:begin|end|left|right)(?![A-Za-z])")


class LexError(Im2latexError):
    """A formula's characters do not form LaTeX tokens."""


def tokenize(formula: str) -> list[str]:
    r"""Splits LaTeX math into tokens; whitespace and comments separate tokens and are dropped.

    Text that is already tokenized (tokens joined by single spaces) gives back its tokens.

    Raises:
      LexError: for a control character, `\begin` or `\end` without `{name}`, and `\left` or
        `\right` without one of `DELIMITERS`.
    """
    return scan(formula)[0]


def scan(formula: str) -> tuple[list[str], list[int]]:
    """Like `tokenize`, and also where whitespace stood, which TeX's text mode draws.

    Returns:
      The tokens, and the ascending numbers of the tokens that whitespace precedes (the number of
      tokens where it ends the formula).
    """
    bad = _CONTROL_CHARACTER.search(formula)
    if bad:
        raise LexError(
            f"control character U+{ord(bad.group()):04X} at character {bad.start()}: remove it"
        )
    tokens: list[str] = []
    spaced: list[int] = []
    for text in _TOKEN.findall(formula):
        first = text[0]
        if first in " \t\r\n":
            if not spaced or spaced[-1] != len(tokens):
                spaced.append(len(tokens))
            continue
        if first == "%":
            continue
        if first == "\\" and _COMPOUND_HEAD.match(text):
            text = _compound(text)
        tokens.append(text)
    return tokens, spaced


def _compound(text: str) -> str:
    if text in (r"\begin", r"\end"):
        raise LexError(f"{text} is not followed by {{name}}")
    if text in (r"\left", r"\right"):
        raise LexError(f"{text} is not followed by a delimiter")
    compound = re.sub(_SPACE, "", text)
    fence = re.match(r"\\(?:left|right)", compound)
    if fence and (symbol := compound[fence.end() :]) not in DELIMITERS:
        raise LexError(f"{fence[0]} is followed by {symbol}, which is not a delimiter")
    return compound


def detokenize(tokens: Sequence[str]) -> str:
    """Joins tokens to compact LaTeX that compiles where they do and tokenizes to them again.

    A space is written only where two tokens would run together. Numbers and units stay in one
    piece, which TeX's dimensions (`0.5cm`) need.
    """
    pieces = []
    previous = ""
    for token in tokens:
        if previous and _would_merge(previous, token):
            pieces.append(" ")
        pieces.append(token)
        previous = token
    if previous == "\\":
        pieces.append(" ")
    return "".join(pieces)


def _would_merge(left: str, right: str) -> bool:
    if left == "\\":
        return True
    if left == "\\operatorname" and right == "*":
        return True
    if left[0] == "\\":
        # To KaTeX @ is a letter.
        return left[-1].isascii() and left[-1].isalpha() and (right[:1].isalpha() or right == "@")
    return left[0] == right[:1] == "-"
