"""MathML by latex2mathml, and Word's OMML by mathml-to-omml.

latex2mathml 3.81 does not lay out `aligned` and its kin: they are given to it as environments that
it knows. `\\mathopen` and the like, which only space their argument, are left out.
"""

import dataclasses

from im2latex_jax.latex import parsing, writing
from im2latex_jax.latex.tree import Command, Group, Items, Node, Table, rebuild

_SPACING_ONLY = frozenset(
    ("\\mathopen", "\\mathclose", "\\mathbin", "\\mathrel", "\\mathord", "\\mathpunct")
)


def mathml(latex: str) -> str:
    """A formula as a `<math>` element in display style."""
    from latex2mathml import converter

    return converter.convert(_readable(latex), display="block")


def omml(latex: str) -> str:
    """A formula as an `<m:oMath>` element, with its name space declared."""
    import math_ml2omml

    element = math_ml2omml.convert(mathml(latex))
    return element.replace("<m:oMath>", f'<m:oMath xmlns:m="{_OMML}">', 1)


_OMML = "http://schemas.openxmlformats.org/officeDocument/2006/math"


def _readable(latex: str) -> str:
    return writing.write(rebuild(parsing.parse(latex), _list))


def _list(items: Items) -> Items:
    return tuple(map(_node, items))


def _node(node: Node) -> Node:
    if isinstance(node, Command) and node.name in _SPACING_ONLY:
        return Group(node.arguments[0])
    if isinstance(node, Table) and node.name in ("aligned", "alignedat", "split"):
        width = max((len(row.cells) for row in node.rows), default=0)
        name = "split" if width <= 2 else "align*"
        return dataclasses.replace(node, name=name, columns=None, placement="")
    if isinstance(node, Table) and node.name == "gathered":
        return dataclasses.replace(node, name="array", columns="c", placement="")
    return node
