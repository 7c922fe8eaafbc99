"""Checks of answers by numbers put in."""

import enum
import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import sympy

from im2latex_jax.solving import evaluation
from im2latex_jax.solving.evaluation import UndecidedError, UndefinedError, Value, mp

_POINTS = 8


class Verdict(enum.Enum):
    """What points say about a statement."""

    ALWAYS = enum.auto()  # true at every point at which it is defined
    SOMETIMES = enum.auto()
    NEVER = enum.auto()
    UNKNOWN = enum.auto()  # defined at none of them, or without numeric values


def points(
    variables: Sequence[sympy.Basic], real: bool, seed: int = 0, positive_first: bool = True
) -> Iterator[dict[sympy.Basic, Value]]:
    """Random values of variables, without end; whole numbers for whole variables.

    Args:
      variables: the symbols.
      real: whether they are real numbers.
      seed: of the random numbers.
      positive_first: the first half of the points has positive numbers only.
    """
    rng = np.random.default_rng(seed)
    for count in itertools.count():
        values: dict[sympy.Basic, Value] = {}
        for variable in variables:
            number = mp.mpf(float(rng.uniform(0.2, 3.2)))
            if variable.is_integer:
                values[variable] = mp.mpf(int(rng.integers(1, 9)))
                continue
            signed = count % 2 == 1 or not positive_first
            if signed and not variable.is_nonnegative and rng.random() < 0.6:
                number = -number
            values[variable] = number if real else mp.mpc(number, float(rng.uniform(-2, 2)))
        yield values


def identity(left: sympy.Basic, right: sympy.Basic, real: bool) -> Verdict:
    """Whether two expressions are equal at random points; see `Verdict`."""
    variables = sorted(left.free_symbols | right.free_symbols, key=str)
    tolerance = max(evaluation.tolerance_of(left), evaluation.tolerance_of(right))
    equal = unequal = 0
    # More points than needed, because it may be undefined at many.
    for values in itertools.islice(points(variables, real), 4 * _POINTS if variables else 1):
        try:
            a, b = (evaluation.value_at(side, values, real) for side in (left, right))
        except UndefinedError:
            continue
        except UndecidedError:
            return Verdict.UNKNOWN
        same = evaluation.near(a, b, tolerance)
        equal, unequal = equal + same, unequal + (not same)
        if equal and unequal:
            return Verdict.SOMETIMES
        if equal + unequal >= _POINTS:
            break
    if not equal and not unequal:
        return Verdict.UNKNOWN
    return Verdict.ALWAYS if equal else Verdict.NEVER


def solves(
    relations: Sequence[sympy.Basic],
    solution: Mapping[sympy.Symbol, sympy.Expr],
    real: bool,
) -> Verdict:
    """Whether relations hold with a solution put in, at random values of other variables.

    Args:
      relations: as they were written; symbols are told apart by their names only.
      solution: values of variables; they may contain other variables.
      real: whether all numbers must be real.
    """
    named = {symbol.name: value for symbol, value in solution.items()}
    used = set[sympy.Symbol]().union(
        *(value.free_symbols for value in named.values()),
        *(relation.free_symbols for relation in relations),
    )
    others = {symbol.name: symbol for symbol in used if symbol.name not in named}
    true = false = 0
    tries = 4 * _POINTS if others else 1
    for values in itertools.islice(points([others[name] for name in sorted(others)], real), tries):
        everything = {sympy.Symbol(s.name): v for s, v in values.items()} | values
        try:
            for name, value in named.items():
                inner = {
                    symbol: everything[sympy.Symbol(symbol.name)] for symbol in (value.free_symbols)
                }
                everything[sympy.Symbol(name)] = evaluation.value_at(value, inner, real)
        except UndefinedError:
            if not others:
                return Verdict.NEVER
            continue
        except (UndecidedError, KeyError):
            return Verdict.UNKNOWN
        by_symbol = {
            symbol: everything[sympy.Symbol(symbol.name)]
            for relation in relations
            for symbol in relation.free_symbols
        }
        try:
            holds = all(evaluation.holds_at(relation, by_symbol, real) for relation in relations)
        except UndecidedError:
            return Verdict.UNKNOWN
        true, false = true + holds, false + (not holds)
        if true + false >= _POINTS:
            break
    if not true and not false:
        return Verdict.UNKNOWN
    if false:
        return Verdict.SOMETIMES if true else Verdict.NEVER
    return Verdict.ALWAYS
