r"""From LaTeX to the statements that it makes, as tokens without what only looks.

`\begin{cases} x + y &= 3 , \\ x &= 1 . \end{cases}` makes two: `x + y = 3` and `x = 1`.
"""

from collections.abc import Callable, Sequence

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.canonical import canonicalize
from im2latex_jax.solving import numbers

RELATIONS = frozenset(("=", "<", ">", "\\leq", "\\geq", "\\leqslant", "\\geqslant", "\\neq"))
CONGRUENT = "\\equiv"
OPENERS = frozenset(("(", "[", "\\{", "{", "\\lfloor", "\\lceil", "\\left|", "\\left."))
CLOSERS = frozenset((")", "]", "\\}", "}", "\\rfloor", "\\rceil", "\\right|", "\\right."))
WORD = "\\mathrm{"

_SPACES = frozenset(("~", "\\", "\\,", "\\:", "\\;", "\\!"))
_DROPPED = frozenset(
    (
        *("\\limits", "\\nolimits", "\\displaystyle", "\\textstyle", "\\scriptstyle"),
        *("\\big", "\\Big", "\\bigg", "\\Bigg", "\\bigl", "\\Bigl", "\\biggl", "\\Biggl"),
        *("\\bigr", "\\Bigr", "\\biggr", "\\Biggr", "\\allowbreak", "\\hfill"),
    )
)
# Kept whole: a bar says nowhere else whether it opens or closes, and \left. is no delimiter.
_DIRECTED = frozenset(("\\left|", "\\right|", "\\left.", "\\right."))
_ENVIRONMENTS = frozenset(("aligned", "alignedat", "array", "cases", "gathered", "split"))
_PUNCTUATION = frozenset((",", ".", ";", "\\quad"))
_SEPARATORS = frozenset((",", ";", "\\quad"))
_UPRIGHT = frozenset(("\\mathrm", "\\text", "\\textrm", "\\mbox"))
_FRAMES = frozenset(("\\boxed", "\\fbox", "\\underline"))
_NUMBERED = frozenset(("\\tag", "\\eqno", "\\leqno"))


class NotComputableError(Im2latexError):
    """A formula says something that cannot be computed with; the message names what."""


def statements(formula: str, notes: dict[str, None] | None = None) -> list[list[str]]:
    r"""The tokens of each statement that a formula makes, at least one.

    A number is one token (see `numbers`), and so is a word in upright letters: `\mathrm{kg}`.

    Args:
      formula: LaTeX.
      notes: how what has several meanings was read; keys are added.

    Raises:
      NormalizeError: the formula cannot be read.
      NumberError: digits are no number.
      NotComputableError: it makes no statements, or they cannot be told apart.
    """
    notes = {} if notes is None else notes
    tokens = _meaningful(_without_number(canonicalize(formula).split(" "), notes))
    tokens = _without_frame(tokens)
    rows = _rows(tokens) if tokens else []
    if rows is None:
        rows = _separated(tokens)
        if len(rows) > 1 and not all(_has_relation(row) for row in rows):
            rows = _separated(numbers.join(tokens, notes))
        if len(rows) > 1 and not all(_has_relation(row) for row in rows):
            rows = [tokens]  # commas mean something else, which the parser says
    rows = [numbers.join(row, notes) for row in map(_without_end, rows) if row]
    if not rows:
        raise NotComputableError("there is nothing in it to compute")
    return rows


def end_of_group(tokens: Sequence[str], start: int) -> int:
    """The place behind the bracket that closes the one at `start`; behind the end if none does."""
    depth = 0
    for position in range(start, len(tokens)):
        depth += _opens(tokens[position]) - _closes(tokens[position])
        if depth == 0:
            return position + 1
    return len(tokens)


def _opens(token: str) -> bool:
    return token in OPENERS or token.startswith("\\begin{")


def _closes(token: str) -> bool:
    return token in CLOSERS or token.startswith("\\end{")


def _meaningful(tokens: Sequence[str]) -> list[str]:
    r"""Without spaces and sizes; `\left(` is `(`, `\mathrm { d }` is `d`.

    A space between digits is kept as `numbers.SPACE`, a word in upright letters as one token.
    """
    kept: list[str] = []
    position = 0
    spaced = False
    while position < len(tokens):
        token = tokens[position]
        position += 1
        if token in _SPACES:
            spaced = token != "\\!"
            continue
        if token in _DROPPED:
            continue
        if token in _UPRIGHT and tokens[position : position + 1] == ["{"]:
            end = end_of_group(tokens, position)
            token = _word(tokens[position + 1 : end - 1])
            position = end
        elif list(tokens[position - 1 : position + 2]) == ["{", ":", "}"]:
            token = ":"
            position += 2
        else:
            token = _undirected(token)
        if spaced and kept and kept[-1].isdigit() and token.isdigit():
            kept.append(numbers.SPACE)
        spaced = False
        if token:
            kept.append(token)
    return _words_apart(kept)


def _undirected(token: str) -> str:
    for word in ("\\left", "\\right"):
        fence = token.removeprefix(word)
        if fence != token and not fence[:1].isalpha() and token not in _DIRECTED:
            return fence
    return token


def _word(contents: Sequence[str]) -> str:
    r"""Upright letters as one token; `d`, `e`, `i` and what is no latin letter stand alone."""
    if len(contents) == 1 and (contents[0] in "dei" or not contents[0].isalpha()):
        return contents[0]
    text = "".join(" " if token in _SPACES else token for token in contents).strip()
    if text == "mod":
        return "\\bmod"
    return f"{WORD}{text}}}" if text else ""


def _words_apart(tokens: Sequence[str]) -> list[str]:
    r"""With `\mathrm{dx}` as `d x`, and micrometers (`5 \mu \mathrm{m}`) as one word."""
    separate: list[str] = []
    for token in tokens:
        differential = len(token) == len(WORD) + 3 and token[len(WORD)] == "d"
        if differential and token[-2] in "xyztuvwrs":
            separate += ["d", token[-2]]
        elif token.startswith(WORD) and separate[-1:] == ["\\mu"] and separate[-2:-1] != []:
            micro = separate[-2].isdigit()
            separate[-1:] = [f"{WORD}\\mu {token[len(WORD) :]}"] if micro else ["\\mu", token]
        else:
            separate.append(token)
    return separate


def _without_number(tokens: list[str], notes: dict[str, None]) -> list[str]:
    r"""Without the number at its margin: `\tag { 3 }`, `\eqno ( 3 )`, `\quad ( 3 )`."""
    for position, token in enumerate(tokens):
        if token in _NUMBERED:
            start = position + 1 + (tokens[position + 1 : position + 2] == ["*"])
            end = end_of_group(tokens, start)
            rest = tokens[end:]
            return _without_number(tokens[:position] + rest, notes)
    start = len(tokens)
    while start and (tokens[start - 1].isdigit() or tokens[start - 1] in ("(", ")", ".")):
        start -= 1
    number = "".join(tokens[start:])
    if number[:1] == "(" and number.find(")") == len(number) - 1 and tokens[start - 1] == "\\quad":
        notes[f"{number} at its end is read as the number of the formula"] = None
        return tokens[:start]
    return tokens


def _without_frame(tokens: list[str]) -> list[str]:
    r"""The contents of `\boxed { ... }` and the like, where it is the whole formula."""
    while (
        len(tokens) > 2
        and tokens[0] in _FRAMES
        and end_of_group(_without_end(tokens), 1) == len(_without_end(tokens))
    ):
        tokens = _without_end(tokens)[2:-1]
    return tokens


def _rows(tokens: list[str]) -> list[list[str]] | None:
    """The statements of an environment that is the whole formula, or None if none is."""
    if len(tokens) > 2 and tokens[0] == "\\{" and tokens[-1] in ("\\right.", "\\}"):
        tokens = tokens[1:-1]
    if not tokens[0].startswith("\\begin{") or end_of_group(tokens, 0) != len(tokens):
        return None
    name = tokens[0][len("\\begin{") : -1]
    if name not in _ENVIRONMENTS:
        return None
    body = tokens[1:-1]
    if body[:1] == ["["]:  # its place on the line
        body = body[end_of_group(body, 0) :]
    if name in ("array", "alignedat"):  # its columns
        body = body[end_of_group(body, 0) :]
    rows: list[list[str]] = []
    for cells in _split(body, "\\\\".__eq__):
        row = [token for cell in _split(cells, "&".__eq__) for token in _unwrapped(cell)]
        if rows and row and (row[0] in RELATIONS or not _has_relation(row)):
            rows[-1] += row  # goes on from the line before
        elif row:
            rows.append(row)
    return rows


def _separated(tokens: Sequence[str]) -> list[list[str]]:
    return [row for row in _split(tokens, _SEPARATORS.__contains__) if row]


def _split(tokens: Sequence[str], separates: Callable[[str], bool]) -> list[list[str]]:
    """The parts between separators that stand in no brackets."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += _opens(token) - _closes(token)
        if depth == 0 and separates(token):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _unwrapped(cell: list[str]) -> list[str]:
    """A cell's contents; the normal form puts each in braces, and `{ }` before relations."""
    while cell and cell[0] == "{" and end_of_group(cell, 0) == len(cell):
        cell = cell[1:-1]
    return cell[2:] if cell[:2] == ["{", "}"] else cell


def _has_relation(tokens: Sequence[str]) -> bool:
    return any(part[:1] for part in _split(tokens, (RELATIONS | {CONGRUENT}).__contains__)[1:])


def _without_end(row: list[str]) -> list[str]:
    """A statement without the punctuation at its ends."""
    begin, end = 0, len(row)
    while end and row[end - 1] in _PUNCTUATION:
        end -= 1
    while begin < end and row[begin] == "\\quad":
        begin += 1
    return row[begin:end]
