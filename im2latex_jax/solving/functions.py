"""Roots, binomial coefficients and functions with names."""

import sympy

from im2latex_jax.solving.building import (
    UNEVALUATED,
    divide,
    multiply,
    negate,
    require_matrix,
    scalar,
)
from im2latex_jax.solving.calculus import limit
from im2latex_jax.solving.notation import BRACKETS, FUNCTIONS, INVERSES, OF_SEVERAL, ROUNDED
from im2latex_jax.solving.reader import Reader
from im2latex_jax.solving.statements import OPENERS, NotComputableError, end_of_group


def root(reader: Reader) -> sympy.Expr:
    r"""`\sqrt [ 3 ] { x }`."""
    reader.position += 1
    degree: sympy.Expr = sympy.Integer(2)
    if reader.peek() == "[":
        degree = scalar(reader.bracketed())
    radicand = reader.group()
    return sympy.Pow(radicand, sympy.Pow(degree, -1), **UNEVALUATED)


def binomial(reader: Reader) -> sympy.Expr:
    r"""`\binom { n } { k }`."""
    reader.position += 1
    return sympy.binomial(reader.group(), reader.group(), **UNEVALUATED)


def named(reader: Reader) -> sympy.Basic:
    r"""What a word in upright letters stands for: `\operatorname { s i n } x`."""
    word = reader.next()
    name = word[1:]
    if word not in ("\\Re", "\\Im"):
        end = end_of_group(reader.tokens, reader.position)
        name = "".join(reader.tokens[reader.position + 1 : end - 1])
        reader.position = end
    if name == "lim":
        return limit(reader)
    if name == "det":
        return sympy.Determinant(require_matrix(reader.factor()))
    if name in OF_SEVERAL:
        if reader.peek() not in ("(", "[", "\\{"):
            raise NotComputableError(f"{name} without the list of what it is taken of")
        return OF_SEVERAL[name](*reader.listed())
    if name not in FUNCTIONS:
        raise NotComputableError(f"{name} is not a function that is known here")
    return _function(reader, name)


def _function(reader: Reader, name: str) -> sympy.Expr:
    base = power = None
    if reader.peek() == "_":
        if name != "log":
            raise NotComputableError(f"a subscript of {name} is not known")
        reader.position += 1
        base = reader.script()
    if reader.accept("^"):
        power = reader.script()
        if power == -1 and name in INVERSES:
            name, power = INVERSES[name], None
    if name == "log" and base is None:
        reader.notes["log is read as the natural logarithm"] = None
    value = FUNCTIONS[name](scalar(_argument(reader)), **UNEVALUATED)
    if base is not None:
        value = divide(value, sympy.log(base, **UNEVALUATED))
    return value if power is None else sympy.Pow(value, power, **UNEVALUATED)


def _argument(reader: Reader) -> sympy.Basic:
    """Brackets, or the factors up to the next operator, bracket or function."""
    if reader.peek() in BRACKETS or reader.peek() in ROUNDED:
        return reader.fenced() if reader.peek() in BRACKETS else reader.factor()
    negative = reader.accept("-")
    if not reader.starts_factor():
        raise reader.refused()
    factors = [reader.factor()]
    while reader.starts_factor() and _continues_argument(reader):
        factors.append(reader.factor())
    product = multiply(factors)
    return negate(product) if negative else product


def _continues_argument(reader: Reader) -> bool:
    token = reader.peek()
    if token in OPENERS or token == "|" or token in ("\\int", "\\iint", "\\sum", "\\prod"):
        return False
    if token in ("\\operatorname", "\\operatorname*", "\\mathrm"):
        return False
    waiting = any(not integral.complete for integral in reader.integrals)
    return not (token == "d" and waiting)
