r"""A tree without what programs beside TeX do not read, such as pandoc's LaTeX reader.

What is put in its place looks nearly the same: lengths in whole points, letters of other alphabets
as text, `\Big` for `\Bigl` where both are spaced alike, sizes of text dropped.
"""

import re

from im2latex_jax.latex import spacing
from im2latex_jax.latex.commands import control_words
from im2latex_jax.latex.tree import (
    Command,
    Fence,
    Group,
    Items,
    Length,
    Node,
    Row,
    Table,
    Text,
    Token,
    rebuild,
)

_LETTERS = {
    "\\S": "§",
    "\\P": "¶",
    "\\o": "ø",
    "\\O": "Ø",
    "\\l": "ł",
    "\\L": "Ł",
    "\\ss": "ß",
    "\\aa": "å",
    "\\AA": "Å",
    "\\ae": "æ",
    "\\AE": "Æ",
    "\\oe": "œ",
    "\\OE": "Œ",
    "\\i": "\N{LATIN SMALL LETTER DOTLESS I}",
    "\\j": "ȷ",
    "\\th": "þ",
    "\\textdegree": "°",
    "\\textquotesingle": "'",
    "`": "\N{LEFT SINGLE QUOTATION MARK}",
    '"': "”",
}
_LOOKALIKES = {
    "\\thicksim": "\\sim",
    "\\thickapprox": "\\approx",
    "\\shortparallel": "\\parallel",
    "\\arrowvert": "|",
    "\\ldotp": ".",
    "\\intop": "\\int",
    "\\smallint": "\\int",
    "\\relbar": "-",
}
_COMMANDS = {"\\cfrac": "\\dfrac", "\\hphantom": "\\phantom", "\\dbinom": "\\binom"}
_TEXT = {"\\textsc": "\\text", "\\textsl": "\\textit", "\\fbox": "\\text"}
_DROPPED = control_words(
    "tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge strut mathstrut "
    "hfill hfil smallskip medskip bigskip"
)
_ATOP = "\\genfrac{}{}{0pt}{}"
# These are drawn as their argument is, but for where it stands.
_BARE = frozenset(("\\smash", "\\rlap", "\\llap", "\\mathinner", "\\mathnormal"))
_DELIMITERS = {"/": "|", "\\Arrowvert": "\\|", "\\arrowvert": "|"}
_UNITS = {"pt": 1.0, "pc": 12.0, "in": 72.27, "cm": 72.27 / 2.54, "mm": 7.227 / 2.54, "bp": 1.00375}
# At 12 points.
_FONT_UNITS = {"em": 11.75, "ex": 5.17, "mu": 12.0 / 18}
_WHOLE = re.compile("[0-9]+(em|pt|cm|in)")
_SIZED = re.compile(r"\\(Big|big|bigg|Bigg)([lrm])([^a-z].*)")


def respell_portably(items: Items) -> Items:
    """The tree, respelled; see the module."""
    return rebuild(items, _list)


def points(length: str) -> float | None:
    """The points of a length at 12 points, such as `-.5cm`; None where it cannot be read."""
    found = re.fullmatch(r"(-?[0-9]*\.?[0-9]*)(?:true)?([a-z]{2})", length)
    unit = {**_UNITS, **_FONT_UNITS}.get(found[2]) if found else None
    if found is None or unit is None or not any(c.isdigit() for c in found[1]):
        return None
    return float(found[1]) * unit


def _list(items: Items) -> Items:
    changed: list[Node] = []
    for number, node in enumerate(items):
        if isinstance(node, Token):
            changed += _token(node, items, number)
        elif isinstance(node, Length):
            changed += _length(node)
        elif isinstance(node, Command):
            changed += _command(node)
        elif isinstance(node, Text):
            changed.append(Text(_TEXT.get(node.name, node.name), node.content))
        elif isinstance(node, Fence):
            left, right = (_DELIMITERS.get(side, side) for side in (node.left, node.right))
            changed.append(_fence(Fence(left, node.items, right)))
        elif isinstance(node, Table) and node.name == "subarray":
            changed.append(Table("\\substack", None, node.rows))
        else:
            changed.append(node)
    return tuple(changed)


def _fence(node: Fence) -> Node:
    """A fence; `\\binom` for two rows in parentheses without a line between them."""
    items = node.items
    if (node.left, node.right) == ("(", ")") and len(items) == 1:
        [inner] = items
        if isinstance(inner, Group) and len(inner.items) == 1:
            [inner] = inner.items
        if isinstance(inner, Table) and inner.name == "\\substack" and len(inner.rows) == 2:
            return Command("\\binom", tuple(row.cells[0] for row in inner.rows))
    return node


def _token(node: Token, items: Items, number: int) -> list[Node]:
    text = node.text
    if text in _DROPPED:
        return []
    if text in _LETTERS:
        return [Text("\\text", _LETTERS[text])]
    if text in ("\\enspace", "\\enskip"):
        return [Length("\\hspace", "6pt")]
    if text.startswith("\\var") and text[4:5].isupper():
        return [Command("\\mathit", ((Token(f"\\{text[4:]}"),),))]
    sized = _SIZED.fullmatch(text)
    if sized is not None and (sized[1] == "Big" or sized[2] == "m"):
        return [_sized(sized, items, number)]
    return [Token(_LOOKALIKES.get(text, text))]


def _sized(sized: re.Match, items: Items, number: int) -> Node:
    """`\\Bigl`, `\\Bigr` and the like by other means."""
    plain = Token(f"\\{sized[1]}{sized[3]}")
    neighbours = [spacing.class_of(node) for node in items]
    if sized[2] != "m" and None not in neighbours:
        at = sum(1 for c in neighbours[:number] if c)
        given = [c for c in neighbours if c]
        if spacing.gaps(given) == spacing.gaps([*given[:at], spacing.ORD, *given[at + 1 :]]):
            return plain
    name = {"l": "\\mathopen", "r": "\\mathclose", "m": "\\mathrel"}[sized[2]]
    return Command(name, ((plain,),))


def _length(node: Length) -> list[Node]:
    width = points(node.length)
    if node.name.startswith("\\vspace"):
        return []
    if width is None or (node.name == "\\hspace" and _WHOLE.fullmatch(node.length)):
        return [node]
    if width < 0:
        # Negative thin spaces are about 2 points wide.
        return [Token("\\!")] * round(-width / 2)
    return [Length("\\hspace", f"{round(width)}pt")] if round(width) else []


def _command(node: Command) -> list[Node]:
    if node.name in _BARE:
        [argument] = node.arguments
        return list(argument) if len(argument) == 1 else [Group(argument)]
    if node.name == "\\vphantom":
        return [Group(())]
    if node.name == _ATOP:
        above, below = node.arguments
        return [Table("\\substack", None, (Row((above,)), Row((below,))))]
    return [Command(_COMMANDS.get(node.name, node.name), node.arguments, node.option)]
