"""Polynomials in one variable: what they are made from, and all their roots."""

import mpmath
import sympy

from im2latex_jax.solving.deadline import within

MAX_DEGREE = 60


def numerator(function: sympy.Expr, variable: sympy.Symbol) -> sympy.Poly | None:
    """The polynomial whose zeros a rational function has, or None if it is no such function."""
    found = None
    with within(5):
        try:
            above, _ = sympy.fraction(sympy.together(function))
            if above.is_polynomial(variable) and sympy.degree(above, variable) <= MAX_DEGREE:
                found = sympy.Poly(above, variable)
        except (sympy.PolynomialError, TypeError, NotImplementedError):
            return None
    return found


def polynomial_roots(polynomial: sympy.Poly) -> tuple[list[sympy.Expr], bool]:
    """The complex roots, each once, and whether these are all."""
    if polynomial.is_zero or polynomial.degree() == 0:
        return [], not polynomial.is_zero
    found: list[sympy.Expr] = []
    missing = [polynomial]
    with within(8):
        factors = [factor for factor, _ in polynomial.factor_list()[1]]
        missing = []
        for factor in factors:
            roots = sympy.roots(factor, cubics=False, quartics=False)
            if sum(roots.values()) == factor.degree():
                found += roots
            elif factor.domain.is_ZZ or factor.domain.is_QQ:
                found += factor.all_roots()
            else:
                missing.append(factor)
    for factor in missing:
        try:
            found += factor.nroots(n=30, maxsteps=200)
        except (sympy.PolynomialError, sympy.polys.polyerrors.DomainError, mpmath.NoConvergence):
            return found, False
    return found, True
