r"""Decides from its text alone whether a formula may be given to TeX.

This is the first guard against hostile input; SECURITY.md lists the others. What passes consists of
known commands and can neither define one nor leave its own braces, environments and math mode, so
that it cannot touch the formulas beside it.

The text is split exactly as TeX splits it. Three rules keep what TeX does near to what is read
here: the name of an environment stands in the formula as it is; tokens that open or close something
never follow a command that could take them as its argument; and `$` stands in text only, which
always lies within a group of TeX's own.
"""

import dataclasses
import re
from collections.abc import Sequence

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex import commands
from im2latex_jax.latex.commands import COMMANDS, ENVIRONMENTS
from im2latex_jax.latex.lexer import DELIMITERS, LexError, tokenize

MAX_CHARACTERS = 20_000
MAX_DEPTH = 60

_TOKEN = re.compile(
    r"%[^\n]*|[ \t\n]+|\\(?:begin|end)[ \t\n]*\{[A-Za-z]+\}|\\[A-Za-z]+|\\.|\\|.", re.DOTALL
)
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{(.*)\}")
_CONTROL_SYMBOLS = frozenset("\\" + symbol for symbol in ",;:!> \\{}|%#&_$-/'`^\"~=.*()[]@\n") | {
    "\\"
}
_ACCENT_SYMBOLS = frozenset("\\" + symbol for symbol in "'`^\"~=.")
_MATH_SHIFTS = frozenset({"$", r"\(", r"\)", r"\[", r"\]"})
_CLOSERS = {"{": "}", r"\bgroup": r"\egroup", r"\begingroup": r"\endgroup"}
_FENCES = frozenset({r"\left", r"\right", r"\middle"})
_SIZES = frozenset(
    f"\\{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "m", "r")
)
# What opens or closes something in TeX, so that it must not vanish into a command's argument.
_STRUCTURAL = (
    _MATH_SHIFTS
    | frozenset({r"\bgroup", r"\egroup", r"\begingroup", r"\endgroup"})
    | frozenset({r"\def", r"\renewcommand"})
)
# The one definition that formulas need: the row distance of an array, local to the formula.
_ARRAY_STRETCH = re.compile(
    r"(?:\\renewcommand\*?(?:\{\\arraystretch\}|\\arraystretch)|\\def\\arraystretch)"
    r"\{[0-9]*\.?[0-9]+\}"
)
_ARRAY_STRETCH_TOKENS = 16


class _Refusal(Im2latexError):
    """The reason why a formula is not given to TeX."""


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
        if not tokenize(formula):
            return "the formula is empty"
        _check(_split(formula))
    except (LexError, _Refusal) as error:
        return str(error)
    return None


def _split(formula: str) -> list[str]:
    """The tokens that TeX sees, without spaces and comments."""
    return [text for text in _TOKEN.findall(formula) if text[0] not in "% \t\n"]


@dataclasses.dataclass
class _Group:
    """Something open.

    Attributes:
      name: as it stands in the formula.
      closer: the token that ends it; an environment ends with `\\end` and its name.
      in_text: whether TeX is in text within it (at its start, for an inner formula).
      text_after: see `_check`, for the moment when it is closed.
    """

    name: str
    closer: str
    in_text: bool
    text_after: int | None = None


def _check(tokens: Sequence[str]) -> None:
    """Follows the formula. Raises `_Refusal`.

    `text_after` is the number of groups that stand before the one that is text, after a command
    like `\\raisebox`; None where no text is to come.
    """
    stack: list[_Group] = []
    text_after: int | None = None
    previous = ""
    position = 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        environment = _ENVIRONMENT.fullmatch(token) if len(token) > 6 else None
        if (environment or token in _STRUCTURAL) and _takes_a_token(previous):
            raise _Refusal(f"{token} must not follow {previous}")
        if token in (r"\def", r"\renewcommand"):
            position += _array_stretch(tokens[position - 1 :]) - 1
            token, text_after = "", None
        elif environment:
            _environment(stack, environment[1], environment[2])
            token, text_after = "", None
        elif token[0] == "\\":
            _check_name(token)
        if token in _CLOSERS:
            in_text = text_after == 0 or (bool(stack) and stack[-1].in_text)
            after = text_after - 1 if text_after else None
            _open(stack, _Group(token, _CLOSERS[token], in_text, after))
            text_after = None
        elif token in _CLOSERS.values():
            text_after = _close(stack, token, token).text_after
        elif token in _MATH_SHIFTS:
            _shift(stack, token)
            text_after = None
        elif token in _FENCES or token in _SIZES:
            position += _delimiter(token, tokens[position:])
            token, text_after = ".", None
        elif token[:1] == "\\":
            text_after = commands.TEXT_ARGUMENTS.get(token[1:])
        elif token in "^_&~":
            text_after = None
        previous = token
    if stack:
        raise _Refusal(f"{stack[-1].name} is never closed")


def _takes_a_token(token: str) -> bool:
    """Whether a command can take the token after it as its argument."""
    if token[:1] != "\\":
        return token in ("^", "_", "#")
    if token[1:].isalpha():
        return token[1:] not in commands.WITHOUT_ARGUMENT
    return token in _ACCENT_SYMBOLS


def _check_name(token: str) -> None:
    name = token[1:]
    known = name in COMMANDS or token in _FENCES if name.isalpha() else token in _CONTROL_SYMBOLS
    if token in (r"\begin", r"\end"):
        raise _Refusal(f"{token} is not followed by the name of an environment")
    if not known:
        raise _Refusal(f"{token} is not a command that formulas may use")


def _environment(stack: list[_Group], border: str, name: str) -> None:
    if name not in ENVIRONMENTS:
        raise _Refusal(rf"\{border}{{{name}}} is not an environment that formulas may use")
    if border == "begin":
        _open(stack, _Group(rf"\begin{{{name}}}", name, name == "tabular"))
    else:
        _close(stack, name, rf"\end{{{name}}}")


def _array_stretch(tokens: Sequence[str]) -> int:
    """How many tokens the definition of the row distance has, with which these tokens begin."""
    match = _ARRAY_STRETCH.match("".join(tokens[:_ARRAY_STRETCH_TOKENS]))
    if match is None:
        raise _Refusal(f"{tokens[0]} is not a command that formulas may use")
    return len(_split(match[0]))


def _delimiter(token: str, following: Sequence[str]) -> int:
    r"""How many tokens the delimiter takes; after `\big` it may stand in braces."""
    if token in _SIZES and following[:1] == ["{"] and "}" in following:
        found, *others = following[1 : following.index("}")] or ["}"]
        if any(other[0] in "\\{$" for other in others):
            raise _Refusal(f"{token} is followed by more than a delimiter")
        taken = 3 + len(others)
    else:
        found, taken = (following[0] if following else "nothing"), 1
    if found not in DELIMITERS:
        raise _Refusal(f"{token} is followed by {found}, which is not a delimiter")
    if found[0] == "\\":
        _check_name(found)
    return taken


def _open(stack: list[_Group], group: _Group) -> None:
    stack.append(group)
    if len(stack) > MAX_DEPTH:
        raise _Refusal(f"groups are nested deeper than {MAX_DEPTH}")


def _close(stack: list[_Group], closer: str, token: str) -> _Group:
    if stack and stack[-1].closer == closer:
        return stack.pop()
    if token == "}":
        raise _Refusal("a closing brace has no opening brace")
    if token.startswith(r"\end{"):
        raise _Refusal(f"{token} has no {token.replace('end', 'begin', 1)}")
    raise _Refusal(f"{token} closes nothing")


def _shift(stack: list[_Group], token: str) -> None:
    """Math mode begins or ends within text."""
    if not stack:
        raise _Refusal(f"{token} would end the formula")
    closers = {"$": "$", r"\(": r"\)", r"\[": r"\]"}
    if stack[-1].closer == token:
        stack.pop()
    elif stack[-1].in_text and token in closers:
        _open(stack, _Group(token, closers[token], False))
    elif token == "$" and stack[-1].name.startswith(r"\begin{"):
        # A cell is a formula in a box of its own, from which `$` makes an excursion into text.
        _open(stack, _Group(token, "$", True))
    else:
        raise _Refusal(f"{token} stands outside of text")
