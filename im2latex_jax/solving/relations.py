"""What is found out about equations and inequalities."""

from collections.abc import Iterator, Sequence

import sympy

from im2latex_jax.solving.congruences import is_congruence, solve_congruences
from im2latex_jax.solving.deadline import within
from im2latex_jax.solving.equations import (
    COMPLEX,
    Equation,
    Finding,
    has_units,
    preference,
    solution_set,
    solve_equation,
)
from im2latex_jax.solving.evaluation import UndecidedError, holds_at
from im2latex_jax.solving.expressions import evaluated
from im2latex_jax.solving.real_roots import RealRoot
from im2latex_jax.solving.solution_sets import solve_relations
from im2latex_jax.solving.statements import NotComputableError
from im2latex_jax.solving.systems import solve_system
from im2latex_jax.solving.verification import Verdict, identity
from im2latex_jax.solving.writing import OPERATIONS, written

_REAL = (sympy.Abs, sympy.Max, sympy.Min, sympy.floor, sympy.ceiling, sympy.sign, RealRoot)


def relation_findings(relations: Sequence[sympy.Basic]) -> Iterator[Finding]:
    """Whether relations hold, or for which values of their variables.

    Raises:
      NotComputableError: there is no method for them.
    """
    defined = _definition(relations)
    if defined is not None:
        yield "solutions", [{str(defined[0]): written(defined[1])}]
        return
    derived = _derived(relations)
    if derived is not None:
        yield "holds", identity(derived[0], derived[1], real=True) is Verdict.ALWAYS
        yield "note", "an indefinite integral: its derivative was compared"
        return
    parts = [part for relation in relations for part in _by_elements(relation)]
    free = set[sympy.Symbol]().union(*(part.computed.free_symbols for part in parts))
    variables = sorted(free, key=preference)
    complex_valued = any(part.computed.has(sympy.I, *COMPLEX) for part in parts)
    real = not complex_valued and any(
        part.computed.has(*_REAL) or not isinstance(part.computed, sympy.Eq) for part in parts
    )
    if real and variables:
        yield "note", "the variables are taken to be real"
        parts = [_real(part) for part in parts]
        variables = [sympy.Symbol(s.name, real=True) if not s.is_integer else s for s in variables]
    held = False
    noted: set[str] = {"the variables are taken to be real"} if real else set()
    for field, value in _findings(parts, variables, real, complex_valued):
        if field == "note" and value in noted:
            continue
        if field == "note":
            noted.add(value)
        held |= field == "holds"
        yield field, value
    plain = len(parts) == 1 and not held and not parts[0].computed.has(sympy.Mod)
    if plain and not has_units(parts[0].computed):
        sides: list[sympy.Basic] = []
        with within(4):
            sides = list(map(sympy.simplify, parts[0].computed.args))
        if len(sides) == 2:
            yield "simplified", written(parts[0].computed.func(*sides, evaluate=False))


def _findings(
    parts: Sequence[Equation],
    variables: Sequence[sympy.Symbol],
    real: bool,
    complex_valued: bool,
) -> Iterator[Finding]:
    computed = [part.computed for part in parts]
    if not variables:
        yield from _numbers(parts)
    elif is_congruence(computed, variables):
        yield from solve_congruences(computed, variables[0])
    elif all(isinstance(part, sympy.Eq) for part in computed):
        yield from _equations(parts, variables, real, complex_valued)
    elif len(variables) == 1 and not any(map(has_units, computed)):
        found = solve_relations(computed, variables[0], [part.written for part in parts])
        if not found.intervals:
            yield "holds", False
        else:
            yield from solution_set(found, variables[0])
    elif any(isinstance(part, sympy.Eq) for part in computed):
        equations = [part for part in parts if isinstance(part.computed, sympy.Eq)]
        others = [part.written for part in parts if not isinstance(part.computed, sympy.Eq)]
        yield from solve_system(equations, others, variables, True)
    else:
        yield "note", "inequalities are solved in one variable only"


def _definition(relations: Sequence[sympy.Basic]) -> tuple[sympy.Symbol, sympy.Basic] | None:
    """The letter and the matrix of `A = matrix`."""
    if len(relations) != 1 or not isinstance(relations[0], sympy.Eq):
        return None
    for name, value in (relations[0].args, reversed(relations[0].args)):
        if isinstance(name, sympy.Symbol) and name not in value.free_symbols:
            computed = (
                evaluated(value)
                if not isinstance(value, sympy.Expr) or (isinstance(value, sympy.MatrixExpr))
                else value
            )
            if isinstance(computed, sympy.MatrixBase):
                return name, computed
    return None


def _derived(relations: Sequence[sympy.Basic]) -> tuple[sympy.Expr, sympy.Expr] | None:
    """Integrand and derivative, where an indefinite integral is said to be a function."""
    if len(relations) != 1 or not isinstance(relations[0], sympy.Eq):
        return None
    for integral, other in (relations[0].args, reversed(relations[0].args)):
        if not isinstance(integral, sympy.Integral) or len(integral.limits) != 1:
            continue
        variable, *bounds = integral.limits[0]
        if not bounds and variable in other.free_symbols and not other.has(sympy.Integral):
            return integral.function, sympy.diff(other, variable)
    return None


def _by_elements(relation: sympy.Basic) -> list[Equation]:
    """The relation with its sides computed; one of matrices as one for each element."""
    left, right = (evaluated(side) for side in relation.args)
    if not isinstance(left, sympy.MatrixBase) and not isinstance(right, sympy.MatrixBase):
        computed = relation.func(left, right, evaluate=False)
        as_written = computed if relation.has(*OPERATIONS) else relation
        return [Equation(computed, as_written)]
    if getattr(left, "shape", None) != getattr(right, "shape", None):
        raise NotComputableError("the sizes of the matrices do not fit")
    equations = [sympy.Eq(a, b, evaluate=False) for a, b in zip(left, right, strict=True)]
    return [Equation(equation, equation) for equation in equations]


def _real(part: Equation) -> Equation:
    """With real variables in what was computed."""
    symbols = {
        s: sympy.Symbol(s.name, real=True) for s in part.computed.free_symbols if not s.is_integer
    }
    sides = [side.xreplace(symbols) for side in part.computed.args]
    return Equation(part.computed.func(*sides, evaluate=False), part.written)


def _numbers(parts: Sequence[Equation]) -> Iterator[Finding]:
    """Relations without variables."""
    decided = True
    for part in parts:
        sign = _sign(part.difference)
        if sign is not None:
            if not part.computed.func(sign, 0):
                yield "holds", False
                return
            continue
        try:
            if not holds_at(part.computed, {}, real=False):
                yield "holds", False
                return
        except UndecidedError:
            decided = False
    proved = True
    for part in parts:
        if isinstance(part.computed, sympy.Eq):
            with within(5):
                proved &= sympy.simplify(part.difference) == 0
    if not decided and not proved:
        yield "note", "whether it holds could not be decided"
        return
    yield "holds", True
    if not proved:
        yield "note", "it was compared to 18 digits, and not proved"


def _sign(difference: sympy.Expr) -> int | None:
    """The sign of a real number that is not zero, with certainty; else None."""
    if not difference.is_number or difference.has(*OPERATIONS, sympy.Mod):
        return None
    try:
        value = difference.evalf(20, maxn=400)
    except (ValueError, TypeError):
        return None
    if not value.is_Float or value._prec == 1 or not value.is_finite:
        return None
    return int(sympy.sign(value)) or None


def _equations(
    parts: Sequence[Equation],
    variables: Sequence[sympy.Symbol],
    real: bool,
    complex_valued: bool,
) -> Iterator[Finding]:
    open_ones = []
    for part in parts:
        if _never(part):
            yield "holds", False
            return
        verdict = identity(part.written.lhs, part.written.rhs, real=not complex_valued)
        if verdict is not Verdict.ALWAYS:
            open_ones.append(part)
    if not open_ones:
        yield "holds", True
        yield from _proof(parts, variables)
    elif len(open_ones) == 1 and len(parts) == 1:
        yield from solve_equation(open_ones[0], variables)
    elif (
        len(variables) == 1
        and not complex_valued
        and not any(has_units(part.computed) for part in parts)
    ):
        yield from _several_in_one(open_ones, variables[0], real)
    else:
        yield from solve_system(open_ones, [], variables, real)


def _several_in_one(
    parts: Sequence[Equation], variable: sympy.Symbol, real: bool
) -> Iterator[Finding]:
    if not real and all(part.difference.is_polynomial(variable) for part in parts):
        yield from solve_system(parts, [], [variable], real)
        return
    parts = [_real(part) for part in parts]
    symbol = sympy.Symbol(variable.name, real=True)
    found = solve_relations(
        [part.computed for part in parts], symbol, [part.written for part in parts]
    )
    yield "note", "the variables are taken to be real"
    yield from solution_set(found, symbol)


def _never(part: Equation) -> bool:
    """Whether the difference is plainly a number other than zero."""
    difference = part.difference
    if difference.free_symbols:
        with within(4):
            difference = sympy.expand(difference)
    return (
        not difference.free_symbols and bool(difference.is_number) and difference.is_zero is False
    )


def _proof(parts: Sequence[Equation], variables: Sequence[sympy.Symbol]) -> Iterator[Finding]:
    """Notes how far it is certain that equations always hold."""
    positive = {
        symbol: sympy.Symbol(symbol.name, positive=True)
        for symbol in variables
        if not symbol.is_integer
    }
    proved = False
    with within(6):
        proved = all(
            sympy.simplify(part.difference) == 0
            or sympy.simplify(part.difference.xreplace(positive)) == 0
            for part in parts
        )
    if not proved:
        yield "note", "its sides are equal at random values of its variables; it was not proved"
    partial = any(
        (node.is_Pow and (node.exp.is_negative or node.exp.is_Integer is False))
        or isinstance(node, (sympy.log, sympy.tan, sympy.cot, sympy.sec, sympy.csc))
        for part in parts
        for node in sympy.preorder_traversal(part.written)
        if isinstance(node, sympy.Expr) and node.free_symbols and node.args
    )
    if partial:
        yield "note", "where both sides are defined"
