"""Letters: constants, variables with accents and subscripts, and digits."""

import sympy

from im2latex_jax.solving.building import UNEVALUATED, scalar
from im2latex_jax.solving.notation import ACCENTS, FUNCTION_LETTERS, is_letter
from im2latex_jax.solving.reader import Reader, symbol
from im2latex_jax.solving.statements import NotComputableError, end_of_group


def number(reader: Reader) -> sympy.Expr:
    """Digits, exactly: 0.1 is 1/10. A comma in braces parts thousands."""
    digits, decimals = "", None
    while True:
        token = reader.peek()
        if token.isdigit() and token.isascii():
            digits += token
            decimals = None if decimals is None else decimals + 1
            reader.position += 1
        elif token == "." and decimals is None and reader.tokens[reader.position + 1].isdigit():
            decimals = 0
            reader.position += 1
        elif reader.tokens[reader.position : reader.position + 3] == ["{", ",", "}"]:
            reader.position += 3
        else:
            break
    if len(digits) > 1000:
        raise NotComputableError("a number has more than 1000 digits")
    return sympy.Rational(int(digits), 10 ** (decimals or 0))


def letter(reader: Reader) -> sympy.Expr:
    """A constant or a variable."""
    token = reader.next()
    suffix = ACCENTS.get(token, "")
    if suffix:
        reader.expect("{")
        token = reader.next()
        if not is_letter(token):
            raise NotComputableError(f"an accent over more than one letter ({token})")
        reader.expect("}")
    elif reader.peek() != "_" and token not in reader.bound:
        constant = _constant(reader, token)
        if constant is not None:
            return constant
    subscript = _subscript(reader, token) if reader.accept("_") else ""
    variable = symbol(token, suffix + subscript)
    _refuse_application(reader, token, variable)
    return variable


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
    words = [t for t in content if t not in ("\\mathrm", "\\operatorname*", "{", "}")]
    named = len(words) == len(content) - 3 and all(map(str.isalnum, words))
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
