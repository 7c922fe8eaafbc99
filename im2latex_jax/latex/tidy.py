r"""From the network's normal form to LaTeX as people write it; both draw the same image.

The network writes the normal form of im2latex-100k (see `normalizer`), which has one spelling for
each image and so can be measured. `tidy` respells it:

- `\mathbf{E}` for `{\bf E}`, `\sin` for `\operatorname { s i n }`, `\lim`, `\operatorname{sinc}`;
- `pmatrix` and its kin for `matrix` between delimiters, no `\\` before `\end`, no braces around
  cells;
- `x^2`, `f'`, `\frac{1}{2}`: braces around every argument of a command, and none that draw nothing;
- `\text{ and }` for words, `\tag{3.14}` for an equation's number at the margin;
- no switches that do nothing in math (`\boldmath`, `\scriptsize`), no spaces at the formula's ends.

What TeX spaces in another way without its braces keeps them (see `braces`). Only `\tag` draws
something else: it moves the number to the margin.
"""

import re

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex import braces, lexer, parsing, respelling, spacing, writing
from im2latex_jax.latex.portable import points, respell_portably
from im2latex_jax.latex.tree import Group, Items, Length, Node, Text, Token

_NUMBER = re.compile(r"(?:[A-Z]\.?)?[0-9]+(?:\.[0-9]+)*[a-z]?'?")
_WIDTHS = {"\\quad": 12.0, "\\qquad": 24.0, "\\": 3.3, "~": 3.3, "\\;": 3.3, "\\:": 2.7, "\\,": 2.0}
# Blank space in points that sets an equation's number apart from the equation.
_MARGIN = 22.0
# A pass may bring side by side what another simplifies; two do for nearly all formulas.
_MAX_PASSES = 6


def tidy(formula: str, *, portable: bool = False) -> str:
    r"""A formula as a person would write it; see the module.

    Args:
      formula: LaTeX math without delimiters, in the normal form or any other.
      portable: leaves out what programs beside TeX, such as pandoc, do not read; see
        `portable`. Symbols may move by about a point.

    Returns:
      The formula, on one line; `tidy` changes it no more. A formula that cannot be taken apart
      (braces that do not match, commands whose arguments are of an unknown kind) is only freed of
      blanks.
    """
    try:
        items = parsing.parse(formula)
    except Im2latexError:
        return _compact(formula)
    text = formula
    for _ in range(_MAX_PASSES):
        changed = respell_portably(items) if portable else items
        text = writing.write(_trimmed(respelling.respell(changed)))
        try:
            again = parsing.parse(text)
        except Im2latexError:  # what was written cannot be taken apart again
            return _compact(formula)
        if again == items:
            break
        items = again
    return text


def _compact(formula: str) -> str:
    """Without blanks between tokens, where they are known to draw nothing."""
    try:
        tokens, _ = lexer.scan(formula)
    except Im2latexError:
        return formula.strip()
    return lexer.detokenize(tokens) if formula.strip(" ") == " ".join(tokens) else formula.strip()


def _trimmed(items: Items) -> Items:
    """Without what draws nothing at a formula's ends, and with its number as a `\\tag`."""
    while True:
        begin, end = 0, len(items)
        while begin < end and _is_space(items[begin]):
            begin += 1
        while end > begin and (_is_space(items[end - 1]) or _is_empty_end(items[:end])):
            end -= 1
        trimmed = braces.unbraced(items[begin:end])
        if trimmed == items:
            return _tagged(items)
        items = trimmed


def _is_space(node: Node) -> bool:
    return isinstance(node, Length) or (isinstance(node, Token) and node.text in spacing.SPACES)


def _is_empty_end(items: Items) -> bool:
    return items[-1] == Group(()) and braces.is_droppable(items, len(items) - 1)


def _tagged(items: Items) -> Items:
    """With `\\tag` for a number in parentheses that stands far to the right."""
    begin = len(items) - 1
    if begin < 4 or items[begin] != Token(")"):
        return items
    while begin > 0 and isinstance(items[begin], Token) and items[begin] != Token("("):
        begin -= 1
    number = writing.write(items[begin + 1 : -1])
    if items[begin] != Token("(") or not _NUMBER.fullmatch(number):
        return items
    end, room = begin, 0.0
    while end > 0 and _is_space(items[end - 1]):
        end -= 1
        room += _width(items[end])
    if not end or room < _MARGIN or any(_is_tag(node) for node in items):
        return items
    return (*items[:end], Text("\\tag", number))


def _is_tag(node: Node) -> bool:
    return isinstance(node, Text) and node.name.startswith("\\tag")


def _width(space: Node) -> float:
    """The width of a space in points at 12 points, roughly."""
    if isinstance(space, Length):
        return points(space.length) or 0.0
    return _WIDTHS.get(space.text, 0.0) if isinstance(space, Token) else 0.0
