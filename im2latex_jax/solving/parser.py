r"""From LaTeX to SymPy's expressions, unevaluated.

`x (y)` is a function's value, which is refused, and `x (y + 1)` a product (after f, g and h: also a
value). `reader` has the grammar of sums, products and powers; the modules in `_ATOMS` the rest.
"""

import dataclasses
from collections.abc import Sequence

import sympy

from im2latex_jax.solving import calculus, functions, letters, matrices
from im2latex_jax.solving.building import UNEVALUATED
from im2latex_jax.solving.notation import ACCENTS, is_letter
from im2latex_jax.solving.reader import AtomReader, Reader
from im2latex_jax.solving.statements import RELATIONS, NotComputableError, end_of_group, statements


@dataclasses.dataclass(frozen=True)
class Parsed:
    """A formula as SymPy's expressions, unevaluated.

    Attributes:
      statements: relations, or a single expression.
      notes: how what has several meanings was read.
    """

    statements: tuple[sympy.Basic, ...]
    notes: tuple[str, ...] = ()


def parse(formula: str) -> Parsed:
    """Reads LaTeX; see the module.

    Raises:
      NormalizeError: the formula is not LaTeX that can be read.
      NotComputableError: it says something that cannot be computed with.
    """
    found: list[sympy.Basic] = []
    notes: dict[str, None] = {}
    rows = statements(formula)
    for tokens in rows:
        defined = _defined_function(tokens) if len(rows) == 1 else 0
        if defined:
            notes[f"what follows is about {''.join(tokens[: defined - 1])}"] = None
        found += Reader(tokens[defined:], notes, _atom_reader).statement()
    if len(found) > 1 and not all(_is_relation(statement) for statement in found):
        raise NotComputableError("several expressions are no system of equations")
    return Parsed(tuple(found), tuple(notes))


def _atom_reader(token: str) -> AtomReader | None:
    if token.isdigit() or token == ".":
        return letters.number
    if is_letter(token) or token in ACCENTS:
        return letters.letter
    if token.startswith("\\begin{"):
        return matrices.matrix
    return _ATOMS.get(token)


def _infinity(reader: Reader) -> sympy.Expr:
    reader.next()
    return sympy.oo


def _percent(reader: Reader) -> sympy.Expr:
    reader.next()
    return sympy.Pow(100, -1, **UNEVALUATED)


_ATOMS: dict[str, AtomReader] = {
    "\\frac": calculus.fraction,
    "\\int": calculus.integral,
    "\\iint": calculus.integral,
    "\\iiint": calculus.integral,
    "\\sum": calculus.series,
    "\\prod": calculus.series,
    "\\binom": functions.binomial,
    "\\sqrt": functions.root,
    "\\operatorname": functions.named,
    "\\operatorname*": functions.named,
    "\\mathrm": functions.named,
    "\\Re": functions.named,
    "\\Im": functions.named,
    "\\infty": _infinity,
    "\\%": _percent,
}


def _is_relation(statement: sympy.Basic) -> bool:
    return isinstance(statement, sympy.core.relational.Relational)


def _defined_function(tokens: Sequence[str]) -> int:
    """How many tokens `f ( x ) =` take at the beginning of a definition, or 0."""
    if len(tokens) < 6 or not is_letter(tokens[0]) or tokens[1] != "(":
        return 0
    end = end_of_group(tokens, 1)
    arguments = tokens[2 : end - 1]
    listed = all(
        is_letter(token) if number % 2 == 0 else token == ","
        for number, token in enumerate(arguments)
    )
    if not listed or len(arguments) % 2 == 0 or tokens[end : end + 1] != ["="]:
        return 0
    others = RELATIONS.intersection(tokens[end + 1 :])
    return 0 if others or tokens[0] in tokens[end + 1 :] else end + 1
