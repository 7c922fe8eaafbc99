"""What a superscript says: a power, degrees, a transposed matrix, a conjugate."""

import sympy

from im2latex_jax.solving.building import UNEVALUATED, is_matrix, matrix_operation, scalar
from im2latex_jax.solving.cursor import Cursor
from im2latex_jax.solving.notation import INDEX_LETTERS, LONE_INDICES
from im2latex_jax.solving.statements import WORD, NotComputableError, end_of_group


def power(reader: Cursor, base: sympy.Basic) -> sympy.Basic:
    """The base with the superscript at the reader's position."""
    reader.position += 1
    end = end_of_group(reader.tokens, reader.position)
    content = reader.tokens[reader.position + 1 : end - 1]
    if content and set(content) == {"\\prime"}:
        raise NotComputableError("a prime marks the derivative of an undefined function")
    if content == ["\\circ"]:
        if reader.tokens[end] in ("C", "F", f"{WORD}C}}", f"{WORD}F}}"):
            raise NotComputableError("temperatures in degrees are not known: write kelvins")
        reader.position = end
        return sympy.Mul(scalar(base), sympy.pi, sympy.Pow(180, -1, **UNEVALUATED), **UNEVALUATED)
    if content == ["*"]:
        reader.position = end
        return sympy.conjugate(scalar(base), **UNEVALUATED)
    if content in (["T"], ["\\top"], [f"{WORD}T}}"]):
        if is_matrix(base):
            reader.position = end
            return sympy.Transpose(base)
        if isinstance(base, sympy.Symbol) and base.name.isupper():
            raise NotComputableError(f"{base}^T looks like the transpose of a matrix not given")
    if isinstance(base, sympy.Symbol):
        _refuse_indices(base, content)
    exponent = reader.script()
    if is_matrix(base):
        return matrix_operation(sympy.MatPow, (base, exponent))
    _note_ambiguous(reader, scalar(base), exponent)
    if base is sympy.E:
        return sympy.exp(exponent, **UNEVALUATED)
    return sympy.Pow(base, exponent, **UNEVALUATED)


def _refuse_indices(base: sympy.Symbol, content: list[str]) -> None:
    indices = len(content) > 1 and INDEX_LETTERS.issuperset(content)
    if indices or tuple(content) in LONE_INDICES:
        raise NotComputableError(
            f"{sympy.latex(base)}^{{{' '.join(content)}}} looks like a tensor with indices"
        )
    if content[:1] == ["("] and end_of_group(content, 0) == len(content):
        raise NotComputableError("a superscript in brackets marks an undefined function")


def _note_ambiguous(reader: Cursor, base: sympy.Expr, exponent: sympy.Expr) -> None:
    """Notes `0^0`, and a power that is a root of odd degree but not the real one."""
    if base.is_zero and exponent.is_zero:
        reader.notes["0^0 is taken to be 1"] = None
    if exponent.free_symbols or not exponent.is_number:
        return
    number = sympy.sympify(exponent).doit() if exponent.is_rational else None
    if not isinstance(number, sympy.Rational) or number.q == 1 or number.q % 2 == 0:
        return
    if base.free_symbols or not base.is_nonnegative:
        reader.notes[
            f"a power with exponent {number} is complex for a negative base; "
            f"the real root is written \\sqrt[{number.q}]{{...}}"
        ] = None
