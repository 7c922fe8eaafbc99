"""What is found out about expressions: their values and simplest forms, compared with numbers."""

import itertools
from collections.abc import Iterator

import sympy

from im2latex_jax.solving import evaluation
from im2latex_jax.solving.deadline import within
from im2latex_jax.solving.equations import COMPLEX, Finding
from im2latex_jax.solving.polynomials import numerator, polynomial_roots
from im2latex_jax.solving.real_roots import RealRoot
from im2latex_jax.solving.statements import NotComputableError
from im2latex_jax.solving.verification import Verdict, identity
from im2latex_jax.solving.writing import NUMERIC_DIGITS, OPERATIONS, written
from im2latex_jax.solving.zeros import in_order, number, real_zeros


def expression_findings(expression: sympy.Basic) -> Iterator[Finding]:
    """The value of an expression with integrals, limits and the like, and its simplest form.

    Raises:
      NotComputableError: it has no value, or SymPy's does not stand a numeric check.
    """
    if expression.has(RealRoot):
        expression = expression.xreplace(
            {s: sympy.Symbol(s.name, real=True) for s in expression.free_symbols}
        )
    value = evaluated(expression)
    if expression.has(*OPERATIONS):
        value = _agreeing(expression, value)
        yield "value", written(value)
        yield from _about(expression, value)
    if value in (sympy.oo, -sympy.oo):
        yield "note", "it diverges"
    simplified = value
    with within(8):
        simplified = sympy.simplify(value)
        if value.has(sympy.Abs) and value.has(sympy.conjugate):
            products = sympy.simplify(value.rewrite(sympy.conjugate))
            simplified = min(simplified, products, key=sympy.count_ops)
    if isinstance(value, sympy.Expr) and not isinstance(value, sympy.MatrixExpr):
        if not _same(value, simplified):
            simplified = value
        yield from _left_out(expression, simplified)
    yield "simplified", written(simplified)


def evaluated(expression: sympy.Basic) -> sympy.Basic:
    """The expression with its integrals, limits and so on computed.

    Raises:
      NotComputableError: it has no value.
    """
    try:
        value = _with_powers(expression).doit()
    except ValueError as error:
        if "limit does not exist" in str(error):
            raise NotComputableError(
                "the limit does not exist: it is another from the left than from the right"
            ) from error
        if isinstance(error, sympy.matrices.exceptions.NonInvertibleMatrixError):
            raise NotComputableError("the matrix has no inverse") from error
        if "diverges" in str(error):
            raise NotComputableError("the sum diverges") from error
        raise
    if isinstance(expression, sympy.Limit) and value.has(sympy.zoo):
        raise NotComputableError("the limit does not exist: the values grow without bound")
    if value.has(sympy.zoo, sympy.nan):
        raise NotComputableError("it has no value: a division by zero, or the like")
    if any(_diverges(series) for series in value.atoms(sympy.Sum)):
        raise NotComputableError("the sum diverges")
    if value.has(sympy.AccumBounds):
        raise NotComputableError("the limit does not exist: the values go on changing")
    return value


def _diverges(series: sympy.Sum) -> bool:
    if series.free_symbols or not any(limits[2] == sympy.oo for limits in series.limits):
        return False
    converges = None
    with within(3):
        try:
            converges = series.is_convergent()
        except (NotImplementedError, ValueError, TypeError):
            return False
    return converges == sympy.false


# Real roots in integrals and limits, where SymPy knows powers only.


def _with_powers(expression: sympy.Basic) -> sympy.Basic:
    """With the real roots in definite integrals and limits as powers with a sign."""
    if not expression.has(RealRoot) or not expression.args:
        return expression
    arguments = [_with_powers(argument) for argument in expression.args]
    if isinstance(expression, sympy.Limit):
        body, variable, target, direction = arguments
        signs = [1, -1] if str(direction) == "+-" else [1 if str(direction) == "+" else -1]
        if target in (sympy.oo, -sympy.oo):
            signs = [-1 if target == sympy.oo else 1]
        bodies = {sign: _signed(body, variable, target, sign) for sign in signs}
        if len(set(bodies.values())) == 1:
            return sympy.Limit(bodies[signs[0]], variable, target, str(direction))
        sides = [
            sympy.Limit(bodies[sign], variable, target, "+" if sign == 1 else "-").doit()
            for sign in signs
        ]
        if sympy.simplify(sides[0] - sides[1]) != 0:
            raise NotComputableError(
                "the limit does not exist: it is another from the left than from the right"
            )
        return sides[0]
    if isinstance(expression, sympy.Integral) and len(expression.limits) == 1:
        variable, *bounds = expression.limits[0]
        if len(bounds) == 2 and not expression.function.free_symbols - {variable}:
            return _pieces(expression.function, variable, *bounds)
    if isinstance(expression, (sympy.Integral, sympy.Sum, sympy.Product)):
        return expression
    return expression.func(*arguments, evaluate=False) if expression.args else expression


def _signed(
    body: sympy.Basic, variable: sympy.Symbol, target: sympy.Expr, side: int
) -> sympy.Basic:
    """The body with real roots as powers, as it is beside a point."""
    if target in (sympy.oo, -sympy.oo):
        near = {variable: sympy.Integer(10) ** 9 * (1 if target == sympy.oo else -1)}
    else:
        near = {variable: target + side * sympy.Rational(1, 10**9)}
    replaced = {}
    for root in body.atoms(RealRoot):
        radicand, degree = root.args
        sign = radicand.subs(near).evalf(20)
        if not sign.is_extended_real:
            raise NotComputableError("a real root of something that is not known to be real")
        power = sympy.Pow(radicand if sign >= 0 else -radicand, 1 / degree)
        replaced[root] = power if sign >= 0 else -power
    return body.xreplace(replaced)


def _pieces(
    body: sympy.Expr, variable: sympy.Symbol, lower: sympy.Expr, upper: sympy.Expr
) -> sympy.Basic:
    low, high = number(lower), number(upper)
    cuts = [z for root in body.atoms(RealRoot) for z in real_zeros(root.args[0], variable).points]
    if low is None or high is None:
        raise NotComputableError("an integral of a real root over an infinite range")
    ends = [lower, *(c for c in in_order(cuts) if low < number(c) < high), upper]
    pieces = []
    for begin, end in itertools.pairwise(ends):
        middle = (begin + end) / 2
        pieces.append(sympy.Integral(_signed(body, variable, middle, 1), (variable, begin, end)))
    return sympy.Add(*pieces, evaluate=False)


# Checks.


def _agreeing(expression: sympy.Basic, value: sympy.Basic) -> sympy.Basic:
    """The value, unless numbers say that it is another.

    Raises:
      NotComputableError: they do.
    """
    if not isinstance(value, sympy.Expr) or isinstance(expression, sympy.MatrixExpr):
        return value
    if value.has(sympy.oo, *OPERATIONS):
        return value
    left: sympy.Basic = expression
    right: sympy.Basic = value
    indefinite = isinstance(expression, sympy.Integral) and all(
        len(limits) == 1 for limits in expression.limits
    )
    if indefinite:
        left = expression.function
        for (variable,) in expression.limits:
            right = sympy.diff(right, variable)
    verdict = Verdict.UNKNOWN
    with within(8):
        verdict = _verdict(left, right)
    if verdict in (Verdict.NEVER, Verdict.SOMETIMES):
        numeric = None
        with within(5):
            numeric = _number(expression)
        if numeric is not None and verdict is Verdict.NEVER:
            return numeric
        raise NotComputableError("the value that SymPy found does not agree with numeric checks")
    return value


def _verdict(left: sympy.Basic, right: sympy.Basic) -> Verdict:
    complex_valued = left.has(sympy.I, *COMPLEX)
    verdict = identity(left, right, real=not complex_valued)
    if verdict is Verdict.UNKNOWN and not complex_valued:
        verdict = identity(left, right, real=False)
    return verdict


def _number(expression: sympy.Basic) -> sympy.Expr | None:
    if expression.free_symbols:
        return None
    try:
        found = evaluation.value_at(expression, {})
    except (evaluation.UndecidedError, evaluation.UndefinedError):
        return None
    return sympy.Float(sympy.sympify(found), NUMERIC_DIGITS)


def _same(value: sympy.Expr, simplified: sympy.Basic) -> bool:
    if value == simplified or value.has(*OPERATIONS, sympy.oo):
        return True
    verdict = Verdict.UNKNOWN
    with within(4):
        verdict = _verdict(value, simplified)
    return verdict in (Verdict.ALWAYS, Verdict.UNKNOWN)


def _about(expression: sympy.Basic, value: sympy.Basic) -> Iterator[Finding]:
    """Notes on a value."""
    if value.has(sympy.Piecewise):
        yield "note", "the value depends on conditions"
    elif value.has(*OPERATIONS):
        yield "note", "no closed form was found for a part of it"
    elif isinstance(value, sympy.Float) and not expression.has(sympy.Float):
        yield "note", "found numerically: SymPy's closed form does not agree with it"
    elif isinstance(expression, sympy.Integral) and any(
        len(limits) == 1 for limits in expression.limits
    ):
        yield "note", "an indefinite integral: any constant may be added"
        if any(log.args[0].free_symbols for log in value.atoms(sympy.log)):
            yield "note", "where the argument of log is negative, take its absolute value"


def _left_out(expression: sympy.Basic, simplified: sympy.Basic) -> Iterator[Finding]:
    """Notes points at which the expression has no value and its simplest form has one."""
    if len(expression.free_symbols) != 1 or expression.has(*OPERATIONS):
        return
    [variable] = expression.free_symbols
    lost: dict[str, None] = {}
    for node in sympy.preorder_traversal(expression):
        if not (isinstance(node, sympy.Pow) and node.exp.is_negative and node.base.free_symbols):
            continue
        polynomial = numerator(node.base.doit(), variable)
        roots = polynomial_roots(polynomial)[0] if polynomial is not None else []
        for root in roots:
            try:
                point = evaluation.value_at(root, {})
                evaluation.value_at(simplified, dict.fromkeys(simplified.free_symbols, point))
            except (evaluation.UndefinedError, evaluation.UndecidedError):
                continue
            lost[written(root, numeric=False).sympy] = None
    for point in list(lost)[:4]:
        yield "note", f"for {variable} other than {point}"
