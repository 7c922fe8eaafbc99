"""Numeric values of unevaluated expressions, found without SymPy's symbolic algorithms.

They are what an answer is compared with, so that they do not come from the code that gave it. The
tree is followed as it was written: `x / x` has no value at 0.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import sympy

from im2latex_jax.solving.real_roots import RealRoot

DIGITS = 40
mp = mpmath.MPContext()
"""Arithmetic with numbers of 40 digits."""
mp.dps = DIGITS
# An absolute value below counts as zero, one above (of a tangent, say) as infinite.
EXACT = 1e-18
_TINY = mp.mpf(10) ** -30
_HUGE = mp.mpf(10) ** 30
MAX_TERMS = 2000
# How far two values found by integration, summation and the like may differ.
_APART = 1e-7

Value = Any
"""An mpmath number, real or complex."""


class UndefinedError(Exception):
    """There is no value, or none that is real."""


class UndecidedError(Exception):
    """The value cannot be found numerically with some certainty."""


def value_at(
    expression: sympy.Basic, values: Mapping[sympy.Basic, Value], real: bool = False
) -> Value:
    """The value of an expression at a point, to about 30 digits.

    Args:
      expression: of numbers; integrals, sums, limits and derivatives are evaluated numerically,
        to about 8 digits.
      values: of its variables.
      real: roots and logarithms of negative numbers have no value.

    Raises:
      UndefinedError: there is no value.
      UndecidedError: it cannot be found.
    """
    return _value(expression, values, real)


def near(a: Value, b: Value, tolerance: float = EXACT) -> bool:
    """Whether two values are equal but for rounding."""
    return bool(abs(a - b) <= tolerance * (1 + abs(a) + abs(b)))


def tolerance_of(expression: sympy.Basic) -> float:
    """For `near`: how exact the values of an expression are."""
    return _APART if expression.has(*_NUMERIC) else EXACT


def _value(expression: sympy.Basic, values: Mapping[sympy.Basic, Value], real: bool) -> Value:
    found = values.get(expression)
    if found is not None:
        return found
    kind = type(expression)
    if kind in _NUMERIC:
        return _NUMERIC[kind](expression, values, real)
    if isinstance(expression, (sympy.Number, sympy.NumberSymbol)):
        if not expression.is_finite:
            raise UndefinedError
        return mp.mpmathify(sympy.N(expression, DIGITS)._to_mpmath(mp.prec))
    if isinstance(expression, sympy.polys.rootoftools.ComplexRootOf):
        return _root_of_polynomial(expression)
    if expression is sympy.I:
        return mp.mpc(0, 1)
    if kind.__name__ == "Quantity":  # a unit: any positive number will do, the same each time
        return 1 + mp.mpf(sum(map(ord, str(expression))) % 97) / 60
    if isinstance(expression, sympy.Piecewise):
        return _piecewise(expression, values, real)
    if not isinstance(expression, sympy.Expr) or expression.is_Symbol or not expression.args:
        raise UndecidedError
    arguments = [_value(argument, values, real) for argument in expression.args]
    try:
        result = _applied(expression, arguments, real)
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        raise UndefinedError from error
    return _checked(result, real)


@functools.cache
def _root_of_polynomial(root: sympy.polys.rootoftools.ComplexRootOf) -> Value:
    """SymPy's root to 15 digits, and Newton's method from there, which is faster than SymPy's."""
    coefficients = [mp.mpf(int(c)) for c in sympy.Poly(root.poly.clear_denoms()[1]).all_coeffs()]
    value = mp.mpmathify(root.eval_approx(15)._to_mpmath(60))
    for _ in range(5):
        residual, slope = mp.polyval(coefficients, value, derivative=True)
        value -= residual / slope
    return value


def _checked(result: Value, real: bool) -> Value:
    result = mp.mpmathify(result)
    if not mp.isfinite(result):
        raise UndefinedError
    if isinstance(result, mp.mpc):
        if abs(result.imag) <= _TINY * (1 + abs(result.real)):
            return result.real
        if real:
            raise UndefinedError
    return result


def _applied(expression: sympy.Expr, arguments: list[Value], real: bool) -> Value:
    kind = type(expression)
    if expression.is_Add:
        return mp.fsum(arguments)
    if expression.is_Mul:
        return mp.fprod(arguments)
    if expression.is_Pow:
        base, exponent = arguments
        return _power(base, exponent, real)
    if kind in _SINGULAR:
        result = _FUNCTIONS[kind](*arguments)
        if abs(result) > _HUGE:
            raise UndefinedError
        return result
    if kind is sympy.log and abs(arguments[0]) < _TINY:
        raise UndefinedError
    if kind in _FUNCTIONS:
        return _FUNCTIONS[kind](*arguments)
    numbers = [sympy.sympify(argument) for argument in arguments]
    result = expression.func(*numbers).evalf(DIGITS)
    if not result.is_number or not result.is_finite:
        raise UndecidedError
    return mp.mpmathify(result._to_mpmath(mp.prec))


def _power(base: Value, exponent: Value, real: bool) -> Value:
    if abs(base) < _TINY:
        if mp.re(exponent) < 0:
            raise UndefinedError
        return mp.mpf(exponent == 0)
    if abs(exponent * mp.log(abs(base))) > 10**6:
        raise UndecidedError  # out of the range in which numbers can be compared
    whole = exponent == mp.floor(mp.re(exponent))
    if real and not whole and mp.re(base) < 0:
        raise UndefinedError
    return mp.power(base, exponent)


def _real_root(radicand: Value, degree: Value) -> Value:
    if mp.im(radicand) != 0:
        raise UndefinedError
    root = mp.power(abs(radicand), 1 / degree)
    return -root if radicand < 0 else root


def _modulo(dividend: Value, divisor: Value) -> Value:
    quotient = dividend / divisor
    nearest = mp.nint(quotient)
    if abs(quotient - nearest) < _TINY:
        return mp.mpf(0)
    return dividend - divisor * mp.floor(quotient)


def _rounded(function: Callable[[Value], Value]) -> Callable[[Value], Value]:
    def apply(number: Value) -> Value:
        nearest = mp.nint(mp.re(number))
        return nearest if abs(number - nearest) < _TINY else function(number)

    return apply


def _piecewise(
    expression: sympy.Piecewise, values: Mapping[sympy.Basic, Value], real: bool
) -> Value:
    for piece, condition in expression.args:
        if condition == sympy.true or holds_at(condition, values, real):
            return _value(piece, values, real)
    raise UndefinedError


def holds_at(
    condition: sympy.Basic, values: Mapping[sympy.Basic, Value], real: bool = True
) -> bool:
    """Whether relations, joined by and, or and not, hold at a point; false where undefined.

    Raises:
      UndecidedError: a side's value cannot be found.
    """
    if condition in (sympy.true, sympy.false):
        return condition == sympy.true
    if isinstance(condition, sympy.And):
        return all(holds_at(part, values, real) for part in condition.args)
    if isinstance(condition, sympy.Or):
        return any(holds_at(part, values, real) for part in condition.args)
    if isinstance(condition, sympy.Not):
        return not holds_at(condition.args[0], values, real)
    if not isinstance(condition, sympy.core.relational.Relational):
        raise UndecidedError
    try:
        left, right = (value_at(side, values, real) for side in condition.args)
    except UndefinedError:
        return False
    equal = near(left, right, tolerance_of(condition))
    if isinstance(condition, sympy.Eq):
        return equal
    if isinstance(condition, sympy.Ne):
        return not equal
    if mp.im(left) != 0 or mp.im(right) != 0:
        return False
    if equal:
        return isinstance(condition, (sympy.Le, sympy.Ge))
    return bool(left < right) == isinstance(condition, (sympy.Lt, sympy.Le))


# Integrals, derivatives, limits and sums.


def _bound(bound: sympy.Expr, values: Mapping[sympy.Basic, Value], real: bool) -> Value:
    if bound in (sympy.oo, -sympy.oo):
        return mp.inf if bound == sympy.oo else -mp.inf
    return _value(bound, values, real)


def _integral(integral: sympy.Integral, values: Mapping[sympy.Basic, Value], real: bool) -> Value:
    variable, *bounds = integral.limits[-1]
    if len(bounds) != 2:
        raise UndecidedError
    body = integral.function
    if len(integral.limits) > 1:
        body = sympy.Integral(body, *integral.limits[:-1])
    lower, upper = (_bound(bound, values, real) for bound in bounds)

    def integrand(point: Value) -> Value:
        return _value(body, {**values, variable: point}, real)

    points = [lower, upper]
    if mp.isfinite(lower) and mp.isfinite(upper) and not body.has(sympy.Integral):
        pieces = 4 if len(values) < 2 else 1  # an inner integral is computed very often
        points = [lower + (upper - lower) * k / pieces for k in range(pieces + 1)]
    elif lower < 0 < upper:
        points = [lower, mp.mpf(0), upper]
    try:
        with mp.workdps(20):
            total, error = mp.quad(integrand, points, error=True, maxdegree=7)
    except UndefinedError as undefined:
        raise UndecidedError from undefined
    if error > _APART * (1 + abs(total)):
        raise UndecidedError
    return total


def _derivative(
    derivative: sympy.Derivative, values: Mapping[sympy.Basic, Value], real: bool
) -> Value:
    variables = derivative.variables
    body = derivative.expr
    if len(set(variables)) > 1:
        body = sympy.Derivative(body, *(v for v in variables if v != variables[-1]))
    order = sum(v == variables[-1] for v in variables)
    if order > 4:
        raise UndecidedError
    return mp.diff(
        lambda point: _value(body, {**values, variables[-1]: point}, real),
        values[variables[-1]],
        order,
    )


def _terms(series: Any, values: Mapping[sympy.Basic, Value], real: bool) -> tuple[Any, Value]:
    variable, lower, upper = series.limits[-1]
    body = series.function
    if len(series.limits) > 1:
        body = series.func(body, *series.limits[:-1])
    lower, upper = _bound(lower, values, real), _bound(upper, values, real)
    if not mp.isint(lower) or (mp.isfinite(upper) and not mp.isint(upper)):
        raise UndecidedError
    return (lambda k: _value(body, {**values, variable: mp.mpf(k)}, real)), (lower, upper)


def _sum(series: sympy.Sum, values: Mapping[sympy.Basic, Value], real: bool) -> Value:
    term, (lower, upper) = _terms(series, values, real)
    if mp.isfinite(upper):
        if upper - lower > MAX_TERMS:
            raise UndecidedError
        return mp.fsum(term(lower + k) for k in range(int(upper - lower) + 1))
    with mp.workdps(20):
        total = mp.nsum(term, [lower, upper])
        later = mp.nsum(term, [lower + 7, upper]) + sum(term(lower + k) for k in range(7))
    if not near(total, later, _APART):
        raise UndecidedError
    return total


def _product(series: sympy.Product, values: Mapping[sympy.Basic, Value], real: bool) -> Value:
    term, (lower, upper) = _terms(series, values, real)
    if not mp.isfinite(upper) or upper - lower > MAX_TERMS:
        raise UndecidedError
    return mp.fprod(term(lower + k) for k in range(int(upper - lower) + 1))


def _limit(limit: sympy.Limit, values: Mapping[sympy.Basic, Value], real: bool) -> Value:
    body, variable, target, direction = limit.args
    sides = {"+": (1,), "-": (-1,)}.get(str(direction), (1, -1))
    goal = _bound(target, values, real)
    found = []
    for side in sides if mp.isfinite(goal) else (1,):
        nearing = []
        for exponent in (3, 5, 7, 9):
            step = mp.mpf(10) ** -exponent
            point = goal + side * step if mp.isfinite(goal) else mp.sign(goal) / step
            try:
                nearing.append(_value(body, {**values, variable: point}, real))
            except UndefinedError:
                if real:
                    break  # no values on this side
                raise
        if len(nearing) == 4:
            if not near(nearing[2], nearing[3], 1e-4):
                raise UndecidedError
            found.append(nearing[3])
    if not found or not near(found[0], found[-1], 1e-4):
        raise UndecidedError
    return found[0]


def _substituted(
    substitution: sympy.Subs, values: Mapping[sympy.Basic, Value], real: bool
) -> Value:
    inner = dict(values)
    for variable, point in zip(substitution.variables, substitution.point, strict=True):
        inner[variable] = _value(point, values, real)
    return _value(substitution.expr, inner, real)


_NUMERIC: dict[type, Callable[..., Value]] = {
    sympy.Integral: _integral,
    sympy.Derivative: _derivative,
    sympy.Sum: _sum,
    sympy.Product: _product,
    sympy.Limit: _limit,
    sympy.Subs: _substituted,
}
_SINGULAR = frozenset((sympy.tan, sympy.cot, sympy.sec, sympy.csc))
_SAME_NAMES = (
    "exp log sin cos tan cot sec csc asin acos atan acot asec acsc sinh cosh tanh coth sech csch "
    "asinh acosh atanh acoth asech acsch gamma factorial binomial erf erfc zeta re im arg sign"
)
_FUNCTIONS: dict[type, Callable[..., Value]] = {
    **{getattr(sympy, name): getattr(mp, name) for name in _SAME_NAMES.split()},
    sympy.factorial2: mp.fac2,
    sympy.Abs: abs,
    sympy.conjugate: mp.conj,
    sympy.floor: _rounded(mp.floor),
    sympy.ceiling: _rounded(mp.ceil),
    sympy.Max: max,
    sympy.Min: min,
    sympy.Mod: _modulo,
    sympy.LambertW: mp.lambertw,
    RealRoot: _real_root,
}
