r"""Values put in for a variable: `\left. F \right|_a^b`, `[ F ]_a^b` and `F |_{x = a}`."""

import sympy

from im2latex_jax.solving.building import negate, scalar
from im2latex_jax.solving.cursor import Cursor
from im2latex_jax.solving.notation import is_letter
from im2latex_jax.solving.statements import NotComputableError


def between_bar(reader: Cursor) -> sympy.Basic:
    r"""`\left. F \right|` with its scripts."""
    reader.next()
    body = reader.sum()
    reader.expect("\\right|")
    return at_bounds(reader, body)


def at_bounds(reader: Cursor, body: sympy.Basic) -> sympy.Expr:
    """The body at the subscript's value, or its difference between superscript and subscript.

    Raises:
      NotComputableError: no value is given, or it is not clear for which variable.
    """
    body = scalar(body)
    name, lower = _value(reader) if reader.accept("_") else (None, None)
    upper_name, upper = _value(reader) if reader.accept("^") else (None, None)
    if lower is None:
        raise NotComputableError("a bar that says no value for a variable")
    names = {found for found in (name, upper_name) if found is not None}
    if not names:
        names = body.free_symbols
    if len(names) > 1 or (not names and upper is not None and body.has(sympy.Integral)):
        raise NotComputableError("for which variable the values stand is not said")
    if not names:
        return body if upper is None else sympy.Integer(0)
    [variable] = names
    value = _at(body, variable, lower)
    if upper is None:
        return value
    return sympy.Add(_at(body, variable, upper), negate(value), evaluate=False)


def _value(reader: Cursor) -> tuple[sympy.Symbol | None, sympy.Expr]:
    """A variable, if it is named, and its value: `{ x = 1 }` or `{ 1 }`."""
    tokens, start = reader.tokens, reader.position
    if tokens[start] == "{" and is_letter(tokens[start + 1]) and tokens[start + 2] == "=":
        variable = sympy.Symbol(tokens[start + 1].removeprefix("\\"))
        reader.position = start + 3
        value = scalar(reader.sum())
        reader.expect("}")
        return variable, value
    return None, reader.script()


def _at(body: sympy.Expr, variable: sympy.Symbol, value: sympy.Expr) -> sympy.Expr:
    if value.has(sympy.oo):
        return sympy.Limit(body, variable, value)
    return sympy.Subs(body, variable, value)
