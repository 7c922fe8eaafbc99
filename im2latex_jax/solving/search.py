"""Zeros of a real function, searched numerically on an interval."""

import warnings
from collections.abc import Callable

import numpy as np
import sympy

from im2latex_jax.solving import evaluation
from im2latex_jax.solving.evaluation import UndecidedError, UndefinedError, mp

# Where zeros are searched that nothing bounds.
REACH = 100.0
MAX_ZEROS = 200
_STEPS = 20000
_COARSE_STEPS = 400
_SAME = 1e-9
# Zeros that are a fraction with such a denominator, alone or times pi, are recognized.
_MAX_DENOMINATOR = 360


def zeros(
    function: sympy.Expr, variable: sympy.Symbol, lower: float = -REACH, upper: float = REACH
) -> list[sympy.Expr]:
    """Zeros that sign changes and minima show, in order.

    Each is a zero to 20 digits: a simple fraction, alone or times pi, or a decimal number. Zeros
    that lie nearer together than a ten-thousandth of the interval may be missed.
    """
    sampled = _sampled(function, variable)
    steps = _STEPS if sampled is not None else _COARSE_STEPS

    def at(point: float) -> float:
        if sampled is not None:
            return float(sampled(np.array([point]))[0])
        return _exact(function, variable, point)

    grid = np.linspace(lower, upper, steps + 1)
    close = np.geomspace(1e-8, 1, 200)
    grid = np.unique(np.concatenate([grid, close, -close]))
    grid = grid[(grid >= lower) & (grid <= upper)]
    values = sampled(grid) if sampled is not None else np.array([at(point) for point in grid])
    starts = _crossings(grid, values, at) + _touching(grid, values, at)
    found: list[tuple[float, sympy.Expr]] = []
    for start in sorted(starts):
        if found and abs(start - found[-1][0]) <= _SAME * (1 + abs(start)):
            continue
        polished = _polished(function, variable, start)
        if polished is None:
            continue
        place = float(polished)
        inside = lower - _SAME <= place <= upper + _SAME
        if inside and all(abs(place - other) > _SAME * (1 + abs(place)) for other, _ in found):
            found.append((place, polished))
        if len(found) == MAX_ZEROS:
            break
    return [zero for _, zero in sorted(found, key=lambda entry: entry[0])]


def _sampled(
    function: sympy.Expr, variable: sympy.Symbol
) -> Callable[[np.ndarray], np.ndarray] | None:
    """The function of an array, not a number where it is undefined; None if NumPy has it not."""
    modules = [
        {
            "RealRoot": lambda radicand, degree: (
                np.sign(radicand) * np.abs(radicand) ** (1.0 / degree)
            )
        },
        "scipy",
        "numpy",
    ]
    try:
        compiled = sympy.lambdify(variable, function, modules=modules)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled(np.array([0.5, 1.5]))
    except Exception:  # a function that NumPy has under no name
        return None

    def sampled(points: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = np.asarray(compiled(points))
        if np.iscomplexobj(values):
            values = np.where(abs(values.imag) < 1e-12, values.real, np.nan)
        return np.broadcast_to(values.astype(float), points.shape)

    return sampled


def _exact(function: sympy.Expr, variable: sympy.Symbol, point: float) -> float:
    try:
        return float(evaluation.value_at(function, {variable: mp.mpf(point)}, real=True))
    except (UndefinedError, UndecidedError, OverflowError):
        return float("nan")


def _crossings(grid: np.ndarray, values: np.ndarray, at: Callable[[float], float]) -> list[float]:
    from scipy.optimize import brentq  # as long to import as SymPy

    found = [float(point) for point in grid[values == 0][:MAX_ZEROS]]
    changes = np.flatnonzero(values[:-1] * values[1:] < 0)[: 2 * MAX_ZEROS]
    for index in changes:
        try:
            found.append(brentq(at, grid[index], grid[index + 1], xtol=1e-14))
        except (ValueError, RuntimeError):
            continue  # not a number on the way
    return found


def _touching(grid: np.ndarray, values: np.ndarray, at: Callable[[float], float]) -> list[float]:
    """Places where the function comes near zero without crossing it."""
    from scipy.optimize import minimize_scalar

    sizes = np.abs(values)
    inner = np.nan_to_num(sizes, nan=np.inf)
    minima = 1 + np.flatnonzero((inner[1:-1] <= inner[:-2]) & (inner[1:-1] <= inner[2:]))
    finite = sizes[np.isfinite(sizes)]
    if not finite.size:
        return []
    low = [index for index in minima if inner[index] < 0.02 * (1 + np.median(finite))]
    found = []
    for index in low[: 2 * MAX_ZEROS]:
        result = minimize_scalar(
            lambda point: abs(at(point)),
            bounds=(grid[index - 1], grid[index + 1]),
            method="bounded",
            options={"xatol": 1e-12},
        )
        if result.fun < 1e-7:
            found.append(float(result.x))
    # A zero at the edge of where the function is defined, such as that of a root.
    edges = np.flatnonzero(np.isnan(values[:-1]) != np.isnan(values[1:]))
    for index in edges[:MAX_ZEROS]:
        inside, outside = grid[index], grid[index + 1]
        if np.isnan(values[index]):
            inside, outside = outside, inside
        for _ in range(80):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if at(middle) == at(middle) else (inside, middle)
        if abs(at(inside)) < 1e-6:
            found.append(float(inside))
    return found


def _polished(function: sympy.Expr, variable: sympy.Symbol, start: float) -> sympy.Expr | None:
    """The zero near a start to 25 digits, or None if there is none."""

    def at(point):
        try:
            return evaluation.value_at(function, {variable: point}, real=True)
        except (UndefinedError, UndecidedError) as error:
            raise ZeroDivisionError from error

    nearby = _nearby(start)
    for candidate in nearby:
        if _vanishes(function, variable, candidate):
            return candidate
    for solve in (
        lambda: mp.findroot(at, (start, start + 1e-7), solver="secant", tol=1e-50),
        lambda: mp.findroot(
            lambda point: mp.diff(at, point), (start, start + 1e-6), solver="secant"
        ),
    ):
        try:
            root = solve()
        except (ValueError, ZeroDivisionError, TypeError, OverflowError):
            continue
        if mp.im(root) != 0 or abs(root - start) > 1e-4 * (1 + abs(start)):
            continue
        exact = sympy.Float(mp.re(root), 30)
        if _vanishes(function, variable, exact):
            return exact
    return None


def _nearby(start: float) -> list[sympy.Expr]:
    """Simple numbers that a zero found in floating point may be."""
    near = []
    for unit in (sympy.Integer(1), sympy.pi):
        ratio = start / float(unit)
        simple = sympy.Rational(str(round(ratio, 12))).limit_denominator(_MAX_DENOMINATOR)
        if abs(float(simple) - ratio) < 1e-6 * (1 + abs(ratio)):
            near.append(simple * unit)
    return near


def _vanishes(function: sympy.Expr, variable: sympy.Symbol, point: sympy.Expr) -> bool:
    try:
        position = evaluation.value_at(point, {})
        return bool(abs(evaluation.value_at(function, {variable: position}, real=True)) < 1e-20)
    except (UndefinedError, UndecidedError):
        return False
