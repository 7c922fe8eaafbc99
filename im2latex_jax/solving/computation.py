"""What SymPy finds out about a formula, a piece at a time: a later piece may never come."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sympy

from im2latex_jax.solving.answer import Written
from im2latex_jax.solving.parser import parse
from im2latex_jax.solving.statements import NotComputableError

MAX_VARIABLES = 6
MAX_SOLUTIONS = 20
NUMERIC_DIGITS = 12
# A result with larger numbers than these (300 digits) is printed as a decimal number.
MAX_BITS = 1000

# What is looked for first; other letters come after these, in the order of the alphabet.
_UNKNOWNS = "xyzwuvt"
_OPERATIONS = (
    *(sympy.Integral, sympy.Derivative, sympy.Limit, sympy.Sum, sympy.Product),
    *(sympy.Determinant, sympy.Transpose, sympy.MatMul, sympy.MatAdd, sympy.MatPow),
)
_REAL = (sympy.Abs, sympy.Max, sympy.Min, sympy.floor, sympy.ceiling, sympy.sign)
# Where a numeric solution is looked for, and how near two may be and count as one.
_STARTS = (0.5, 1, -1, 2, -2, 5, -5, 0.1, 10, -10)
_SAME = 1e-8
# Values at which two sides are compared before SymPy tries to prove them equal.
_SAMPLES = (sympy.Rational(7, 10), sympy.Rational(13, 9), sympy.Rational(23, 8))

Finding = tuple[str, Any]
"""The name of a field of `Answer`, and its value; `note` adds to `notes`."""


def findings(formula: str) -> Iterator[Finding]:
    """Computes with a formula in LaTeX; yields what is found as it is found.

    Raises:
      NormalizeError: the formula is not LaTeX that can be read.
      NotComputableError: it says something that cannot be computed with, or it has no value.
    """
    parsed = parse(formula)
    for note in parsed.notes:
        yield "note", note
    yield "parsed", _written_all(parsed.statements)
    counts = _counts(parsed.statements)
    if counts:
        names = ", ".join(sorted(map(str, counts)))
        yield "note", f"taken to be a whole number, not negative: {names}"
    statements = [_with_symbols(statement, counts) for statement in parsed.statements]
    if isinstance(statements[0], sympy.core.relational.Relational):
        yield from _relations(statements)
    else:
        yield from _expression(statements[0])


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
    if not isinstance(statement, sympy.core.relational.Relational):
        return statement.xreplace(symbols)
    sides = [side.xreplace(symbols) for side in statement.args]
    return statement.func(*sides, evaluate=False)


# Expressions.


def _expression(expression: sympy.Basic) -> Iterator[Finding]:
    value = _evaluated(expression)
    if expression.has(*_OPERATIONS):
        yield "value", _written(value)
        if value.has(sympy.Piecewise):
            yield "note", "the value depends on conditions"
        elif value.has(*_OPERATIONS):
            yield "note", "no closed form was found for a part of it"
        elif isinstance(expression, sympy.Integral) and any(
            len(limits) == 1 for limits in expression.limits
        ):
            yield "note", "an indefinite integral: any constant may be added"
    if value in (sympy.oo, -sympy.oo):
        yield "note", "it diverges"
    simplified = sympy.simplify(value)
    yield "simplified", _written(simplified)


def _evaluated(expression: sympy.Basic) -> sympy.Basic:
    """The expression with its integrals, limits and so on computed."""
    try:
        value = expression.doit()
    except ValueError as error:
        if "limit does not exist" in str(error):
            raise NotComputableError(
                "the limit does not exist: it is another from the left than from the right"
            ) from error
        if isinstance(error, sympy.matrices.exceptions.NonInvertibleMatrixError):
            raise NotComputableError("the matrix has no inverse") from error
        raise
    if isinstance(expression, sympy.Limit) and value.has(sympy.zoo):
        raise NotComputableError("the limit does not exist: the values grow without bound")
    if value.has(sympy.zoo, sympy.nan):
        raise NotComputableError("it has no value: a division by zero, or the like")
    if value.has(sympy.AccumBounds):
        raise NotComputableError("the limit does not exist: the values go on changing")
    return value


# Equations and inequalities.


def _relations(relations: Sequence[sympy.Basic]) -> Iterator[Finding]:
    parts = [part for relation in relations for part in _by_elements(relation)]
    if any(part.has(*_REAL) or not isinstance(part, sympy.Eq) for part in parts):
        real = {s: sympy.Symbol(s.name, real=True) for part in parts for s in part.free_symbols}
        parts = [_with_symbols(part, real) for part in parts]
        if real:
            yield "note", "the variables are taken to be real"
    free = set[sympy.Symbol]().union(*(part.free_symbols for part in parts))
    variables = sorted(free, key=_preference)
    if all(isinstance(part, sympy.Eq) for part in parts):
        found = _equations(parts, variables)
    else:
        found = _inequalities(parts, variables)
    held = False
    for field, value in found:
        held |= field == "holds"
        yield field, value
    if len(parts) == 1 and not held:
        sides = map(sympy.simplify, parts[0].args)
        yield "simplified", _written(parts[0].func(*sides, evaluate=False))


def _by_elements(relation: sympy.Basic) -> list[sympy.Basic]:
    """The relation with its sides computed; one of matrices as one for each element."""
    left, right = (_evaluated(side) for side in relation.args)
    if not isinstance(left, sympy.MatrixBase) and not isinstance(right, sympy.MatrixBase):
        return [relation.func(left, right, evaluate=False)]
    if getattr(left, "shape", None) != getattr(right, "shape", None):
        raise NotComputableError("the sizes of the matrices do not fit")
    return [sympy.Eq(a, b, evaluate=False) for a, b in zip(left, right, strict=True)]


def _preference(symbol: sympy.Symbol) -> tuple[int, str]:
    place = _UNKNOWNS.find(symbol.name[0]) if len(symbol.name.split("_")[0]) == 1 else -1
    return (place if place >= 0 else len(_UNKNOWNS), symbol.name)


def _equations(
    equations: Sequence[sympy.Basic], variables: Sequence[sympy.Symbol]
) -> Iterator[Finding]:
    differences = [equation.lhs - equation.rhs for equation in equations]
    open_ones = [difference for difference in differences if not _vanishes(difference)]
    if not open_ones:
        yield "holds", True
        return
    if any(_never_vanishes(difference) for difference in open_ones):
        yield "holds", False
        return
    if not variables:
        yield "note", "whether it holds could not be decided"
        return
    if len(open_ones) > 1:
        unknowns = variables[: len(open_ones)]
        solutions = _solve(open_ones, unknowns)
        yield from _solutions(solutions, unknowns)
        return
    if len(variables) > MAX_VARIABLES:
        yield "note", f"solved for {MAX_VARIABLES} of its {len(variables)} variables"
    if open_ones[0].has(sympy.functions.elementary.trigonometric.TrigonometricFunction):
        yield "note", "with periodic functions, further solutions may lie whole periods away"
    for variable in variables[:MAX_VARIABLES]:
        solutions = _solve(open_ones, [variable])
        if solutions is None and len(variables) == 1:
            solutions = _solve_numerically(open_ones[0], variable)
            if solutions:
                yield "note", "no closed form was found; solved numerically, there may be more"
        yield from _solutions(solutions, [variable])


def _vanishes(difference: sympy.Expr) -> bool:
    """Whether an expression is zero for all values; a proof is tried only where samples agree."""
    for shift in range(2):
        samples = {
            symbol: _SAMPLES[(number + shift) % len(_SAMPLES)] + number
            for number, symbol in enumerate(sorted(difference.free_symbols, key=str))
        }
        value = difference.subs(samples).evalf(20, maxn=50)
        if value.is_number and value.is_finite and abs(value) > 1e-12:
            return False
    return sympy.simplify(difference) == 0


def _never_vanishes(difference: sympy.Expr) -> bool:
    """Whether it is a number other than zero, as far as is plain; see `_vanishes`."""
    if difference.free_symbols:
        difference = sympy.expand(difference)
    return (
        not difference.free_symbols and bool(difference.is_number) and difference.is_zero is False
    )


def _solve(
    differences: Sequence[sympy.Expr], unknowns: Sequence[sympy.Symbol]
) -> list[dict[sympy.Symbol, sympy.Expr]] | None:
    """The solutions of `differences = 0`, or None where SymPy has no method for them."""
    try:
        if len(differences) == 1:  # in a list, x**5 - x - 1 would have no solution
            return sympy.solve(differences[0], *unknowns, dict=True)
        return sympy.solve(list(differences), list(unknowns), dict=True)
    except NotImplementedError:
        return None


def _solve_numerically(
    difference: sympy.Expr, variable: sympy.Symbol
) -> list[dict[sympy.Symbol, sympy.Expr]]:
    """Real solutions that Newton's method finds from a few places."""
    found: list[sympy.Expr] = []
    for start in _STARTS:
        try:
            root = sympy.nsolve(difference, variable, start)
        except (ValueError, TypeError, ZeroDivisionError, OverflowError):
            continue  # did not converge from here
        if root.is_real and all(abs(root - other) > _SAME for other in found):
            found.append(sympy.Float(root, NUMERIC_DIGITS) if abs(root) > _SAME else sympy.S.Zero)
    return [{variable: root} for root in sorted(found)]


def _solutions(
    solutions: Sequence[Mapping[sympy.Symbol, sympy.Expr]] | None,
    unknowns: Sequence[sympy.Symbol],
) -> Iterator[Finding]:
    names = ", ".join(map(str, unknowns))
    if solutions is None:
        yield "note", f"SymPy found no closed form for {names}"
        return
    if not solutions:
        yield "note", f"no solution was found for {names}"
        return
    if len(solutions) > MAX_SOLUTIONS:
        yield "note", f"the first {MAX_SOLUTIONS} of {len(solutions)} solutions"
    yield (
        "solutions",
        [
            {str(symbol): _written(value) for symbol, value in solution.items()}
            for solution in solutions[:MAX_SOLUTIONS]
        ],
    )


def _inequalities(
    relations: Sequence[sympy.Basic], variables: Sequence[sympy.Symbol]
) -> Iterator[Finding]:
    if not variables:
        yield "holds", all(sympy.simplify(relation.doit()) == sympy.true for relation in relations)
        return
    if len(variables) > 1:
        yield "note", "inequalities are solved in one variable only"
        return
    try:
        condition = sympy.reduce_inequalities(list(relations), variables[0])
    except NotImplementedError:
        yield "note", f"SymPy found no closed form for {variables[0]}"
        return
    if condition in (sympy.true, sympy.false):
        yield "holds", condition == sympy.true
    else:
        yield "solutions", [{"condition": _written(condition)}]


# Printing.


def _written_all(statements: Sequence[sympy.Basic]) -> Written:
    written = [_written(statement, numeric=False) for statement in statements]
    return Written("; ".join(w.sympy for w in written), r" ; \; ".join(w.latex for w in written))


def _written(value: sympy.Basic, numeric: bool = True) -> Written:
    if isinstance(value, (sympy.Eq, sympy.Ne)):
        sign, latex_sign = ("=", "=") if isinstance(value, sympy.Eq) else ("!=", r"\neq")
        left, right = (_written(side, numeric=False) for side in value.args)
        return Written(
            f"{left.sympy} {sign} {right.sympy}", f"{left.latex} {latex_sign} {right.latex}"
        )
    if any(max(n.p.bit_length(), n.q.bit_length()) > MAX_BITS for n in value.atoms(sympy.Rational)):
        value = sympy.N(value, NUMERIC_DIGITS)
    return Written(
        " ".join(sympy.sstr(value, full_prec=False).split()),
        sympy.latex(value, full_prec=False),
        _numeric(value) if numeric else None,
    )


def _numeric(value: sympy.Basic) -> str | None:
    """Its value in digits, if it is a finite number and not an integer or a decimal already."""
    if not isinstance(value, sympy.Expr) or value.free_symbols or value.is_finite is False:
        return None
    if isinstance(value, (sympy.Integer, sympy.Float)) or (value / sympy.I).is_Integer:
        return None
    number = sympy.N(value, NUMERIC_DIGITS, chop=True)
    if not number.is_number or number.has(*_OPERATIONS):
        return None
    return sympy.sstr(number, full_prec=False)
