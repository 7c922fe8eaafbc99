r"""Decides from its text alone whether a formula may be given to TeX.

This is the first of three walls against hostile input; the sandbox around the programs and the
batch's own bookkeeping are the others. What passes can neither define a command nor leave its own
braces, environments and math mode, so that it cannot touch the formulas beside it.
"""

import re

from im2latex_jax.latex.lexer import LexError, tokenize
from im2latex_jax.rendering.commands import COMMANDS, ENVIRONMENTS

MAX_CHARACTERS = 20_000
MAX_DEPTH = 60

_CONTROL_WORDS = re.compile(r"\\([A-Za-z]+)")
_CONTROL_SYMBOLS = frozenset("\\" + symbol for symbol in ",;:!> \\{}|%#&_$-/'`^\"~=.*()[]@") | {
    "\\"
}
_MATH_SHIFTS = frozenset({"$", r"\(", r"\)", r"\[", r"\]"})
# The one definition that formulas need: the row distance of an array, local to the formula.
_ARRAY_STRETCH = re.compile(
    r"(?:\\renewcommand\*?(?:\{\\arraystretch\}|\\arraystretch)|\\def\\arraystretch)"
    r"\{[0-9]*\.?[0-9]+\}"
)
_ARRAY_STRETCH_TOKENS = 16


def refusal(formula: str) -> str | None:
    """Why a formula may not be given to TeX, in one line; None if it may."""
    if len(formula) > MAX_CHARACTERS:
        return f"{len(formula)} characters are too many: at most {MAX_CHARACTERS}"
    if "\r" in formula:
        # To TeX it ends the line, and with it a comment; to the lexer it does not.
        return "control character U+000D (carriage return)"
    if "^^" in formula:
        return "^^ is TeX's notation for any character; it is not allowed"
    try:
        tokens = tokenize(formula)
    except LexError as error:
        return str(error)
    if not tokens:
        return "the formula is empty"
    return _refused_command(tokens) or _unbalanced(tokens)


def _refused_command(tokens: list[str]) -> str | None:
    allowed_until = 0
    for position, token in enumerate(tokens):
        if token[0] != "\\":
            continue
        if token.startswith((r"\begin{", r"\end{")):
            name = token[token.index("{") + 1 : -1]
            if name not in ENVIRONMENTS:
                return f"{token} is not an environment that formulas may use"
            continue
        if token in (r"\renewcommand", r"\def"):
            text = "".join(tokens[position : position + _ARRAY_STRETCH_TOKENS])
            if _ARRAY_STRETCH.match(text):
                allowed_until = position + 4
                continue
        words = _CONTROL_WORDS.findall(token)
        if not words and token not in _CONTROL_SYMBOLS:
            return f"{token} is not a command that formulas may use"
        for word in words:
            if word in COMMANDS or word in ("left", "right"):
                continue
            if word == "arraystretch" and position < allowed_until:
                continue
            return f"\\{word} is not a command that formulas may use"
    return None


def _unbalanced(tokens: list[str]) -> str | None:
    """What is opened and not closed, or closed and not opened, or ends the formula's math mode."""
    open_groups: list[str] = []
    for token in tokens:
        if token == "{" or token.startswith(r"\begin{"):
            open_groups.append(token)
            if len(open_groups) > MAX_DEPTH:
                return f"groups are nested deeper than {MAX_DEPTH}"
        elif token == "}":
            if not open_groups or open_groups.pop() != "{":
                return "a closing brace has no opening brace"
        elif token.startswith(r"\end{"):
            begin = r"\begin" + token[len(r"\end") :]
            if not open_groups or open_groups.pop() != begin:
                return f"{token} has no {begin}"
        elif token in _MATH_SHIFTS and not open_groups:
            return f"{token} would end the formula"
    if open_groups:
        return f"{open_groups[-1]} is never closed"
    return None
