"""Floating-point operations of a JAX function: those of its products and convolutions.

XLA's own count (`compiled.cost_analysis()`) takes the body of a scan once, whatever its length.
"""

import math
from collections.abc import Iterator


def count(jaxpr) -> int:
    """Multiplications and additions of a jaxpr, a traced function; elementwise work is left out.

    Of a loop of unknown length one turn counts, of branches the most expensive.
    """
    total = 0
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name == "dot_general":
            (contracted, _), _ = params["dimension_numbers"]
            left = equation.invars[0].aval.shape
            total += 2 * equation.outvars[0].aval.size * math.prod(left[i] for i in contracted)
        elif name == "conv_general_dilated":
            kernel = equation.invars[1].aval
            outputs = kernel.shape[params["dimension_numbers"].rhs_spec[0]]
            total += 2 * equation.outvars[0].aval.size * kernel.size // outputs
        else:
            parts = [count(inner) for inner in _inner(params)]
            if name == "cond":
                total += max(parts)
            else:
                total += params.get("length", 1) * sum(parts) if name == "scan" else sum(parts)
    return total


def _inner(params) -> Iterator:
    """The jaxprs that an equation calls."""
    for value in params.values():
        for item in value if isinstance(value, (tuple, list)) else (value,):
            jaxpr = getattr(item, "jaxpr", item)
            if hasattr(jaxpr, "eqns"):
                yield jaxpr
