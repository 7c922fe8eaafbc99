"""What is found out about a formula, as plain text: it crosses from one process to another."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Written:
    """An expression.

    Attributes:
      sympy: in Python, as SymPy prints it.
      latex: in LaTeX.
      numeric: its value to twelve digits, where it has one and is not written so already.
    """

    sympy: str
    latex: str
    numeric: str | None = None


@dataclasses.dataclass(frozen=True)
class Answer:
    """What was found out about a formula; None or empty where a question does not arise.

    Attributes:
      parsed: the formula as it was understood.
      value: of the integrals, derivatives, limits, sums and products in an expression.
      simplified: the simplest form found.
      holds: whether a statement is true for all values of its variables (True), for none (False),
        or neither.
      solutions: each gives some variables their values; an equation is solved for one variable
        after the other, a system for several at once. The solution of an inequality has the name
        `condition`.
      notes: what was assumed, and what could not be found.
      error: why there is nothing more, in one line.
    """

    parsed: Written | None = None
    value: Written | None = None
    simplified: Written | None = None
    holds: bool | None = None
    solutions: tuple[Mapping[str, Written], ...] = ()
    notes: tuple[str, ...] = ()
    error: str | None = None
