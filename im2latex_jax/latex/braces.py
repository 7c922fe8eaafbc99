"""Braces that draw nothing: which groups of a list may lose them.

A group is spaced as one ordinary symbol. Its braces may go where TeX spaces its contents and their
neighbours in the same way without them, and where no font kerns two characters that they kept
apart. TeX itself takes a single ordinary symbol out of its braces (The TeXbook, page 291).
"""

from collections.abc import Sequence

from im2latex_jax.latex import spacing
from im2latex_jax.latex.commands import control_words
from im2latex_jax.latex.spacing import ORD, class_of, gaps
from im2latex_jax.latex.tree import Command, Group, Items, Node, Scripts, Token

SWITCHES = {
    "\\bf": "\\mathbf",
    "\\cal": "\\mathcal",
    "\\it": "\\mathit",
    "\\sf": "\\mathsf",
    "\\tt": "\\mathtt",
    "\\rm": "\\mathrm",
    "\\mit": "\\mathnormal",
    "\\frak": "\\mathfrak",
}
FONTS = frozenset(SWITCHES.values()) | {"\\mathbb", "\\mathscr"}
# Dots look at what follows them, the closing brace included.
_DOTS = tuple(map(Token, control_words("dots ldots cdots dotsc dotsb dotsm dotsi dotso hdots")))


def unbraced(items: Sequence[Node]) -> Items:
    """A list without the braces and empty groups that draw nothing."""
    if len(items) == 1 and isinstance(items[0], Group) and _may_stand_bare(items[0].items):
        return items[0].items
    nodes = list(items)
    if not any(isinstance(node, Group) for node in nodes):
        return tuple(nodes)
    number = 0
    while number < len(nodes):
        node = nodes[number]
        if isinstance(node, Group):
            if not node.items and is_droppable(nodes, number):
                del nodes[number]
                continue
            if node.items and _is_removable(nodes, number, node):
                nodes[number : number + 1] = node.items
                number += len(node.items)
                continue
        number += 1
    return tuple(nodes)


def is_droppable(items: Sequence[Node], number: int) -> bool:
    """Whether the empty group at a place of a list may go."""
    following = items[number + 1 : number + 2]
    if _kerned(items[max(number - 1, 0) : number], following):
        return False
    if following and isinstance(following[0], Scripts) and following[0].base is None:
        return False
    left, right = _classes(items[:number]), _classes(items[number + 1 :])
    if left is None or right is None or any(is_switch(node) for node in items):
        return False
    braced, bare = gaps([*left, ORD, *right]), gaps([*left, *right])
    at = len(left)
    merged = [*braced[:at], braced[at] + braced[at + 1], *braced[at + 2 :]]
    # Space behind the last symbol is not drawn at the end of a formula, and 0 elsewhere.
    return merged[:-1] == bare[:-1] if not right else merged == bare


def _is_removable(items: Sequence[Node], number: int, group: Group) -> bool:
    inner = group.items
    if any(is_switch(node) for node in inner) or not _may_stand_bare(inner):
        return False
    if len(inner) == 1 and (isinstance(inner[0], Group) or is_symbol(inner[0])):
        return True
    inside, left, right = (_classes(part) for part in (inner, items[:number], items[number + 1 :]))
    if inside is None or left is None or right is None:
        return False
    if not (class_of(inner[0]) and class_of(inner[-1])):
        return False  # a space at an end
    if _kerned(items[max(number - 1, 0) : number], inner[:1]):
        return False
    if _kerned(inner[-1:], items[number + 1 : number + 2]):
        return False
    braced, bare = gaps([*left, ORD, *right]), gaps([*left, *inside, *right])
    at = len(left)
    return bare == [*braced[: at + 1], *gaps(inside)[1:-1], *braced[at + 1 :]]


def _may_stand_bare(inner: Items) -> bool:
    return not inner or inner[-1] not in _DOTS


def _classes(items: Sequence[Node]) -> list[str] | None:
    """The classes of a list's atoms, None where one is not known."""
    classes = [class_of(node) for node in items]
    return None if None in classes else [c for c in classes if c]


def is_switch(node: Node) -> bool:
    """Whether a node changes the font or the style of what follows it."""
    return isinstance(node, Token) and (node.text in SWITCHES or node.text in spacing.STYLES)


def is_symbol(node: Node) -> bool:
    """Whether a node is a symbol that TeX takes out of its braces by itself."""
    return isinstance(node, Token) and class_of(node) == ORD


def _kerned(left: Sequence[Node], right: Sequence[Node]) -> bool:
    """Whether a font may kern what stands side by side: characters of one font."""
    if not left or not right:
        return False
    first = right[0].base if isinstance(right[0], Scripts) else right[0]
    font = _font(left[0])
    return font is not None and font == _font(first)


def _font(node: Node | None) -> str | None:
    """The font of a character by which it may be kerned; None for other nodes."""
    if isinstance(node, Command) and node.name in FONTS:
        [argument] = node.arguments
        return node.name if len(argument) == 1 and _font(argument[0]) else None
    if not isinstance(node, Token):
        return None
    if node.text.isdigit():
        return "digits"
    if len(node.text) == 1 and (node.text.isalpha() or node.text in ".,;/"):
        return "letters"
    return "letters" if node.text in spacing.GREEK_LETTERS else None
