r"""LaTeX math as a tree: what belongs to what.

`parsing` makes it of tokens, and `writing` gives its text back. The tree keeps what is drawn and
forgets how arguments were braced; groups in braces that stand by themselves stay, because TeX
spaces them as one symbol.
"""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Token:
    """A symbol, a space, a switch of font or style; with its delimiter where it sizes one."""

    text: str


@dataclasses.dataclass(frozen=True)
class Group:
    """What stands in braces by itself."""

    items: "tuple[Node, ...]"


@dataclasses.dataclass(frozen=True)
class Command:
    """A command with its arguments, without their braces.

    Attributes:
      name: with arguments that are not math (`\\multicolumn{2}{c}`, `\\operatorname*`).
      arguments: of math.
      option: what stands in brackets before them.
    """

    name: str
    arguments: "tuple[tuple[Node, ...], ...]"
    option: "tuple[Node, ...] | None" = None


@dataclasses.dataclass(frozen=True)
class Text:
    """A text command and what it holds as TeX's text mode reads it, blanks included."""

    name: str
    content: str


@dataclasses.dataclass(frozen=True)
class Length:
    """A space of given width: `\\hspace{1cm}`, `\\kern 2pt`."""

    name: str
    length: str


@dataclasses.dataclass(frozen=True)
class Scripts:
    """A base (None: nothing) with a subscript, a superscript and `\\limits` or `\\nolimits`."""

    base: "Node | None"
    sub: "tuple[Node, ...] | None" = None
    sup: "tuple[Node, ...] | None" = None
    limits: str = ""


@dataclasses.dataclass(frozen=True)
class Fence:
    """`\\left` and `\\right` with their delimiters and what stands between."""

    left: str
    items: "tuple[Node, ...]"
    right: str


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table: rules above it, cells, and the extra space behind it."""

    cells: "tuple[tuple[Node, ...], ...]"
    rules: tuple[str, ...] = ()
    space: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """An environment of rows, or `\\substack` (its name then begins with a backslash).

    Attributes:
      name: of the environment.
      columns: its column specification, None where it has none.
      rows: without what `\\\\` before the end would add.
      placement: `t` or `b`, or nothing.
      rules: below the last row.
    """

    name: str
    columns: str | None
    rows: tuple[Row, ...]
    placement: str = ""
    rules: tuple[str, ...] = ()


Node = Token | Group | Command | Text | Length | Scripts | Fence | Table
Items = tuple[Node, ...]


def rebuild(items: Items, change: Callable[[Items], Items]) -> Items:
    """A tree with each of its lists changed, the innermost first."""

    def inside(node: Node) -> Node:
        if isinstance(node, (Group, Fence)):
            return dataclasses.replace(node, items=rebuild(node.items, change))
        if isinstance(node, Command):
            arguments = tuple(rebuild(argument, change) for argument in node.arguments)
            option = None if node.option is None else rebuild(node.option, change)
            return Command(node.name, arguments, option)
        if isinstance(node, Scripts):
            base = node.base
            if base is not None:
                changed = change((inside(base),))
                base = changed[0] if len(changed) == 1 else Group(changed)
                if isinstance(base, Scripts):
                    base = Group((base,))
            sub, sup = (None if s is None else rebuild(s, change) for s in (node.sub, node.sup))
            return Scripts(base, sub, sup, node.limits)
        if isinstance(node, Table):
            rows = tuple(
                dataclasses.replace(row, cells=tuple(rebuild(cell, change) for cell in row.cells))
                for row in node.rows
            )
            return dataclasses.replace(node, rows=rows)
        return node

    return change(tuple(inside(node) for node in items))
