"""Roots, binomial coefficients and functions with names."""

import sympy

from im2latex_jax.solving import units
from im2latex_jax.solving.building import (
    UNEVALUATED,
    divide,
    multiply,
    negate,
    require_matrix,
    scalar,
)
from im2latex_jax.solving.calculus import limit
from im2latex_jax.solving.letters import letter
from im2latex_jax.solving.notation import (
    BRACKETS,
    CIRCULAR,
    DIVISION_SIGNS,
    FUNCTIONS,
    INVERSES,
    OF_SEVERAL,
    ROUNDED,
)
from im2latex_jax.solving.reader import Reader
from im2latex_jax.solving.real_roots import RealRoot
from im2latex_jax.solving.statements import OPENERS, WORD, NotComputableError, end_of_group


def root(reader: Reader) -> sympy.Expr:
    r"""`\sqrt [ 3 ] { x }`."""
    reader.position += 1
    degree: sympy.Expr = sympy.Integer(2)
    if reader.peek() == "[":
        degree = scalar(reader.bracketed())
    radicand = reader.group()
    if degree.is_Integer and degree.is_odd and degree > 1 and not radicand.is_nonnegative:
        return RealRoot(radicand, degree, **UNEVALUATED)
    return sympy.Pow(radicand, sympy.Pow(degree, -1), **UNEVALUATED)


def binomial(reader: Reader) -> sympy.Expr:
    r"""`\binom { n } { k }`."""
    reader.position += 1
    return sympy.binomial(reader.group(), reader.group(), **UNEVALUATED)


def named(reader: Reader) -> sympy.Basic:
    r"""A function by its name: `\operatorname { s i n } x`."""
    command = reader.next()
    name = command[1:]
    if command not in ("\\Re", "\\Im"):
        end = end_of_group(reader.tokens, reader.position)
        name = "".join(reader.tokens[reader.position + 1 : end - 1])
        reader.position = end
    return _applied(reader, name)


def word(reader: Reader) -> sympy.Basic:
    r"""What a word in upright letters stands for: a unit, a variable or a function."""
    if reader.units and units.is_unit(reader.peek()):
        return units.unit(reader)
    name = reader.peek()[len(WORD) : -1]
    if len(name) == 1:
        reader.tokens[reader.position] = name
        return letter(reader)
    reader.next()
    return _applied(reader, name)


def _applied(reader: Reader, name: str) -> sympy.Basic:
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
    bracketed = reader.peek() in BRACKETS
    argument = scalar(_argument(reader))
    if not bracketed and reader.peek() in DIVISION_SIGNS:
        reader.notes[f"the argument of {name} is read as ending before {reader.peek()}"] = None
    if name in CIRCULAR and argument.is_Rational and argument != 0:
        reader.notes["angles without a degree sign are in radians"] = None
    if name in ("arccot", "acot", "arcctg"):
        reader.notes[f"{name} is taken from -pi/2 to pi/2"] = None
    value = FUNCTIONS[name](argument, **UNEVALUATED)
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
    if token in ("\\operatorname", "\\operatorname*") or token.startswith(WORD):
        return False
    waiting = any(not integral.complete for integral in reader.integrals)
    return not (token == "d" and waiting)
