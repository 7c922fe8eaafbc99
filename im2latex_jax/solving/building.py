"""SymPy's expressions, put together without being computed, and only where they fit."""

from collections.abc import Callable, Iterable, Sequence

import sympy

from im2latex_jax.solving.statements import NotComputableError

UNEVALUATED = {"evaluate": False}


def is_matrix(value: sympy.Basic) -> bool:
    """Whether the value is a matrix, given by its elements or by an operation."""
    return isinstance(value, (sympy.MatrixBase, sympy.MatrixExpr))


def require_matrix(value: sympy.Basic) -> sympy.Basic:
    """The value, if it is a matrix.

    Raises:
      NotComputableError: it is none.
    """
    if not is_matrix(value):
        raise NotComputableError("a determinant of something that is no matrix")
    return value


def scalar(value: sympy.Basic) -> sympy.Expr:
    """The value, if it is no matrix.

    Raises:
      NotComputableError: it is one.
    """
    if is_matrix(value):
        raise NotComputableError("a matrix stands where a number should")
    return value


def matrix_operation(
    operation: Callable[..., sympy.Basic], operands: Iterable[sympy.Basic]
) -> sympy.Basic:
    """The operation, unevaluated.

    Raises:
      NotComputableError: the matrices' sizes do not fit.
    """
    try:
        return operation(*operands, **UNEVALUATED)
    except (TypeError, ValueError) as error:
        raise NotComputableError("the sizes of the matrices do not fit") from error


def negate(value: sympy.Basic) -> sympy.Basic:
    """Minus the value; a number at its front takes the sign."""
    if is_matrix(value):
        return matrix_operation(sympy.MatMul, (sympy.Integer(-1), value))
    if value.is_Number:
        return -value
    if value.is_Mul and value.args[0].is_Number:
        return sympy.Mul(-value.args[0], *value.args[1:], **UNEVALUATED)
    return sympy.Mul(-1, value, **UNEVALUATED)


def multiply(factors: Sequence[sympy.Basic]) -> sympy.Basic:
    """The product of numbers and matrices; 1 of no factors."""
    if not factors:
        return sympy.Integer(1)
    if len(factors) == 1:
        return factors[0]
    if any(is_matrix(factor) for factor in factors):
        return matrix_operation(sympy.MatMul, factors)
    return sympy.Mul(*factors, **UNEVALUATED)


def divide(dividend: sympy.Basic, divisor: sympy.Basic) -> sympy.Basic:
    """The quotient by a number; as a reciprocal where it is one, which prints best."""
    inverse = sympy.Pow(scalar(divisor), -1, **UNEVALUATED)
    if dividend == 1:
        return inverse
    return multiply((dividend, inverse))
