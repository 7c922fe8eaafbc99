"""Systems of equations and inequalities."""

from collections.abc import Iterator, Sequence

import numpy as np
import sympy

from im2latex_jax.solving.deadline import within
from im2latex_jax.solving.equations import Equation, Finding, conditions, solutions
from im2latex_jax.solving.verification import Verdict, solves

_STARTS = 40
_SAME = 1e-10

Solution = dict[sympy.Symbol, sympy.Expr]


def solve_system(
    equations: Sequence[Equation],
    others: Sequence[sympy.Basic],
    variables: Sequence[sympy.Symbol],
    real: bool,
) -> Iterator[Finding]:
    """Solves equations for as many variables as there are equations.

    Args:
      equations: those that are no identities.
      others: inequalities that the solutions must satisfy.
      variables: the usual unknowns first.
      real: whether all numbers must be real.
    """
    unknowns = variables[: len(equations)]
    differences = [equation.difference for equation in equations]
    found: list[Solution] | None = None
    with within(12):
        try:
            found = sympy.solve(differences, unknowns, dict=True)
        except (NotImplementedError, ValueError, TypeError, AttributeError):
            found = None
    checked = [*(equation.written for equation in equations), *others]
    complete = all(_is_polynomial(difference, unknowns) for difference in differences)
    if not found and not complete and len(variables) == len(equations):
        found = _numeric(differences, unknowns)
    if found is None:
        yield "note", f"SymPy found no closed form for {', '.join(map(str, unknowns))}"
        return
    kept: list[Solution] = []
    partly = False
    for solution in found:
        verdict = solves(checked, solution, real)
        if verdict in (Verdict.UNKNOWN, Verdict.NEVER) and not real and not others:
            verdict = solves(checked, solution, False)
        if verdict in (Verdict.ALWAYS, Verdict.SOMETIMES):
            kept.append(solution)
        partly |= verdict is Verdict.SOMETIMES
    yield from solutions(kept, unknowns)
    yield from conditions([value for solution in kept for value in solution.values()])
    if partly:
        yield "note", "holds for some values of the other variables only"
    if not complete:
        yield "note", "there may be more solutions"


def _is_polynomial(difference: sympy.Expr, unknowns: Sequence[sympy.Symbol]) -> bool:
    above, _ = sympy.fraction(sympy.together(difference))
    return above.is_polynomial(*unknowns)


def _numeric(differences: Sequence[sympy.Expr], unknowns: Sequence[sympy.Symbol]) -> list[Solution]:
    """Real solutions that Newton's method finds from random places."""
    rng = np.random.default_rng(0)
    found: list[list[sympy.Expr]] = []
    with within(8):
        for _ in range(_STARTS):
            start = [float(value) for value in rng.uniform(-4, 4, len(unknowns))]
            try:
                root = sympy.nsolve(differences, unknowns, start, prec=30)
            except (ValueError, TypeError, ZeroDivisionError, OverflowError):
                continue  # did not converge from here
            point = list(root)
            if all(value.is_real for value in point) and all(
                any(abs(a - b) > _SAME for a, b in zip(point, other, strict=True))
                for other in found
            ):
                found.append(point)
    return [dict(zip(unknowns, point, strict=True)) for point in sorted(found, key=str)]
