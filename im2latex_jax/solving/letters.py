"""Letters: constants, variables with accents and subscripts, and numbers."""

from collections.abc import Sequence

import sympy

from im2latex_jax.solving import numbers
from im2latex_jax.solving.building import UNEVALUATED, scalar
from im2latex_jax.solving.notation import (
    ACCENTS,
    COMPLEX_LETTERS,
    CONJUGATES,
    FUNCTION_LETTERS,
    is_letter,
)
from im2latex_jax.solving.reader import Reader, symbol
from im2latex_jax.solving.statements import WORD, NotComputableError, end_of_group


def number(reader: Reader) -> sympy.Expr:
    r"""A number, exactly: 0.1 is 1/10. `2 \frac { 1 } { 2 }` is a mixed number, 5/2."""
    token = reader.next()
    value = numbers.value(token)
    if reader.peek() == "(" and "." in token and "(" not in token:
        reader.notes[
            f"{token}(...) is read as a product; a repeating decimal needs a line over its period"
        ] = None
    ahead = reader.tokens[reader.position : reader.position + 7]
    if not numbers.is_integer(token) or len(ahead) < 7 or ahead[0] != "\\frac":
        return value
    above, below = ahead[2], ahead[5]
    literal = numbers.is_integer(above) and numbers.is_integer(below)
    if not literal or [ahead[n] for n in (1, 3, 4, 6)] != ["{", "}", "{", "}"]:
        return value
    shown = f"{token}\\frac{{{above}}}{{{below}}}"
    if not 0 < int(above) < int(below) or not value:
        reader.notes[f"{shown} is read as a product"] = None
        return value
    reader.position += 7
    mixed = value + sympy.Rational(int(above), int(below))
    reader.notes[f"{shown} is read as a mixed number, {mixed}"] = None
    return mixed


def letter(reader: Reader) -> sympy.Expr:
    """A constant or a variable, or what is conjugated."""
    token = reader.next()
    suffix = ACCENTS.get(token, "")
    if suffix:
        accent = token
        inner = reader.tokens[reader.position + 1 : end_of_group(reader.tokens, reader.position)]
        if accent in CONJUGATES and len(inner) != 2:
            return _conjugate(reader, inner[:-1])
        reader.expect("{")
        token = reader.next()
        if not is_letter(token):
            raise NotComputableError(f"an accent over more than one letter ({token})")
        reader.expect("}")
        if accent in CONJUGATES:
            complex_valued = token in COMPLEX_LETTERS or "i" in reader.tokens
            if complex_valued and token not in reader.bound and reader.peek() != "_":
                reader.notes[f"a line over {token} is read as the complex conjugate"] = None
                return sympy.conjugate(symbol(token), **UNEVALUATED)
            reader.notes[f"{token} with a line over it is read as a variable of its own"] = None
    elif reader.peek() != "_" and token not in reader.bound:
        constant = _constant(reader, token)
        if constant is not None:
            return constant
    subscript = _subscript(reader, token) if reader.accept("_") else ""
    variable = symbol(token, suffix + subscript)
    _refuse_application(reader, token, variable)
    return variable


def _conjugate(reader: Reader, inner: Sequence[str]) -> sympy.Expr:
    if all(len(token) == 1 and token.isupper() for token in inner):
        raise NotComputableError(f"a line over {''.join(inner)} is not known here")
    reader.notes["a line over an expression is read as the complex conjugate"] = None
    return sympy.conjugate(reader.group(), **UNEVALUATED)


def _constant(reader: Reader, token: str) -> sympy.Expr | None:
    if token == "\\pi":
        return sympy.pi
    if token == "e":
        reader.notes["e is read as Euler's number"] = None
        return sympy.E
    if token == "i":
        reader.notes["i is read as the imaginary unit"] = None
        return sympy.I
    if token == "\\Gamma" and reader.peek() == "(":
        return sympy.gamma(scalar(reader.bracketed()), **UNEVALUATED)
    if token == "\\zeta" and reader.peek() == "(":
        return sympy.zeta(scalar(reader.bracketed()), **UNEVALUATED)
    return None


def _subscript(reader: Reader, token: str) -> str:
    start = reader.position
    end = end_of_group(reader.tokens, start)
    reader.position = end
    content = reader.tokens[start + 1 : end - 1]
    if set(content) & set(reader.bound):
        raise NotComputableError(f"{token}_{{{' '.join(content)}}} is an undefined sequence")
    words = [t for t in content if t not in ("\\operatorname*", "{", "}")]
    named = len(words) == len(content) - 3 and all(map(str.isalnum, words))
    words = [t.removeprefix(WORD).removesuffix("}") for t in words]
    if all(map(str.isdigit, words)) or (len(words) == 1 and words[0].isalnum()) or named:
        return f"_{''.join(words)}"
    raise NotComputableError(
        f"{token}_{{{' '.join(content)}}} has indices: tensors and sequences are not known"
    )


def _refuse_application(reader: Reader, token: str, variable: sympy.Symbol) -> None:
    """Raises where a letter is a function's name: `f ( x + 1 )`, `y ( t )`."""
    if reader.peek() != "(":
        return
    end = end_of_group(reader.tokens, reader.position)
    argument = reader.tokens[reader.position + 1 : end - 1]
    alone = len(argument) == 1 and is_letter(argument[0])
    if token in FUNCTION_LETTERS or alone or "," in argument:
        raise NotComputableError(f"{sympy.latex(variable)}(...) is an undefined function")
