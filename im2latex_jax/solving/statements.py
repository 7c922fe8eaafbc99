r"""From LaTeX to the statements that it makes, as tokens without what only looks.

`\begin{cases} x + y &= 3 , \\ x &= 1 . \end{cases}` makes two: `x + y = 3` and `x = 1`.
"""

from collections.abc import Callable, Sequence

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.canonical import canonicalize

RELATIONS = frozenset(("=", "<", ">", "\\leq", "\\geq", "\\leqslant", "\\geqslant", "\\neq"))
OPENERS = frozenset(("(", "[", "\\{", "{", "\\lfloor", "\\lceil", "\\left|"))
CLOSERS = frozenset((")", "]", "\\}", "}", "\\rfloor", "\\rceil", "\\right|"))

_SPACES = frozenset(("~", "\\", "\\,", "\\:", "\\;", "\\!"))
_DROPPED = _SPACES | frozenset(
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


class NotComputableError(Im2latexError):
    """A formula says something that cannot be computed with; the message names what."""


def statements(formula: str) -> list[list[str]]:
    """The tokens of each statement that a formula makes, at least one.

    Raises:
      NormalizeError: the formula cannot be read.
      NotComputableError: it makes no statements, or they cannot be told apart.
    """
    tokens = _meaningful(canonicalize(formula).split(" "))
    rows = _rows(tokens)
    if rows is None:
        rows = [row for row in _split(tokens, _SEPARATORS.__contains__) if row]
        if len(rows) > 1 and not all(_has_relation(row) for row in rows):
            rows = [tokens]  # commas mean something else, which the parser says
    rows = [row for row in map(_without_end, rows) if row]
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
    r"""Without spaces and sizes; `\left(` is `(`, and `\mathrm { d }` is `d`."""
    kept: list[str] = []
    for token in tokens:
        if token in _DROPPED:
            continue
        for word in ("\\left", "\\right"):
            fence = token.removeprefix(word)
            if fence != token and not fence[:1].isalpha() and token not in _DIRECTED:
                token = fence
        kept.append(token)
        if len(kept) > 3 and kept[-1] == "}" and kept[-4:-2] == ["\\mathrm", "{"]:
            kept[-4:] = kept[-2:-1]
    return kept


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
    return any(part[:1] for part in _split(tokens, RELATIONS.__contains__)[1:])


def _without_end(row: list[str]) -> list[str]:
    """A statement without the punctuation at its ends."""
    begin, end = 0, len(row)
    while end and row[end - 1] in _PUNCTUATION:
        end -= 1
    while begin < end and row[begin] == "\\quad":
        begin += 1
    return row[begin:end]
