"""Congruences: equations of remainders, solved by trying all of them."""

import math
from collections.abc import Iterator, Sequence

import sympy

from im2latex_jax.solving import evaluation
from im2latex_jax.solving.equations import Finding, solutions
from im2latex_jax.solving.evaluation import UndecidedError, mp
from im2latex_jax.solving.statements import NotComputableError

MAX_MODULUS = 5000


def is_congruence(relations: Sequence[sympy.Basic], variables: Sequence[sympy.Symbol]) -> bool:
    """Whether the variable occurs in remainders of polynomials by whole numbers only."""
    if len(variables) != 1:
        return False
    remainders = {node for relation in relations for node in relation.atoms(sympy.Mod)}
    free = {node: sympy.Dummy() for node in remainders}
    outside = [side.xreplace(free) for relation in relations for side in relation.args]
    return (
        bool(remainders)
        and not any(variables[0] in side.free_symbols for side in outside)
        and all(_has_period(node, variables[0]) for node in remainders)
    )


def _has_period(remainder: sympy.Mod, variable: sympy.Symbol) -> bool:
    dividend, divisor = remainder.args
    if not divisor.is_Integer or divisor <= 0 or not dividend.is_polynomial(variable):
        return False
    return all(c.is_Integer for c in sympy.Poly(dividend, variable).coeffs())


def solve_congruences(
    relations: Sequence[sympy.Basic], variable: sympy.Symbol
) -> Iterator[Finding]:
    """The whole numbers for which the relations hold; see `is_congruence`.

    Raises:
      NotComputableError: there are too many remainders to try.
    """
    moduli = [int(node.args[1]) for relation in relations for node in relation.atoms(sympy.Mod)]
    modulus = math.lcm(*moduli)
    if modulus > MAX_MODULUS:
        raise NotComputableError(f"the modulus is larger than {MAX_MODULUS}")
    yield "note", f"{variable} is taken to be a whole number"
    try:
        residues = [
            residue
            for residue in range(modulus)
            if all(
                evaluation.holds_at(relation, {variable: mp.mpf(residue)}) for relation in relations
            )
        ]
    except UndecidedError as error:
        raise NotComputableError("whether it holds cannot be checked") from error
    if len(residues) == modulus:
        yield "holds", True
        return
    shortest = next(
        d
        for d in range(1, modulus + 1)
        if modulus % d == 0 and {(r + d) % modulus for r in residues} == set(residues)
    )
    counter = sympy.Symbol("n" if variable.name != "n" else "k", integer=True)
    values = [shortest * counter + residue for residue in residues if residue < shortest]
    yield from solutions([{variable: value} for value in values], [variable])
    if values:
        yield "note", f"{counter} is any whole number"
