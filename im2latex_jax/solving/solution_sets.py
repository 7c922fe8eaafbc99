"""The real numbers for which relations in one variable hold, as points and intervals.

The line is cut where a relation may begin or cease to hold: where its sides are equal, and where a
root, a quotient, a logarithm or the like has an edge. Between two cuts one point speaks for all.
The result is compared with the relations at random points.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy

from im2latex_jax.solving import evaluation, search
from im2latex_jax.solving.answer import Written
from im2latex_jax.solving.evaluation import UndecidedError, Value, mp
from im2latex_jax.solving.statements import NotComputableError
from im2latex_jax.solving.writing import written
from im2latex_jax.solving.zeros import in_order, period_of, position, real_zeros

_RANDOM_POINTS = 120
_STEPPED = (sympy.floor, sympy.ceiling, sympy.Mod, sympy.gamma, sympy.factorial, sympy.binomial)


@dataclasses.dataclass(frozen=True)
class Interval:
    """An interval; None is no end. A point has the same ends."""

    lower: sympy.Expr | None
    upper: sympy.Expr | None
    with_lower: bool = False
    with_upper: bool = False

    @property
    def is_point(self) -> bool:
        return self.lower is not None and self.lower == self.upper


@dataclasses.dataclass(frozen=True)
class SolutionSet:
    """Intervals in ascending order.

    Attributes:
      intervals: what repeats, if there is a period, else all.
      period: the intervals may be moved by whole multiples of it.
      complete: proved to be all; else those from -`search.REACH` to `search.REACH`.
    """

    intervals: tuple[Interval, ...]
    period: sympy.Expr | None
    complete: bool

    @property
    def is_everything(self) -> bool:
        """Whether all real numbers are in it."""
        return any(part.lower is None and part.upper is None for part in self.intervals)


def solve_relations(
    relations: Sequence[sympy.Basic], variable: sympy.Symbol, checked: Sequence[sympy.Basic] = ()
) -> SolutionSet:
    """The real numbers for which all relations hold.

    Args:
      relations: with no other variable.
      variable: a real symbol.
      checked: the same relations as they were written, in which the answer is checked.

    Raises:
      NotComputableError: there is no method for them, or the answer did not stand the check.
    """
    checked = checked or relations
    if any(relation.has(*_STEPPED) for relation in relations):
        raise NotComputableError("relations with steps or factorials are not solved")
    functions = [relation.lhs - relation.rhs for relation in relations]
    period = period_of(functions, variable)
    points: list[sympy.Expr] = []
    complete = True
    for function in {*functions, *(edge for f in functions for edge in _edges(f, variable))}:
        zeros = real_zeros(function, variable, period)
        points += zeros.points
        complete &= zeros.complete
    cuts = list(in_order(points))
    if period is not None:
        end = position(period)
        cuts = [cut for cut in cuts if -1e-20 < position(cut) < end - mp.mpf(10) ** -20]
    found = SolutionSet(_intervals(checked, variable, cuts, period), period, complete)
    if period is not None:
        found = _with_shortest_period(found, period)
    if not complete and period is None:
        if _is_bounded(relations, variable):
            found = dataclasses.replace(found, complete=True)
        else:
            _require_constant_outside(checked, variable, cuts)
    _require_agreement(found, checked, variable)
    return found


def _edges(function: sympy.Expr, variable: sympy.Symbol) -> list[sympy.Expr]:
    """Functions at whose zeros a function may cease to be defined or to be smooth."""
    edges: list[sympy.Expr] = []
    for node in sympy.preorder_traversal(function):
        if not getattr(node, "free_symbols", None) or variable not in node.free_symbols:
            continue
        first: Any = node.args[0] if node.args else None
        if node.is_Pow and (node.exp.is_negative or not node.exp.is_Integer):
            edges.append(node.base)
        elif isinstance(node, (sympy.log, sympy.Abs, sympy.sign)):
            edges.append(first)
        elif isinstance(node, (sympy.Max, sympy.Min)):
            edges += [first - other for other in node.args[1:]]
        elif isinstance(node, (sympy.tan, sympy.sec)):
            edges.append(sympy.cos(first))
        elif isinstance(node, (sympy.cot, sympy.csc)):
            edges.append(sympy.sin(first))
        elif isinstance(node, (sympy.asin, sympy.acos, sympy.asec, sympy.acsc)):
            edges += [first - 1, first + 1]
        elif isinstance(node, (sympy.acosh, sympy.atanh, sympy.acoth, sympy.asech)):
            edges += [first, first - 1, first + 1]
        elif isinstance(node, (sympy.coth, sympy.csch, sympy.acsch, sympy.acot)):
            edges.append(first)
        elif isinstance(node, (sympy.Integral, sympy.Sum, sympy.Piecewise, sympy.Product)):
            raise NotComputableError("relations with integrals or sums left over are not solved")
    return [edge for edge in edges if variable in edge.free_symbols]


def _hold(relations: Sequence[sympy.Basic], variable: sympy.Symbol, point: Value) -> bool:
    values = {variable: point, sympy.Symbol(variable.name): point}
    try:
        return all(evaluation.holds_at(relation, values) for relation in relations)
    except UndecidedError as error:
        raise NotComputableError("whether it holds cannot be checked") from error


def _intervals(
    relations: Sequence[sympy.Basic],
    variable: sympy.Symbol,
    cuts: list[sympy.Expr],
    period: sympy.Expr | None,
) -> tuple[Interval, ...]:
    if period is not None:
        start = cuts[0] if cuts else sympy.Integer(0)
        cuts = [*cuts, start + period] if cuts else [start, period]
    places: list[Value] = [position(cut) for cut in cuts]
    at_cuts = [_hold(relations, variable, place) for place in places]
    bounds: list[sympy.Expr | None] = list(cuts) if period is not None else [None, *cuts, None]
    numbers: list[Value] = list(places) if period is not None else [None, *places, None]
    holds_at = at_cuts if period is not None else [False, *at_cuts, False]
    intervals: list[Interval] = []
    for index in range(len(bounds) - 1):
        lower, upper = numbers[index], numbers[index + 1]
        # Several points, because a cut may be missing.
        samples = _samples(lower, upper)
        truths = {_hold(relations, variable, sample) for sample in samples}
        if len(truths) > 1:
            raise NotComputableError("a part of the solution was not found")
        if truths == {True}:
            intervals.append(
                Interval(bounds[index], bounds[index + 1], holds_at[index], holds_at[index + 1])
            )
        elif holds_at[index] and not (intervals and _ends_at(intervals[-1], bounds[index])):
            intervals.append(Interval(bounds[index], bounds[index], True, True))
    if period is None and holds_at[-2:-1] == [True] and bounds[-2] is not None:
        last = intervals[-1] if intervals else None
        if last is None or not (_ends_at(last, bounds[-2]) or last.upper is None):
            intervals.append(Interval(bounds[-2], bounds[-2], True, True))
    return _joined(intervals, period)


def _ends_at(interval: Interval, bound: sympy.Expr | None) -> bool:
    return interval.with_upper and interval.upper == bound


def _samples(lower: Any, upper: Any) -> list[Value]:
    if lower is None and upper is None:
        return [mp.mpf(point) for point in (-50.3, -1.7, 0.3, 2.9, 41.1)]
    steps = [mp.mpf(step) for step in (0.01, 0.9, 7.3, 61.7)]
    if lower is None:
        return [upper - step for step in steps]
    if upper is None:
        return [lower + step for step in steps]
    return [lower + (upper - lower) * mp.mpf(part) for part in (0.02, 0.37, 0.61, 0.97)]


def _joined(intervals: list[Interval], period: sympy.Expr | None) -> tuple[Interval, ...]:
    joined: list[Interval] = []
    for interval in intervals:
        last = joined[-1] if joined else None
        touches = (
            last is not None
            and last.upper is not None
            and last.upper == interval.lower
            and (last.with_upper or interval.with_lower)
        )
        if last is not None and touches:
            joined[-1] = Interval(last.lower, interval.upper, last.with_lower, interval.with_upper)
        else:
            joined.append(interval)
    if period is None or not joined:
        return tuple(joined)
    first, last = joined[0], joined[-1]
    covers = first is last and first.lower is not None and first.upper == first.lower + period
    if covers and (first.with_lower or first.with_upper):
        return (Interval(None, None),)
    around = last.upper is not None and first.lower is not None
    meets = first is not last and around and last.upper == first.lower + period
    if meets and (last.with_upper or first.with_lower):
        whole = Interval(last.lower - period, first.upper, last.with_lower, first.with_upper)
        return (whole, *joined[1:-1])
    return tuple(joined)


def _is_bounded(relations: Sequence[sympy.Basic], variable: sympy.Symbol) -> bool:
    """Whether inequalities of polynomials keep the variable to what is searched."""
    far = [sign * search.REACH * step for sign in (1, -1) for step in (1, 1.7, 1e2, 1e4, 1e8)]
    bounds = [r for r in relations if not isinstance(r, (sympy.Eq, sympy.Ne))]
    bounds = [r for r in bounds if (r.lhs - r.rhs).is_polynomial(variable)]
    return bool(bounds) and not any(_hold(bounds, variable, mp.mpf(point)) for point in far)


def _with_shortest_period(found: SolutionSet, period: sympy.Expr) -> SolutionSet:
    """The same with a part of the period where the intervals repeat sooner."""
    length = position(period)
    starts = [position(part.lower) for part in found.intervals if part.lower is not None]
    if len(starts) < 2 or len(starts) != len(found.intervals):
        return found
    parts = len(starts)
    for divisor in range(parts, 1, -1):
        if parts % divisor:
            continue
        first, step = found.intervals[: parts // divisor], parts // divisor
        repeated = all(
            abs(starts[index] - starts[index - step] - length / divisor) < 1e-20
            and _same_shape(found.intervals[index], found.intervals[index - step])
            for index in range(step, parts)
        )
        if repeated:
            return SolutionSet(first, period / divisor, found.complete)
    return found


def _same_shape(a: Interval, b: Interval) -> bool:
    lengths = [_length(part) for part in (a, b)]
    ends = [(part.with_lower, part.with_upper) for part in (a, b)]
    return abs(lengths[0] - lengths[1]) < 1e-20 and ends[0] == ends[1]


def _length(interval: Interval) -> Value:
    if interval.lower is None or interval.upper is None:
        return mp.inf
    return position(interval.upper - interval.lower)


def _require_constant_outside(
    relations: Sequence[sympy.Basic], variable: sympy.Symbol, cuts: Sequence[sympy.Expr]
) -> None:
    """Checks that nothing changes beyond the cuts, as far as samples tell.

    Raises:
      NotComputableError: it does.
    """
    if any(isinstance(relation, sympy.Eq) for relation in relations):
        return  # equations have isolated solutions, of which more may lie outside: it is noted
    ends = [position(cut) for cut in cuts] or [mp.mpf(0)]
    for sign, end in ((1, ends[-1]), (-1, ends[0])):
        points = [end + sign * mp.mpf(step) for step in (1, 13.7, 99.1, 1017.3)]
        if len({_hold(relations, variable, point) for point in points}) > 1:
            raise NotComputableError("its solutions go on without end, and do not repeat")


def _require_agreement(
    found: SolutionSet, relations: Sequence[sympy.Basic], variable: sympy.Symbol
) -> None:
    rng = np.random.default_rng(0)
    wide = rng.uniform(-search.REACH, search.REACH, _RANDOM_POINTS // 2)
    narrow = rng.uniform(-5, 5, _RANDOM_POINTS // 2)
    for sample in (*wide, *narrow):
        point = mp.mpf(float(sample))
        if contains(found, point) != _hold(relations, variable, point):
            raise NotComputableError("no solution was found that stands a check by substitution")


def contains(found: SolutionSet, point: Value) -> bool:
    """Whether a number is in the set; not meant for the intervals' ends."""
    if found.period is not None and found.intervals and not found.is_everything:
        length = position(found.period)
        start = position(found.intervals[0].lower)
        point = start + (point - start) % length
    for interval in found.intervals:
        above = interval.lower is None or point > position(interval.lower)
        below = interval.upper is None or point < position(interval.upper)
        if above and below:
            return True
    return False


def condition(found: SolutionSet, variable: sympy.Symbol, counter: sympy.Symbol) -> Written:
    """The set as relations joined by and and or.

    Args:
      found: not empty and not everything.
      variable: the variable.
      counter: any whole number, for what repeats.
    """
    texts, latexes = [], []
    for interval in found.intervals:
        lower, upper = (
            None if end is None else end + (found.period or 0) * counter
            for end in (interval.lower, interval.upper)
        )
        name = written(variable, numeric=False)
        if interval.is_point:
            point = written(upper, numeric=False)
            texts.append([f"Eq({name.sympy}, {point.sympy})"])
            latexes.append(f"{name.latex} = {point.latex}")
            continue
        text, latex = [], name.latex
        if lower is not None:
            end = written(lower, numeric=False)
            sign, command = ("<=", r"\leq") if interval.with_lower else ("<", "<")
            text.append(f"{end.sympy} {sign} {name.sympy}")
            latex = f"{end.latex} {command} {latex}"
        if upper is not None:
            end = written(upper, numeric=False)
            sign, command = ("<=", r"\leq") if interval.with_upper else ("<", "<")
            text.append(f"{name.sympy} {sign} {end.sympy}")
            latex = f"{latex} {command} {end.latex}"
        texts.append(text)
        latexes.append(latex)
    shown = [
        " & ".join(f"({part})" for part in text) if len(text) > 1 else text[0] for text in texts
    ]
    if len(shown) > 1:
        shown = [part if part.startswith("Eq") else f"({part})" for part in shown]
    return Written(" | ".join(shown), r" \vee ".join(latexes))
