r"""Derivatives, limits, sums, products and integrals.

`\frac{d}{dx}`, `\lim`, `\sum` and `\prod` reach to the next plus or minus; those with a running
letter further, to the last term that has it.
"""

from collections.abc import Sequence

import sympy

from im2latex_jax.solving.building import divide, scalar
from im2latex_jax.solving.notation import ARROWS, is_letter
from im2latex_jax.solving.reader import OpenIntegral, Reader, add, symbol
from im2latex_jax.solving.statements import (
    CLOSERS,
    RELATIONS,
    NotComputableError,
    end_of_group,
)

MAX_DERIVATIVE = 20
STOPS = RELATIONS | {"", ",", ";", "&", "|"}


def fraction(reader: Reader) -> sympy.Basic:
    """A quotient, or a derivative."""
    derived = _derivative(reader)
    if derived is not None:
        return derived
    reader.position += 1
    return divide(reader.group(), reader.group())


def _derivative(reader: Reader) -> sympy.Basic | None:
    r"""Reads `\frac { d ^ { 2 } y } { d x ^ { 2 } }`, or nothing where it is no derivative."""
    tokens, start = reader.tokens, reader.position + 1
    middle = end_of_group(tokens, start)
    end = end_of_group(tokens, middle)
    above, below = tokens[start + 1 : middle - 1], tokens[middle + 1 : end - 1]
    sign = above[0] if above else ""
    if sign not in ("d", "\\partial") or below[:1] != [sign]:
        return None
    variables = _derivative_variables(below, sign)
    order, operand = 1, above[1:]
    if operand[:2] == ["^", "{"] and "}" in operand:
        close = operand.index("}")
        digits = "".join(operand[2:close])
        order = int(digits) if digits.isdigit() and digits.isascii() else 0
        operand = operand[close + 1 :]
    if variables is None:
        return None
    if sum(count for _, count in variables) != order or order > MAX_DERIVATIVE:
        raise NotComputableError("the order of a derivative is not a number that fits")
    reader.position = end
    if operand:
        reader.position = middle - 1 - len(operand)
        derived = reader.sum()
        if reader.position != middle - 1:
            raise reader.refused()
        reader.position = end
    else:
        derived = reader.product()
        if any(_last(reader, letter) >= 0 for letter, _ in variables):
            reader.notes["a derivative is read as reaching to the next plus or minus"] = None
    pairs = [(symbol(letter), count) for letter, count in variables]
    free = scalar(derived).free_symbols
    for variable, _ in pairs:
        if free and variable not in free:
            names = ", ".join(sorted(map(sympy.latex, free)))
            raise NotComputableError(
                f"{names} would be an undefined function of {sympy.latex(variable)}"
            )
    return sympy.Derivative(derived, *pairs)


def _derivative_variables(tokens: Sequence[str], sign: str) -> list[tuple[str, int]] | None:
    """Letters and orders of `d x ^ { 2 } d y`, or None where it is something else."""
    variables = []
    position = 0
    while position < len(tokens):
        if tokens[position] != sign or not is_letter("".join(tokens[position + 1 : position + 2])):
            return None
        letter, count = tokens[position + 1], 1
        position += 2
        if tokens[position : position + 1] == ["^"]:
            end = end_of_group(tokens, position + 1)
            digits = "".join(tokens[position + 2 : end - 1])
            if not (digits.isdigit() and digits.isascii()) or len(digits) > 2:
                return None
            count = int(digits)
            position = end
        variables.append((letter, count))
    return variables


def limit(reader: Reader) -> sympy.Expr:
    r"""What follows `\operatorname* { l i m }`."""
    if not reader.accept("_"):
        raise NotComputableError("a limit without its variable")
    end = end_of_group(reader.tokens, reader.position) - 1
    direction = "+-"
    for sign in direction:
        if reader.tokens[end - 4 : end] == ["^", "{", sign, "}"]:
            direction = sign
            del reader.tokens[end - 4 : end]
    reader.expect("{")
    letter, variable = _running(reader)
    if reader.next() not in ARROWS:
        raise NotComputableError("a limit whose variable goes nowhere")
    target = scalar(reader.sum())
    reader.expect("}")
    body = _body(reader, letter)
    return sympy.Limit(scalar(body), variable, target, dir=direction)


def series(reader: Reader) -> sympy.Expr:
    """A sum or product."""
    kind = sympy.Sum if reader.next() == "\\sum" else sympy.Product
    if not reader.accept("_"):
        raise NotComputableError("a sum or product without its bounds")
    reader.expect("{")
    letter, variable = _running(reader)
    if not reader.accept("="):
        raise NotComputableError("a sum or product whose index does not begin with a value")
    lower = scalar(reader.sum())
    reader.expect("}")
    if not reader.accept("^"):
        raise NotComputableError("a sum or product without its upper bound")
    upper = reader.script()
    body = _body(reader, letter)
    return kind(scalar(body), (variable, lower, upper))


def _running(reader: Reader) -> tuple[str, sympy.Symbol]:
    """The letter that a sum or limit runs over."""
    letter = reader.next()
    if not is_letter(letter) or reader.peek() == "_":
        raise NotComputableError("a sum, product or limit runs over more than one letter")
    return letter, symbol(letter)


def _body(reader: Reader, letter: str) -> sympy.Basic:
    """What a sum, product or limit is of: terms up to the last one with its running letter."""
    reader.bound.append(letter)
    terms = [reader.product()]
    last = _last(reader, letter)
    while reader.position <= last and reader.peek() in ("+", "-"):
        terms.append(reader.signed())
        reader.notes[f"what {letter} runs over is read as reaching to the last term with it"] = None
    reader.bound.pop()
    return add(terms)


def _last(reader: Reader, token: str) -> int:
    """The last place of a token among the terms that follow on this level, or -1."""
    position, last = reader.position, -1
    while reader.tokens[position] not in STOPS and reader.tokens[position] not in CLOSERS:
        end = max(end_of_group(reader.tokens, position), position + 1)
        if token in reader.tokens[position:end]:
            last = end - 1
        position = end
    return last


def integral(reader: Reader) -> sympy.Expr:
    """An integral, single or multiple."""
    wanted = len(reader.next().removeprefix("\\").removesuffix("nt"))
    lower = reader.script() if reader.accept("_") else None
    upper = reader.script() if reader.accept("^") else None
    if (lower is None) != (upper is None) or (lower is not None and wanted > 1):
        raise NotComputableError("an integral over a region that is not given by two bounds")
    opened = OpenIntegral(wanted)
    reader.integrals.append(opened)
    body = scalar(reader.sum(opened))
    reader.integrals.remove(opened)
    if not opened.complete:
        raise NotComputableError("an integral without its differential (such as dx)")
    if lower is None:
        return sympy.Integral(body, *opened.variables)
    return sympy.Integral(body, (opened.variables[0], lower, upper))
