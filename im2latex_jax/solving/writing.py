"""SymPy's expressions as text and LaTeX."""

from collections.abc import Sequence

import sympy

from im2latex_jax.solving import evaluation
from im2latex_jax.solving.answer import Written

NUMERIC_DIGITS = 12
# A result with larger numbers than these (300 digits) is printed as a decimal number.
MAX_BITS = 1000

OPERATIONS = (
    *(sympy.Integral, sympy.Derivative, sympy.Limit, sympy.Sum, sympy.Product, sympy.Subs),
    *(sympy.Determinant, sympy.Transpose, sympy.MatMul, sympy.MatAdd, sympy.MatPow),
)


def written_all(statements: Sequence[sympy.Basic]) -> Written:
    """Several statements in one line."""
    each = [written(statement, numeric=False) for statement in statements]
    return Written("; ".join(w.sympy for w in each), r" ; \; ".join(w.latex for w in each))


def written(value: sympy.Basic, numeric: bool = True) -> Written:
    """An expression or relation; with its numeric value where it has one."""
    if isinstance(value, (sympy.Eq, sympy.Ne)):
        sign, latex_sign = ("=", "=") if isinstance(value, sympy.Eq) else ("!=", r"\neq")
        left, right = (written(side, numeric=False) for side in value.args)
        return Written(
            f"{left.sympy} {sign} {right.sympy}", f"{left.latex} {latex_sign} {right.latex}"
        )
    if any(max(n.p.bit_length(), n.q.bit_length()) > MAX_BITS for n in value.atoms(sympy.Rational)):
        value = sympy.N(value, NUMERIC_DIGITS)
    rounded = {number: sympy.Float(number, NUMERIC_DIGITS) for number in value.atoms(sympy.Float)}
    value = value.xreplace(rounded)
    return Written(
        " ".join(sympy.sstr(value, full_prec=False).split()),
        sympy.latex(value, full_prec=False),
        _numeric(value) if numeric else None,
    )


def _numeric(value: sympy.Basic) -> str | None:
    """Its value in digits, if it is a finite number and not an integer or a decimal already."""
    if not isinstance(value, sympy.Expr) or value.free_symbols or value.is_finite is False:
        return None
    if isinstance(value, (sympy.Integer, sympy.Float)):
        return None
    real, rest = value.as_coeff_Add()
    if real.is_Integer and (rest / sympy.I).is_Integer:
        return None
    roots = {
        root: sympy.sympify(evaluation.value_at(root, {}))
        for root in value.atoms(sympy.polys.rootoftools.ComplexRootOf)
    }
    value = value.xreplace(roots)
    try:
        number = sympy.N(value, NUMERIC_DIGITS, chop=True)
    except ValueError:  # a sum that diverges
        return None
    if not number.is_number or number.has(*OPERATIONS):
        return None
    return sympy.sstr(number, full_prec=False)
