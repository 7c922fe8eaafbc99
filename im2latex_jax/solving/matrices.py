"""Matrices, given by their elements."""

import sympy

from im2latex_jax.solving.reader import Reader
from im2latex_jax.solving.statements import NotComputableError, end_of_group


def matrix(reader: Reader) -> sympy.Basic:
    r"""An environment with rows, without the brackets around it."""
    name = reader.next().removeprefix("\\begin{").removesuffix("}")
    if name not in ("matrix", "array", "smallmatrix"):
        raise NotComputableError(f"a {name} environment inside a formula is not known")
    if name == "array":
        reader.position = end_of_group(reader.tokens, reader.position)
    rows: list[list[sympy.Expr]] = [[]]
    while not reader.accept(f"\\end{{{name}}}"):
        rows[-1].append(reader.group())
        if not reader.accept("&") and reader.accept("\\\\"):
            rows.append([])
    rows = [row for row in rows if row]
    if len({len(row) for row in rows}) != 1:
        raise NotComputableError("a matrix whose rows have different lengths")
    return sympy.ImmutableDenseMatrix(rows)
