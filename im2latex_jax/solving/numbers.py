r"""Numbers as people write them, joined to one token each with a decimal point.

| written | token |
| --- | --- |
| `1 2 . 5`, `. 5` | `12.5`, `0.5` |
| `3 , 5`, `3 { , } 5` | `3.5` |
| `1 , 2 3 4 , 5 6 7`, `1 \, 2 3 4`, `1 . 2 3 4 , 5` | `1234567`, `1234`, `1234.5` |
| `0 . 1 \overline { 6 }`, `0 . \dot { 1 } 4 2 8 5 \dot { 7 }` | `0.1(6)`, `0.(142857)` |

`1,234` alone is read as 1234, unless the formula has a number that shows the comma to be decimal.
Between a function's arguments and in a list of numbers, a comma without braces is a separator.
"""

import re
from collections.abc import Iterator, Sequence

import sympy

from im2latex_jax.errors import Im2latexError

MAX_DIGITS = 1000
SPACE = " "

_REPEATING_MARKS = frozenset(("\\overline", "\\bar", "\\dot"))
_OPENERS = frozenset(("(", "[", "\\{"))
_CLOSERS = frozenset((")", "]", "\\}"))
# In the text of a number: `;` is a comma in braces, `_` a space.
_PLAIN = re.compile(r"(\d*)(?:\.(\d*)(\(\d+\))?)?")
_SPACED = re.compile(r"(?:\d{1,3}(?:_\d{3})+|\d+)(?:[.,;]\d+(?:_\d{3})*(?:_\d{1,3})?(?:\(\d+\))?)?")
_DOTTED = re.compile(r"[1-9]\d{0,2}(?:(?:\.\d{3}){2,}|(?:\.\d{3})+[,;]\d+)")
_COMMAS = re.compile(r"[1-9]\d{0,2}(?:(?:[,;]\d{3}){2,}(?:\.\d+)?|[,;]\d{3}\.\d+)")
_COMMA = re.compile(r"(\d+)[,;](\d*)(\(\d+\))?")
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}[,;]\d{3}")


class NumberError(Im2latexError):
    """Digits that are no number; the message names them."""


def is_number(token: str) -> bool:
    """Whether a token is a number."""
    return token[:1].isdigit() and token.isascii()


def is_integer(token: str) -> bool:
    """Whether a token is a whole number, not negative."""
    return token.isdigit() and token.isascii()


def value(token: str) -> sympy.Rational:
    """The exact value of a number's token: `0.1(6)` is 1/6."""
    whole, _, decimals = token.partition(".")
    decimals, _, period = decimals.removesuffix(")").partition("(")
    fixed = sympy.Rational(int(whole + decimals), 10 ** len(decimals))
    if not period:
        return fixed
    return fixed + sympy.Rational(int(period), (10 ** len(period) - 1) * 10 ** len(decimals))


def join(tokens: Sequence[str], notes: dict[str, None]) -> list[str]:
    """The tokens with each number as one of them, and without spaces.

    Args:
      tokens: digits one by one, and `SPACE` between digits that stand apart.
      notes: how what has several meanings was read; keys are added.

    Raises:
      NumberError: two numbers stand beside each other, or digits with points are no number.
    """
    decimal_comma, decimal_point = _conventions(tokens)
    joined: list[str] = []
    for begin, end, text in _runs(tokens):
        if not text:
            joined += [token for token in tokens[begin:end] if token != SPACE]
            continue
        if sum(map(str.isdigit, text)) > MAX_DIGITS:
            raise NumberError(f"a number has more than {MAX_DIGITS} digits")
        joined += _numbers(text, decimal_comma, decimal_point, notes)
    return joined


def _numbers(
    text: str, decimal_comma: bool, decimal_point: bool, notes: dict[str, None]
) -> list[str]:
    """The tokens for the text of a run."""
    shown = text.replace("_", " ").replace(";", ",")
    if _PLAIN.fullmatch(text):
        return [text if text[0].isdigit() else f"0{text}"]
    if "_" in text:
        if not _SPACED.fullmatch(text):
            raise NumberError(f"{shown}: two numbers stand beside each other")
        return _numbers(text.replace("_", ""), decimal_comma, decimal_point, notes)
    number = None
    if _DOTTED.fullmatch(text):
        number = text.replace(".", "").replace(",", ".").replace(";", ".")
    elif _COMMAS.fullmatch(text):
        number = text.replace(",", "").replace(";", "")
    elif _AMBIGUOUS.fullmatch(text):
        number = re.sub("[,;]", "." if decimal_comma else "", text)
    elif _COMMA.fullmatch(text) and (";" in text or not decimal_point):
        number = re.sub("[,;]", ".", text)
    if number is not None:
        notes[f"{shown} is read as the number {number}"] = None
        return [number]
    parts = re.split("(,)", text)
    if not all(part == "," or _PLAIN.fullmatch(part) for part in parts):
        raise NumberError(f"{shown} is not a number")
    return parts  # a list


def _conventions(tokens: Sequence[str]) -> tuple[bool, bool]:
    """Whether a number has a comma, a point before its decimals, without doubt."""
    texts = [text for _, _, text in _runs(tokens) if text]
    comma = any(
        (_COMMA.fullmatch(text) and not _AMBIGUOUS.fullmatch(text))
        or (_DOTTED.fullmatch(text) and ("," in text or ";" in text))
        for text in texts
    )
    point = any(
        ("." in text and _PLAIN.fullmatch(text)) or ("." in text and _COMMAS.fullmatch(text))
        for text in texts
    )
    return comma and not point, point


def _runs(tokens: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Stretches of tokens: begin, end, and their text if they are a number, else empty."""
    position = 0
    lists = [False]
    while position < len(tokens):
        token = tokens[position]
        following = tokens[position + 1] if position + 1 < len(tokens) else ""
        if token in _OPENERS:
            lists.append(_opens_list(tokens, position))
        elif token in _CLOSERS and len(lists) > 1:
            lists.pop()
        if is_integer(token) or (token == "." and is_integer(following)):
            text, end = _text(tokens, position, commas=not lists[-1])
            yield position, end, text
            position = end
        else:
            yield position, position + 1, ""
            position += 1


def _opens_list(tokens: Sequence[str], position: int) -> bool:
    """Whether the bracket holds a function's arguments or a list of numbers."""
    before = tokens[position - 1] if position else ""
    closer = {"(": ")", "[": "]"}.get(tokens[position], "\\}")
    if closer in tokens[position:] and ";" in tokens[position : tokens.index(closer, position)]:
        return False  # semicolons separate, and a comma stands before decimals
    if before.isalpha() or before.startswith("\\mathrm{"):
        return True
    if before == "}":
        start = position - 1
        while start and tokens[start] != "{":
            start -= 1
        if start and tokens[start - 1].startswith("\\operatorname"):
            return True
    end = position + 1
    while end < len(tokens) and (is_integer(tokens[end]) or tokens[end] in (",", ".", SPACE)):
        end += 1
    return tokens[end : end + 1] != [] and tokens[end] in _CLOSERS


def _text(tokens: Sequence[str], position: int, commas: bool) -> tuple[str, int]:
    """The text of the number at `position`, and the place behind it."""
    text = ""
    separated = False  # a decimal point or comma, or what may be one, stands before
    while position < len(tokens):
        token = tokens[position]
        if is_integer(token):
            text += token
            position += 1
            continue
        if separated:
            period, end = _period(tokens, position, bracket=text[-1] in ".,;")
            if period:
                return f"{text}({period})", end
        width = 3 if list(tokens[position : position + 3]) == ["{", ",", "}"] else 1
        sign = ";" if width == 3 else "_" if token == SPACE else token
        if token == ";" or sign not in (".", ",", ";", "_") or (sign == "," and not commas):
            break
        if not text and sign != ".":
            break
        behind = position + width
        follows = behind < len(tokens) and is_integer(tokens[behind])
        if not follows and not (sign != "_" and _period(tokens, behind, bracket=True)[0]):
            break
        separated = separated or sign != "_"
        text += sign
        position = behind
    return text, position


def _period(tokens: Sequence[str], position: int, bracket: bool) -> tuple[str, int]:
    """The digits that repeat, if such a mark stands at `position`, and the place behind them."""
    mark = tokens[position] if position < len(tokens) else ""
    if mark == "(" and bracket:
        closer, begin = ")", position + 1
    elif mark in _REPEATING_MARKS:
        closer, begin = "}", position + 2
    else:
        return "", position
    digits, end = _digits(tokens, begin)
    if not digits or tokens[end : end + 1] != [closer]:
        return "", position
    end += 1
    if mark == "\\dot":  # a second dot marks the last digit of the period
        more, last = _digits(tokens, end)
        if list(tokens[last : last + 2]) == ["\\dot", "{"]:
            final, close = _digits(tokens, last + 2)
            if final and tokens[close : close + 1] == ["}"]:
                return digits + more + final, close + 1
    return digits, end


def _digits(tokens: Sequence[str], position: int) -> tuple[str, int]:
    begin = position
    while position < len(tokens) and is_integer(tokens[position]):
        position += 1
    return "".join(tokens[begin:position]), position
