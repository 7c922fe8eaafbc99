r"""Units of measurement: `5 \mathrm{km} / \mathrm{h}`, as multiples of the SI's base units.

A word in upright letters is a unit where the formula has a number with one directly behind it.
"""

import functools
import itertools
import re
from collections.abc import Sequence
from fractions import Fraction

import sympy

from im2latex_jax.solving.cursor import Cursor
from im2latex_jax.solving.numbers import is_number
from im2latex_jax.solving.statements import WORD, NotComputableError

# Factors, and powers of m, kg, s, A, K, mol, cd.
_BASE = ("meter", "kilogram", "second", "ampere", "kelvin", "mole", "candela")
_UNITS: dict[str, tuple[str, dict[str, int]]] = {
    "m": ("1", {"meter": 1}),
    "g": ("1/1000", {"kilogram": 1}),
    "s": ("1", {"second": 1}),
    "A": ("1", {"ampere": 1}),
    "K": ("1", {"kelvin": 1}),
    "mol": ("1", {"mole": 1}),
    "cd": ("1", {"candela": 1}),
    "Hz": ("1", {"second": -1}),
    "N": ("1", {"meter": 1, "kilogram": 1, "second": -2}),
    "J": ("1", {"meter": 2, "kilogram": 1, "second": -2}),
    "W": ("1", {"meter": 2, "kilogram": 1, "second": -3}),
    "Pa": ("1", {"meter": -1, "kilogram": 1, "second": -2}),
    "bar": ("100000", {"meter": -1, "kilogram": 1, "second": -2}),
    "C": ("1", {"ampere": 1, "second": 1}),
    "V": ("1", {"meter": 2, "kilogram": 1, "second": -3, "ampere": -1}),
    "F": ("1", {"meter": -2, "kilogram": -1, "second": 4, "ampere": 2}),
    "T": ("1", {"kilogram": 1, "second": -2, "ampere": -1}),
    "H": ("1", {"meter": 2, "kilogram": 1, "second": -2, "ampere": -2}),
    "\\Omega": ("1", {"meter": 2, "kilogram": 1, "second": -3, "ampere": -2}),
    "l": ("1/1000", {"meter": 3}),
    "L": ("1/1000", {"meter": 3}),
    "t": ("1000", {"kilogram": 1}),
    "eV": ("1602176634/10000000000000000000000000000", {"meter": 2, "kilogram": 1, "second": -2}),
    "cal": ("4184/1000", {"meter": 2, "kilogram": 1, "second": -2}),
    "Wh": ("3600", {"meter": 2, "kilogram": 1, "second": -2}),
}
_WHOLE_UNITS: dict[str, tuple[str, dict[str, int]]] = {
    "min": ("60", {"second": 1}),
    "h": ("3600", {"second": 1}),
    "d": ("86400", {"second": 1}),
    "ha": ("10000", {"meter": 2}),
    "in": ("254/10000", {"meter": 1}),
    "ft": ("3048/10000", {"meter": 1}),
    "mi": ("1609344/1000", {"meter": 1}),
    "lb": ("45359237/100000000", {"kilogram": 1}),
    "mph": ("1397/3125", {"meter": 1, "second": -1}),
    "rad": ("1", {}),
}
_PREFIXES = {"p": -12, "n": -9, "\\mu ": -6, "\\mu": -6, "m": -3, "c": -2, "d": -1}
_PREFIXES |= {"h": 2, "k": 3, "M": 6, "G": 9, "T": 12}
_FACTOR = re.compile(r"(\\mu ?)?([A-Za-z]*\\Omega|[A-Za-z]+)(?:\^\{?(-?\d)\}?)?")
_BETWEEN = re.compile(r" *(?:\\cdot|[*/]) *| +")


def applies(tokens: Sequence[str]) -> bool:
    """Whether a number has a unit directly behind it, alone or as a fraction's numerator."""
    fractions = zip(tokens, tokens[3:], strict=False)
    behind = ((a, d) for (a, d), b in zip(fractions, tokens[1:], strict=False) if b == "\\frac")
    return any(
        is_number(number) and is_unit(word)
        for number, word in itertools.chain(itertools.pairwise(tokens), behind)
    )


def is_unit(token: str) -> bool:
    """Whether a token is a word that reads as a unit."""
    return _named(_text(token)) is not None


def unit(reader: Cursor) -> sympy.Expr:
    r"""A word that is a unit; a superscript behind it belongs to its last part."""
    text = _text(reader.next())
    if reader.peek() == "^" and "^" not in text[-3:]:
        reader.position += 1
        exponent = reader.script()
        if not exponent.is_Integer or abs(exponent) > 9:
            raise NotComputableError(f"the power of the unit {text} is not a small whole number")
        text += f"^{exponent}"
    found = _named(text)
    if found is None:
        raise NotComputableError(f"{text} is not a unit that is known here")
    reader.notes["units are given in the base units of the SI"] = None
    return found


def require_dimensions(expression: sympy.Basic) -> None:
    """Checks that only like quantities are added or compared.

    Raises:
      NotComputableError: they are not, such as in 1 m + 1 s.
    """
    if expression.has(*_bases().values()):
        if isinstance(expression, sympy.core.relational.Relational):
            _same([_dimension(side) for side in expression.args])
        else:
            _dimension(expression)


@functools.cache
def _bases() -> dict[str, sympy.Expr]:
    from sympy.physics import units  # takes a moment, and is rarely needed

    return {name: getattr(units, name) for name in _BASE}


def _text(token: str) -> str:
    return token[len(WORD) : -1] if token.startswith(WORD) else ""


def _named(text: str) -> sympy.Expr | None:
    r"""The value of `km/h`, `m s^{-2}` or the like, or None if it is no unit."""
    if not text:
        return None
    value: sympy.Expr = sympy.Integer(1)
    position, sign = 0, 1
    while True:
        match = _FACTOR.match(text, position)
        if match is None:
            return None
        named = _one((match[1] or "") + match[2])
        if named is None:
            return None
        value *= named ** (sign * int(match[3] or 1))
        position = match.end()
        between = _BETWEEN.match(text, position)
        if between is None:
            break
        sign = -1 if "/" in between[0] else sign
        position = between.end()
    if position < len(text):
        return None
    return value


def _one(name: str) -> sympy.Expr | None:
    for prefix, exponent in (("", 0), *_PREFIXES.items()):
        rest = name.removeprefix(prefix)
        table = _UNITS if prefix else _UNITS | _WHOLE_UNITS
        if (rest != name or not prefix) and rest in table:
            factor, powers = table[rest]
            scale = sympy.Rational(Fraction(factor)) * sympy.Integer(10) ** exponent
            return scale * sympy.Mul(*(_bases()[base] ** n for base, n in powers.items()))
    return None


def _dimension(expression: sympy.Basic) -> dict[sympy.Basic, sympy.Expr] | None:
    """Powers of base units, or None where a variable may have any."""
    if expression in _bases().values():
        return {expression: sympy.Integer(1)}
    if isinstance(expression, sympy.Symbol) or expression.is_zero:
        return None
    parts = [_dimension(part) for part in expression.args]
    if expression.is_Add:
        return _same(parts)
    if expression.is_Mul:
        if any(part is None for part in parts):
            return None
        product: dict[sympy.Basic, sympy.Expr] = {}
        for part in parts:
            for base, power in (part or {}).items():
                product[base] = product.get(base, sympy.Integer(0)) + power
        return {base: power for base, power in product.items() if power != 0}
    if expression.is_Pow and parts[0]:
        exponent = sympy.sympify(expression.args[1]).doit()
        return {base: power * exponent for base, power in parts[0].items()}
    if isinstance(expression, sympy.Abs):
        return parts[0]
    if any(parts):
        raise NotComputableError("a function of a quantity with a unit")
    return None if any(part is None for part in parts) else {}


def _same(
    dimensions: Sequence[dict[sympy.Basic, sympy.Expr] | None],
) -> dict[sympy.Basic, sympy.Expr] | None:
    known = [dimension for dimension in dimensions if dimension is not None]
    if any(dimension != known[0] for dimension in known):
        raise NotComputableError("quantities with different units are added or compared")
    return known[0] if known else None
