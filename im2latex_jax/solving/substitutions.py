"""Equations with logarithms or exponentials that a substitution makes polynomial."""

import math

import sympy

from im2latex_jax.solving.polynomials import numerator, polynomial_roots
from im2latex_jax.solving.real_roots import RealRoot

MAX_POWER = 12


def logarithmic_zeros(function: sympy.Expr, variable: sympy.Symbol) -> list[sympy.Expr] | None:
    r"""Candidates for all zeros of $\sum_k c_k \log g_k(x) + c$, or None for other functions.

    The product of $g_k^{c_k}$ is $e^{-c}$ at each zero; the converse does not hold.
    """
    product: sympy.Expr = sympy.Integer(1)
    constant: sympy.Expr = sympy.Integer(0)
    coefficients: list[tuple[sympy.Expr, sympy.Expr]] = []
    for term in sympy.Add.make_args(sympy.expand(function)):
        if variable not in term.free_symbols:
            constant += term
            continue
        factor, rest = term.as_independent(variable)
        if not isinstance(rest, sympy.log):
            return None
        coefficients.append((factor, rest.args[0]))
    if not coefficients:
        return None
    unit = coefficients[0][0]
    ratios = [sympy.simplify(factor / unit) for factor, _ in coefficients]
    if not all(isinstance(ratio, sympy.Rational) for ratio in ratios):
        return None
    common = math.lcm(*(ratio.q for ratio in ratios))
    for ratio, (_, inner) in zip(ratios, coefficients, strict=True):
        power = int(ratio * common)
        if abs(power) > MAX_POWER:
            return None
        product *= inner**power
    value = sympy.simplify(sympy.exp(-constant * common / unit))
    polynomial = numerator(product - value, variable)
    return None if polynomial is None else polynomial_roots(polynomial)[0]


def exponential_zeros(function: sympy.Expr, variable: sympy.Symbol) -> list[sympy.Expr] | None:
    r"""All real zeros of a rational function of $e^{a x}$, or None for other functions."""
    rates: list[sympy.Expr] = []
    for node in sympy.preorder_traversal(function):
        if isinstance(node, RealRoot) or node == variable:
            continue
        power = _rate(node, variable)
        if power is not None:
            rates.append(power)
    if not rates:
        return None
    unit = rates[0]
    ratios = [_ratio(rate, unit) for rate in rates]
    if not all(isinstance(ratio, sympy.Rational) for ratio in ratios):
        return None
    common = math.lcm(*(ratio.q for ratio in ratios))
    if max(abs(ratio * common) for ratio in ratios) > MAX_POWER:
        return None
    positive = sympy.Dummy(positive=True)

    def replaced(expression: sympy.Expr) -> sympy.Expr:
        rate = _rate(expression, variable)
        if rate is not None:
            ratio = _ratio(rate, unit)
            exponent = expression.exp if expression.is_Pow else expression.args[0]
            base = expression.base if expression.is_Pow else sympy.E
            shift = exponent.subs(variable, 0)
            return positive ** (ratio * common) * base**shift
        if not expression.args:
            return expression
        return expression.func(*map(replaced, expression.args))

    polynomial = None
    in_positive = replaced(function)
    if variable not in in_positive.free_symbols:
        polynomial = numerator(in_positive, positive)
    if polynomial is None:
        return None
    roots, complete = polynomial_roots(polynomial)
    if not complete:
        return None
    found = []
    for root in roots:
        real = sympy.im(root).evalf(30)
        if root.is_extended_real is False or abs(real) > 1e-20 or sympy.re(root).evalf() <= 0:
            continue
        found.append(_logarithm(root, unit, common))
    return found


def _rate(node: sympy.Basic, variable: sympy.Symbol) -> sympy.Expr | None:
    """The a of a power that is $e^{a x + b}$, or None."""
    if isinstance(node, sympy.exp):
        base, exponent = sympy.E, node.args[0]
    elif isinstance(node, sympy.Pow) and node.base.is_positive:
        base, exponent = node.base, node.exp
    else:
        return None
    if variable not in exponent.free_symbols or variable in base.free_symbols:
        return None
    slope = sympy.diff(exponent, variable)
    if slope.free_symbols or not slope.is_real:
        return None
    return slope * sympy.log(base)


def _ratio(rate: sympy.Expr, unit: sympy.Expr) -> sympy.Expr:
    return sympy.simplify(sympy.expand_log(sympy.simplify(rate / unit), force=True))


def _logarithm(root: sympy.Expr, unit: sympy.Expr, common: int) -> sympy.Expr:
    """The x at which $e^{a x / n}$ is a root."""
    value = sympy.log(root) * common / unit
    simple = sympy.simplify(sympy.expand_log(value, force=True))
    return simple if sympy.count_ops(simple) < sympy.count_ops(value) else value
