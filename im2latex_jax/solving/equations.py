"""Solutions of one equation, each checked in the equation as it was written."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import sympy

from im2latex_jax.solving import evaluation, search
from im2latex_jax.solving.deadline import within
from im2latex_jax.solving.polynomials import numerator, polynomial_roots
from im2latex_jax.solving.solution_sets import SolutionSet, condition, solve_relations
from im2latex_jax.solving.statements import NotComputableError
from im2latex_jax.solving.verification import Verdict, solves
from im2latex_jax.solving.writing import written
from im2latex_jax.solving.zeros import candidates, number

MAX_VARIABLES = 6
MAX_SOLUTIONS = 20
COMPLEX = (sympy.conjugate, sympy.re, sympy.im, sympy.arg)

# What is looked for first; other letters come after these, in the order of the alphabet.
_UNKNOWNS = "xyzwuvt"

Finding = tuple[str, Any]
"""The name of a field of `Answer`, and its value; `note` adds to `notes`."""


@dataclasses.dataclass(frozen=True)
class Equation:
    """An equation.

    Attributes:
      computed: with its integrals, limits and so on computed.
      written: as it was written, if it has none of them; else the same as `computed`.
    """

    computed: sympy.Basic
    written: sympy.Basic

    @property
    def difference(self) -> sympy.Expr:
        """The left side minus the right one."""
        return self.computed.lhs - self.computed.rhs


def preference(symbol: sympy.Symbol) -> tuple[int, str]:
    """A sort key: usual unknowns first."""
    place = _UNKNOWNS.find(symbol.name[0]) if len(symbol.name.split("_")[0]) == 1 else -1
    return (place if place >= 0 else len(_UNKNOWNS), symbol.name)


def has_units(expression: sympy.Basic) -> bool:
    """Whether units of measurement are in it."""
    return any(type(atom).__name__ == "Quantity" for atom in expression.atoms())


def solve_equation(equation: Equation, variables: Sequence[sympy.Symbol]) -> Iterator[Finding]:
    """Solves an equation that is no identity, for one variable after the other."""
    if len(variables) == 1 and not has_units(equation.computed):
        yield from _in_one_variable(equation, variables[0])
        return
    if len(variables) > MAX_VARIABLES:
        yield "note", f"solved for {MAX_VARIABLES} of its {len(variables)} variables"
    for variable in variables[:MAX_VARIABLES]:
        yield from _with_parameters(equation, variable)


# One variable.


def _in_one_variable(equation: Equation, variable: sympy.Symbol) -> Iterator[Finding]:
    polynomial = numerator(equation.difference, variable)
    if polynomial is not None:
        roots, complete = polynomial_roots(polynomial)
        yield from _checked(equation, variable, roots)
        if not complete:
            yield "note", "there may be more solutions"
    elif equation.computed.has(sympy.I, *COMPLEX):
        yield from _complex(equation, variable)
    else:
        yield from _real(equation, variable)


def _checked(
    equation: Equation, variable: sympy.Symbol, roots: Sequence[sympy.Expr]
) -> Iterator[Finding]:
    if variable.is_integer:  # how many terms a sum has
        roots = [root for root in roots if root.is_Integer and root >= 0]
    kept = [r for r in roots if solves([equation.written], {variable: r}, False) is Verdict.ALWAYS]
    lost = [r for r in roots if r not in kept]
    if lost:
        shown = ", ".join(written(root).sympy for root in _sorted(lost)[:4])
        yield "note", f"left out, because the equation is not defined or not true there: {shown}"
    yield from solutions([{variable: root} for root in _sorted(kept)], [variable])


def _sorted(values: Sequence[sympy.Expr]) -> list[sympy.Expr]:
    """Real numbers in ascending order, then the others."""

    def key(value: sympy.Expr) -> tuple:
        place = number(value)
        if place is not None:
            return (0, place, 0)
        approximate = complex(evaluation.value_at(value, {}))
        return (1, round(approximate.real, 9), approximate.imag)

    return sorted(values, key=key)


def _complex(equation: Equation, variable: sympy.Symbol) -> Iterator[Finding]:
    """An equation of complex numbers that is no polynomial."""
    found: list[sympy.Expr] = []
    with within(10):
        if equation.computed.has(*COMPLEX, sympy.Abs):
            found = _by_parts(equation, variable)
        else:
            found = candidates(equation.difference, variable)
    if any(value.free_symbols for value in found):
        yield "note", f"its solutions for {variable} are not single numbers and were not found"
        return
    kept = [v for v in found if solves([equation.written], {variable: v}, False) is Verdict.ALWAYS]
    yield from solutions([{variable: value} for value in _sorted(kept)], [variable])
    yield "note", "there may be more solutions"


def _by_parts(equation: Equation, variable: sympy.Symbol) -> list[sympy.Expr]:
    """Solutions by real and imaginary part."""
    real, imaginary = sympy.symbols("a b", real=True)
    value = real + sympy.I * imaginary
    difference = sympy.expand(equation.difference.subs(variable, value), complex=True)
    parts = [sympy.re(difference), sympy.im(difference)]
    try:
        found = sympy.solve(parts, [real, imaginary], dict=True)
    except NotImplementedError:
        return []
    return [value.subs(solution) for solution in found]


def _real(equation: Equation, variable: sympy.Symbol) -> Iterator[Finding]:
    """An equation with roots, absolute values, or functions that are not algebraic."""
    real = sympy.Symbol(variable.name, real=True)
    computed = equation.computed.func(
        *(side.xreplace({variable: real}) for side in equation.computed.args), evaluate=False
    )
    yield "note", "the variables are taken to be real"
    stepped = _steps(computed, real)
    if stepped is not None:
        yield from solution_set(solve_relations(stepped, real, [equation.written]), real)
        return
    found = solve_relations([computed], real, [equation.written])
    yield from solution_set(found, real)
    if not found.intervals:
        yield from _only_complex(equation, variable)


def _steps(equation: sympy.Basic, variable: sympy.Symbol) -> list[sympy.Basic] | None:
    """The inequalities that say the same as floor(...) = c, or None for other equations."""
    for side, other in (equation.args, reversed(equation.args)):
        if isinstance(side, (sympy.floor, sympy.ceiling)) and not other.free_symbols:
            inner = side.args[0]
            if not other.is_integer:
                raise NotComputableError(f"{side} is a whole number, and {other} is not")
            if isinstance(side, sympy.floor):
                return [
                    sympy.Ge(inner, other, evaluate=False),
                    sympy.Lt(inner, other + 1, evaluate=False),
                ]
            return [
                sympy.Gt(inner, other - 1, evaluate=False),
                sympy.Le(inner, other, evaluate=False),
            ]
    return None


def _only_complex(equation: Equation, variable: sympy.Symbol) -> Iterator[Finding]:
    """Complex solutions of an equation that has no real ones."""
    if equation.computed.has(sympy.Abs, sympy.Max, sympy.Min, sympy.sign):
        return
    found: list[sympy.Expr] = []
    with within(5):
        found = candidates(equation.difference, variable)
    kept = [
        value
        for value in found
        if not value.free_symbols
        and solves([equation.written], {variable: value}, False) is Verdict.ALWAYS
    ]
    if kept:
        shown = ", ".join(written(value).sympy for value in _sorted(kept)[:4])
        yield "note", f"solved by complex numbers only, or with complex values in it: {shown}"


# Several variables.


def _with_parameters(equation: Equation, variable: sympy.Symbol) -> Iterator[Finding]:
    found: list[sympy.Expr] | None = None
    with within(8):
        try:
            found = sympy.solve(equation.difference, variable)
        except (NotImplementedError, ValueError, TypeError, AttributeError):
            found = None
    if found is None:
        yield "note", f"SymPy found no closed form for {variable}"
        return
    kept, partly = [], False
    for value in found:
        verdict = _verdict(equation, variable, value)
        if verdict in (Verdict.ALWAYS, Verdict.SOMETIMES):
            kept.append({variable: value})
        partly |= verdict is Verdict.SOMETIMES
    yield from solutions(kept, [variable])
    yield from conditions([s[variable] for s in kept])
    if partly:
        yield "note", f"{variable}: holds for some values of the other variables only"
    if kept and equation.difference.has(
        sympy.functions.elementary.trigonometric.TrigonometricFunction
    ):
        yield "note", "with periodic functions, further solutions may lie whole periods away"


def _verdict(equation: Equation, variable: sympy.Symbol, value: sympy.Expr) -> Verdict:
    if not isinstance(value, sympy.Expr):
        return Verdict.UNKNOWN
    verdict = solves([equation.written], {variable: value}, True)
    if verdict in (Verdict.UNKNOWN, Verdict.NEVER):
        verdict = solves([equation.written], {variable: value}, False)
    return verdict


def conditions(values: Sequence[sympy.Expr]) -> Iterator[Finding]:
    """Notes what must not be zero."""
    divisors: dict[str, None] = {}
    for value in values:
        _, below = sympy.fraction(sympy.together(value))
        if below.free_symbols:
            for factor in sympy.Mul.make_args(sympy.factor(below)):
                base = factor.base if factor.is_Pow else factor
                if base.free_symbols:
                    divisors[sympy.sstr(base)] = None
    for divisor in divisors:
        yield "note", f"where {divisor} is not 0"


# Answers.


def solution_set(found: SolutionSet, variable: sympy.Symbol) -> Iterator[Finding]:
    """A set of real numbers as solutions or as a condition."""
    counter = next(sympy.Symbol(name, integer=True) for name in "nkm" if name != variable.name)
    if found.is_everything:
        yield "holds", True
        return
    if not found.intervals:
        yield from solutions([], [variable])
        if not found.complete and found.period is None:
            yield "note", f"searched from {-search.REACH:g} to {search.REACH:g} only"
        return
    if all(part.is_point for part in found.intervals):
        values = [part.lower for part in found.intervals if part.lower is not None]
        if found.period is not None:
            values = [found.period * counter + value for value in values]
        elif len(values) > MAX_SOLUTIONS:  # those nearest to 0 are given
            values = sorted(values, key=lambda value: abs(number(value) or 0))
        rounded = [v for v in values if v.has(sympy.Float)]
        if rounded:
            yield "note", "no closed form was found for all; those were found numerically"
        yield from solutions([{variable: value} for value in values], [variable])
    else:
        yield "solutions", [{"condition": condition(found, variable, counter)}]
    if found.period is not None:
        yield "note", f"{counter} is any whole number"
    elif not found.complete:
        yield (
            "note",
            f"searched from {-search.REACH:g} to {search.REACH:g}: there may be more outside",
        )


def solutions(
    found: Sequence[dict[sympy.Symbol, sympy.Expr]], unknowns: Sequence[sympy.Symbol]
) -> Iterator[Finding]:
    """Solutions, the first of many."""
    names = ", ".join(map(str, unknowns))
    if not found:
        yield "note", f"no solution was found for {names}"
        return
    if len(found) > MAX_SOLUTIONS:
        yield "note", f"the first {MAX_SOLUTIONS} of {len(found)} solutions"
    yield (
        "solutions",
        [
            {str(symbol): written(value) for symbol, value in solution.items()}
            for solution in found[:MAX_SOLUTIONS]
        ],
    )
