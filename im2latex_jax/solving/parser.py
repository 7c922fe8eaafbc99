r"""From LaTeX to SymPy's expressions, unevaluated.

`x (y)` is a function's value, which is refused, and `x (y + 1)` a product (after f, g and h: also a
value). `reader` has the grammar of sums, products and powers; the modules in `_ATOMS` the rest.
"""

import dataclasses
from collections.abc import Sequence

import sympy

from im2latex_jax.solving import bounds, calculus, functions, letters, matrices, units
from im2latex_jax.solving.building import UNEVALUATED, negate, scalar
from im2latex_jax.solving.notation import ACCENTS, RELATION_CLASSES, REMAINDER_SIGNS, is_letter
from im2latex_jax.solving.numbers import is_number
from im2latex_jax.solving.reader import AtomReader, Reader
from im2latex_jax.solving.statements import (
    CONGRUENT,
    RELATIONS,
    WORD,
    NotComputableError,
    end_of_group,
    statements,
)


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
    rows = statements(formula, notes)
    for tokens in rows:
        defined = _defined_function(tokens) if len(rows) == 1 else 0
        if defined:
            notes[f"what follows is about {''.join(tokens[: defined - 1])}"] = None
        found += _statement(tokens[defined:], notes)
    if len(found) > 1 and not all(_is_relation(statement) for statement in found):
        raise NotComputableError("several expressions are no system of equations")
    return Parsed(tuple(found), tuple(notes))


def _statement(tokens: Sequence[str], notes: dict[str, None]) -> list[sympy.Basic]:
    with_units = units.applies(tokens)

    def read(part: Sequence[str]) -> list[sympy.Basic]:
        return _relations(Reader(part, notes, _atom_reader, with_units))

    if CONGRUENT in tokens:
        sides = list(map(read, _congruence(tokens)))
        if any(len(side) != 1 or _is_relation(side[0]) for side in sides):
            raise NotComputableError("a congruence with another relation in it")
        left, right, modulus = (scalar(side[0]) for side in sides)
        difference = sympy.Add(left, negate(right), **UNEVALUATED)
        return [sympy.Eq(sympy.Mod(difference, modulus, **UNEVALUATED), 0, **UNEVALUATED)]
    found = read(tokens)
    if with_units:
        for statement in found:
            units.require_dimensions(statement)
    return found


def _relations(reader: Reader) -> list[sympy.Basic]:
    """An expression, or the relations of a chain such as `0 < x < 1`."""
    sides = [reader.sum()]
    relations = []
    while reader.peek() in RELATIONS:
        relations.append(RELATION_CLASSES[reader.next()])
        sides.append(reader.sum())
    if reader.peek():
        raise reader.refused()
    if not relations:
        return sides
    for side in sides:
        if not isinstance(side, sympy.Expr) and any(r is not sympy.Eq for r in relations):
            raise NotComputableError("matrices are not larger or smaller")
    pairs = zip(relations, sides, sides[1:], strict=False)
    return [relation(left, right, **UNEVALUATED) for relation, left, right in pairs]


def _congruence(tokens: Sequence[str]) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    r"""The sides and the modulus of `a \equiv b \pmod { n }`."""
    middle = tokens.index(CONGRUENT)
    right = list(tokens[middle + 1 :])
    for sign in ("\\pmod", *REMAINDER_SIGNS):
        if sign not in right:
            continue
        place = right.index(sign)
        modulus = right[place + 1 :]
        if place and right[place - 1] == "(" and modulus[-1:] == [")"]:
            place, modulus = place - 1, modulus[:-1]
        return tokens[:middle], right[:place], modulus
    raise NotComputableError("\\equiv: a congruence needs its modulus, such as \\pmod{7}")


def _atom_reader(token: str) -> AtomReader | None:
    if is_number(token):
        return letters.number
    if token.startswith(WORD):
        return functions.word
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
    reader.notes["a percent sign is read as 1/100"] = None
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
    "\\left.": bounds.between_bar,
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
