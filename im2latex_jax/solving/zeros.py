"""All real zeros of a function of one variable, exactly where there is a method for it.

Rational functions, those with roots and those with absolute values have finitely many zeros outside
the intervals on which they vanish, and all are found: roots are eliminated by resultants, and
absolute values and the like case by case between the zeros of what is in them. Zeros of other
functions are those that SymPy finds and those that a numeric search finds.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import sympy

from im2latex_jax.solving import evaluation, search
from im2latex_jax.solving.deadline import within
from im2latex_jax.solving.evaluation import UndecidedError, UndefinedError, Value, mp
from im2latex_jax.solving.polynomials import MAX_DEGREE, numerator, polynomial_roots
from im2latex_jax.solving.real_roots import RealRoot
from im2latex_jax.solving.substitutions import exponential_zeros, logarithmic_zeros

MAX_RADICALS = 4
CASES = (sympy.Abs, sympy.sign, sympy.Max, sympy.Min)
_SAME = mp.mpf(10) ** -20


@dataclasses.dataclass(frozen=True)
class Zeros:
    """Zeros in ascending order.

    Attributes:
      points: real numbers.
      complete: there are no others.
    """

    points: tuple[sympy.Expr, ...]
    complete: bool


def real_zeros(
    function: sympy.Expr, variable: sympy.Symbol, period: sympy.Expr | None = None
) -> Zeros:
    """Zeros of a function; points where it is undefined may be among them.

    Where the function vanishes on an interval, the interval's ends are given.

    Args:
      function: of a real variable, without others.
      variable: the variable.
      period: only the zeros from 0 up to the period are wanted.
    """
    if variable not in function.free_symbols:
        return Zeros((), True)
    polynomial = numerator(function, variable)
    if polynomial is not None:
        roots, complete = polynomial_roots(polynomial)
        zeros = Zeros(tuple(root for root in roots if number(root) is not None), complete)
    elif function.has(*CASES):
        zeros = _by_cases(function, variable, period)
    else:
        eliminated = _without_roots(function, variable)
        if eliminated is not None:
            roots, complete = polynomial_roots(eliminated)
            zeros = Zeros(tuple(root for root in roots if number(root) is not None), complete)
        else:
            zeros = _transcendental(function, variable, period)
    return Zeros(in_order(zeros.points), zeros.complete)


@functools.lru_cache(10000)
def number(value: sympy.Expr) -> Value | None:
    """A real number's value, or None if the expression is none."""
    try:
        found = evaluation.value_at(value, {})
    except (UndefinedError, UndecidedError):
        return None
    return None if isinstance(found, mp.mpc) else found


def position(value: sympy.Expr) -> Value:
    """The value of what is known to be a real number."""
    found = number(value)
    assert found is not None, value
    return found


def in_order(points: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
    """Real numbers in ascending order, each once, and exact rather than as a decimal."""
    valued: list[tuple[Value, bool, sympy.Expr]] = [
        (number(point), isinstance(point, sympy.Float), point) for point in points
    ]
    kept: list[tuple[Value, sympy.Expr]] = []
    for value, _, point in sorted(
        (entry for entry in valued if entry[0] is not None),
        key=lambda entry: (entry[0], entry[1], sympy.count_ops(entry[2])),
    ):
        rounded = bool(kept) and isinstance(point, sympy.Float) != isinstance(
            kept[-1][1], sympy.Float
        )
        apart = mp.mpf(10) ** -10 if rounded else _SAME
        if not kept or abs(value - kept[-1][0]) > apart * (1 + abs(value)):
            kept.append((value, point))
        elif isinstance(kept[-1][1], sympy.Float):
            kept[-1] = (value, point)
    return tuple(point for _, point in kept)


# Absolute values and the like.


def _by_cases(function: sympy.Expr, variable: sympy.Symbol, period: sympy.Expr | None) -> Zeros:
    edges: list[sympy.Expr] = []
    complete = True
    for case in function.atoms(*CASES):
        first, *others = case.args
        for inner in [first - other for other in others] or [first]:
            inside = real_zeros(inner, variable, period)
            edges += inside.points
            complete &= inside.complete
    edges = list(in_order(edges))
    found = list(edges)
    places = [number(edge) for edge in edges]
    bounds = [None, *places, None]
    for lower, upper in itertools.pairwise(bounds):
        sample = _between(lower, upper)
        branch = _branch(function, variable, sample)
        if branch is None or is_zero_everywhere(branch, variable):
            continue
        zeros = real_zeros(branch, variable, period)
        complete &= zeros.complete
        for zero in zeros.points:
            place = number(zero)
            if place is not None and (
                (lower is None or place > lower) and (upper is None or place < upper)
            ):
                found.append(zero)
    return Zeros(tuple(found), complete)


def _between(lower: Any, upper: Any) -> Value:
    if lower is None:
        return mp.mpf(0.7) if upper is None else upper - 1
    return lower + 1 if upper is None else (lower + upper) / 2


def _branch(expression: sympy.Expr, variable: sympy.Symbol, sample: Value) -> sympy.Expr | None:
    """The function without cases, as it is around a point; None where it is undefined."""
    if not expression.args:
        return expression
    arguments: list[Any] = [_branch(part, variable, sample) for part in expression.args]
    if any(argument is None for argument in arguments):
        return None
    if not isinstance(expression, CASES):
        return expression.func(*arguments)
    try:
        values = [evaluation.value_at(a, {variable: sample}, real=True) for a in arguments]
    except (UndefinedError, UndecidedError):
        return None
    if isinstance(expression, sympy.Abs):
        return arguments[0] if values[0] >= 0 else -arguments[0]
    if isinstance(expression, sympy.sign):
        return sympy.Integer(1 if values[0] > 0 else -1)
    chosen = max(values) if isinstance(expression, sympy.Max) else min(values)
    return arguments[values.index(chosen)]


def is_zero_everywhere(function: sympy.Expr, variable: sympy.Symbol) -> bool:
    """Whether a function vanishes at every sample, and is defined at some of them."""
    defined = 0
    for sample in (0.3137, -0.7193, 2.4142, -3.3166, 11.7047, -27.3861):
        try:
            value = evaluation.value_at(function, {variable: mp.mpf(sample)}, real=True)
        except UndefinedError:
            continue
        except UndecidedError:
            return False
        if abs(value) > _SAME:
            return False
        defined += 1
    return defined > 0


# Roots.


def _without_roots(function: sympy.Expr, variable: sympy.Symbol) -> sympy.Poly | None:
    """A polynomial that vanishes where the function does; None if it is not algebraic."""
    found = None
    with within(8):
        found = _eliminated(function, variable)
    return found


def _eliminated(function: sympy.Expr, variable: sympy.Symbol) -> sympy.Poly | None:
    relations: list[tuple[sympy.Symbol, sympy.Expr]] = []

    def replaced(expression: sympy.Expr) -> sympy.Expr:
        if variable not in expression.free_symbols or expression.is_Symbol:
            return expression
        arguments = [replaced(argument) for argument in expression.args]
        fractional = expression.is_Pow and isinstance(arguments[1], sympy.Rational)
        if isinstance(expression, RealRoot) or (fractional and not arguments[1].is_Integer):
            radicand = arguments[0]
            degree = arguments[1] if isinstance(expression, RealRoot) else arguments[1].q
            power = 1 if isinstance(expression, RealRoot) else arguments[1].p
            for symbol, relation in relations:
                if relation == symbol**degree - radicand:
                    return symbol**power
            root = sympy.Dummy()
            relations.append((root, root**degree - radicand))
            return root**power
        return expression.func(*arguments)

    current = sympy.fraction(sympy.together(replaced(function)))[0]
    if not relations or len(relations) > MAX_RADICALS:
        return None
    for symbol, relation in reversed(relations):
        relation = sympy.fraction(sympy.together(relation))[0]
        try:
            current = sympy.resultant(current, relation, symbol)
        except (sympy.PolynomialError, NotImplementedError):
            return None
        current = sympy.fraction(sympy.together(current))[0]
    if current == 0 or not current.is_polynomial(variable):
        return None
    polynomial = sympy.Poly(current, variable)
    return polynomial if polynomial.degree() <= MAX_DEGREE else None


# Other functions.


def _transcendental(
    function: sympy.Expr, variable: sympy.Symbol, period: sympy.Expr | None
) -> Zeros:
    for method in (logarithmic_zeros, exponential_zeros):
        exact = None
        with within(5):
            exact = method(function, variable)
        if exact is not None:
            return Zeros(tuple(zero for zero in exact if number(zero) is not None), True)
    found: list[sympy.Expr] = []
    with within(6):
        found = [zero for zero in candidates(function, variable) if not zero.has(sympy.I)]
    found = [zero for zero in found if number(zero) is not None]
    if period is not None:
        found = [sympy.simplify(_reduced(zero, period)) for zero in found]
    reach = search.REACH if period is None else float(period)
    searched = search.zeros(function, variable, 0.0 if period is not None else -reach, reach)
    if period is not None:
        end = position(period)
        searched = [zero for zero in searched if abs(position(zero) - end) > 1e-12]
    return Zeros(tuple(found + searched), False)


def candidates(function: sympy.Expr, variable: sympy.Symbol) -> list[sympy.Expr]:
    """What SymPy gives as zeros, unchecked."""
    unknown = sympy.Dummy()
    attempts: list[Callable[[sympy.Expr], sympy.Expr]] = [
        lambda expression: expression,
        lambda expression: sympy.logcombine(expression, force=True),
    ]
    for attempt in attempts:
        try:
            found = sympy.solve(attempt(function.xreplace({variable: unknown})), unknown)
        except (NotImplementedError, ValueError, TypeError, AttributeError, RecursionError):
            continue
        if found:
            return [zero for zero in found if isinstance(zero, sympy.Expr)]
    return []


def _reduced(zero: sympy.Expr, period: sympy.Expr) -> sympy.Expr:
    """The zero moved by whole periods to lie from 0 up to the period."""
    quotient = number(zero / period)
    assert quotient is not None
    nearest = mp.nint(quotient)
    whole = nearest if abs(quotient - nearest) < _SAME else mp.floor(quotient)
    return zero - int(whole) * period


def period_of(functions: Sequence[sympy.Expr], variable: sympy.Symbol) -> sympy.Expr | None:
    """A positive period of all functions, checked at samples; None if there is none."""
    common: sympy.Expr | None = None
    for function in functions:
        if variable not in function.free_symbols:
            continue
        if not function.has(sympy.functions.elementary.trigonometric.TrigonometricFunction):
            return None
        period = None
        with within(4):
            try:
                period = sympy.periodicity(function, variable)
            except (NotImplementedError, ValueError, TypeError, AttributeError):
                return None
        if period is None or number(period) is None or not _repeats(function, variable, period):
            return None
        if common is None or common == period:
            common = period
        else:
            ratio = sympy.simplify(common / period)
            if not isinstance(ratio, sympy.Rational):
                return None
            common = period * ratio.p
    return common


def _repeats(function: sympy.Expr, variable: sympy.Symbol, period: sympy.Expr) -> bool:
    length = number(period)
    if length is None or length <= 0:
        return False
    checked = 0
    for sample in (0.1234, 0.8765, 1.9283, 2.7182, 4.4721):
        point = mp.mpf(sample)
        try:
            here, there = (
                evaluation.value_at(function, {variable: place}, real=True)
                for place in (point, point + length)
            )
        except UndefinedError:
            continue
        except UndecidedError:
            return False
        if not evaluation.near(here, there):
            return False
        checked += 1
    return checked > 0
