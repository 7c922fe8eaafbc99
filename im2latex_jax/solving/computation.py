"""What SymPy finds out about a formula, a piece at a time: a later piece may never come."""

from collections.abc import Iterator, Mapping, Sequence

import sympy

from im2latex_jax.solving.equations import Finding
from im2latex_jax.solving.expressions import expression_findings
from im2latex_jax.solving.parser import parse
from im2latex_jax.solving.relations import relation_findings
from im2latex_jax.solving.writing import written_all


def findings(formula: str) -> Iterator[Finding]:
    """Computes with a formula in LaTeX; yields what is found as it is found.

    Every solution and value has been checked with numbers put in.

    Raises:
      NormalizeError: the formula is not LaTeX that can be read.
      NotComputableError: it says something that cannot be computed with, or it has no value.
    """
    parsed = parse(formula)
    for note in parsed.notes:
        yield "note", note
    yield "parsed", written_all(parsed.statements)
    counts = _counts(parsed.statements)
    if counts:
        names = ", ".join(sorted(map(str, counts)))
        yield "note", f"taken to be a whole number, not negative: {names}"
    statements = [_with_symbols(statement, counts) for statement in parsed.statements]
    if isinstance(statements[0], sympy.core.relational.Relational):
        yield from relation_findings(statements)
    else:
        yield from expression_findings(statements[0])


def _counts(statements: Sequence[sympy.Basic]) -> dict[sympy.Symbol, sympy.Symbol]:
    """Variables up to which a sum or product goes, and the same as whole numbers.

    Without, SymPy's closed forms come with conditions that nobody means.
    """
    bounds = {
        bound
        for statement in statements
        for series in statement.atoms(sympy.Sum, sympy.Product)
        for _, *ends in series.limits
        for end in ends
        for bound in end.free_symbols
    }
    free = set[sympy.Basic]().union(*(statement.free_symbols for statement in statements))
    return {s: sympy.Symbol(s.name, integer=True, nonnegative=True) for s in bounds & free}


def _with_symbols(
    statement: sympy.Basic, symbols: Mapping[sympy.Symbol, sympy.Symbol]
) -> sympy.Basic:
    """The same in other symbols; a relation stays one, even where it plainly holds."""
    if not symbols:
        return statement
    if not isinstance(statement, sympy.core.relational.Relational):
        return statement.xreplace(symbols)
    sides = [side.xreplace(symbols) for side in statement.args]
    return statement.func(*sides, evaluate=False)
