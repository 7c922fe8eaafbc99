r"""A recursive descent from the canonical form's tokens to SymPy's expressions, unevaluated.

How the ambiguous is read: `\sin 2x \cos y` is sin(2x) cos(y), `\sin(x) y` is sin(x) y; `1 / 2 x` is
1 / (2 x); `\frac{d}{dx}`, `\lim`, `\sum` and `\prod` reach to the next plus or minus; `x (y)` is a
function's value, which is refused, and `x (y + 1)` a product (after f, g and h: also a value).
"""

import dataclasses
from collections.abc import Callable, Sequence

import sympy

from im2latex_jax.solving.building import (
    UNEVALUATED,
    divide,
    is_matrix,
    matrix_operation,
    multiply,
    negate,
    require_matrix,
    scalar,
)
from im2latex_jax.solving.notation import (
    ACCENTS,
    ARROWS,
    BRACKETS,
    DIVISION_SIGNS,
    FUNCTION_LETTERS,
    FUNCTIONS,
    INDEX_LETTERS,
    INVERSES,
    LONE_INDICES,
    OF_SEVERAL,
    REFUSED,
    RELATION_CLASSES,
    ROUNDED,
    TIMES_SIGNS,
    is_letter,
)
from im2latex_jax.solving.statements import (
    CLOSERS,
    OPENERS,
    RELATIONS,
    NotComputableError,
    end_of_group,
    statements,
)

MAX_DERIVATIVE = 20


@dataclasses.dataclass(frozen=True)
class Parsed:
    """A formula as SymPy's expressions, unevaluated.

    Attributes:
      statements: relations, or a single expression.
      notes: how what has several meanings was read.
    """

    statements: tuple[sympy.Basic, ...]
    notes: tuple[str, ...] = ()


def parse(formula: str) -> Parsed:
    """Reads LaTeX; see the module.

    Raises:
      NormalizeError: the formula is not LaTeX that can be read.
      NotComputableError: it says something that cannot be computed with.
    """
    found: list[sympy.Basic] = []
    notes: dict[str, None] = {}
    rows = statements(formula)
    for tokens in rows:
        defined = _defined_function(tokens) if len(rows) == 1 else 0
        if defined:
            notes[f"what follows is about {''.join(tokens[: defined - 1])}"] = None
        parser = _Parser(tokens[defined:], notes)
        found += parser.statement()
    if len(found) > 1 and not all(_is_relation(statement) for statement in found):
        raise NotComputableError("several expressions are no system of equations")
    return Parsed(tuple(found), tuple(notes))


def _is_relation(statement: sympy.Basic) -> bool:
    return isinstance(statement, sympy.core.relational.Relational)


def _defined_function(tokens: Sequence[str]) -> int:
    """How many tokens `f ( x ) =` take at the beginning of a definition, or 0."""
    if len(tokens) < 6 or not is_letter(tokens[0]) or tokens[1] != "(":
        return 0
    end = end_of_group(tokens, 1)
    arguments = tokens[2 : end - 1]
    listed = all(
        is_letter(token) if number % 2 == 0 else token == ","
        for number, token in enumerate(arguments)
    )
    if not listed or len(arguments) % 2 == 0 or tokens[end : end + 1] != ["="]:
        return 0
    others = RELATIONS.intersection(tokens[end + 1 :])
    return 0 if others or tokens[0] in tokens[end + 1 :] else end + 1


@dataclasses.dataclass
class _Integral:
    """An integral that is being read: how many `dx` it wants, and those that were found."""

    wanted: int
    variables: list[sympy.Symbol] = dataclasses.field(default_factory=list)
    leading: bool = False  # the dx stands before what is integrated

    @property
    def complete(self) -> bool:
        return len(self.variables) == self.wanted

    @property
    def ended(self) -> bool:
        return self.complete and not self.leading


class _Parser:
    """Reads one statement. Each method reads one kind of thing from `_position` on."""

    def __init__(self, tokens: Sequence[str], notes: dict[str, None]):
        self._tokens = [*tokens, ""]
        self._position = 0
        self._notes = notes
        self._integrals: list[_Integral] = []
        self._bound: list[str] = []  # letters that a sum, product or limit runs over
        self._brackets: list[str] = []  # those that are open; tells whether a bar closes

    # Statements.

    def statement(self) -> list[sympy.Basic]:
        """An expression, or the relations of a chain such as `0 < x < 1`."""
        sides = [self._sum()]
        relations = []
        while self._peek() in RELATIONS:
            relations.append(RELATION_CLASSES[self._next()])
            sides.append(self._sum())
        if self._peek():
            raise self._refused()
        if not relations:
            return sides
        for side in sides:
            if not isinstance(side, sympy.Expr) and any(r is not sympy.Eq for r in relations):
                raise NotComputableError("matrices are not larger or smaller")
        pairs = zip(relations, sides, sides[1:], strict=False)
        return [relation(left, right, **UNEVALUATED) for relation, left, right in pairs]

    # Sums and products.

    def _sum(self, integral: _Integral | None = None) -> sympy.Basic:
        terms = [self._signed(integral)]
        while self._peek() in ("+", "-") and not (integral is not None and integral.complete):
            terms.append(self._signed(integral))
        if len(terms) == 1:
            return terms[0]
        if any(is_matrix(term) for term in terms):
            return matrix_operation(sympy.MatAdd, terms)
        return sympy.Add(*terms, **UNEVALUATED)

    def _signed(self, integral: _Integral | None) -> sympy.Basic:
        negative = False
        while self._peek() in ("+", "-"):
            negative ^= self._next() == "-"
        term = self._product(integral)
        return negate(term) if negative else term

    def _product(self, integral: _Integral | None = None) -> sympy.Basic:
        product = self._juxtaposed(integral)
        while self._peek() in TIMES_SIGNS | DIVISION_SIGNS and not (
            integral is not None and integral.ended
        ):
            divided = self._next() in DIVISION_SIGNS
            negative = self._accept("-")
            factor = self._juxtaposed(integral)
            factor = negate(factor) if negative else factor
            product = divide(product, factor) if divided else multiply((product, factor))
        return product

    def _juxtaposed(self, integral: _Integral | None = None) -> sympy.Basic:
        factors: list[sympy.Basic] = []
        differentials = 0
        while self._starts_factor():
            if self._differential():
                differentials += 1
                if integral is not None and integral.complete:
                    integral.leading = not factors
                    if integral.ended:
                        break
                continue
            factors.append(self._factor())
            if integral is not None and integral.ended:
                break
        if not factors and not differentials:
            raise self._refused()
        return multiply(factors)

    def _starts_factor(self) -> bool:
        token = self._peek()
        if (
            not token
            or token in CLOSERS
            or token in RELATIONS
            or token in TIMES_SIGNS | DIVISION_SIGNS
        ):
            return False
        if token == "|":
            return not self._brackets or self._brackets[-1] != "|"
        return token not in ("+", "-", ",", "&", "^", "_")

    def _differential(self) -> bool:
        """Reads `d x` where an integral waits for it."""
        if self._peek() != "d" or not is_letter(self._tokens[self._position + 1]):
            return False
        for integral in reversed(self._integrals):
            if not integral.complete:
                self._position += 1
                integral.variables.append(self._symbol(self._next()))
                return True
        self._notes["d is read as a variable, not as a differential"] = None
        return False

    # Factors.

    def _factor(self) -> sympy.Basic:
        factor = self._atom()
        while True:
            token = self._peek()
            if token == "!":
                self._position += 1
                if self._accept("!"):
                    factor = sympy.factorial2(scalar(factor), **UNEVALUATED)
                else:
                    factor = sympy.factorial(scalar(factor), **UNEVALUATED)
            elif token == "^":
                factor = self._power(factor)
            else:
                return factor

    def _power(self, base: sympy.Basic) -> sympy.Basic:
        self._position += 1
        content = self._tokens[self._position + 1 : end_of_group(self._tokens, self._position) - 1]
        if content and set(content) == {"\\prime"}:
            raise NotComputableError("a prime marks the derivative of an undefined function")
        if content == ["\\circ"]:
            self._position += 3
            return sympy.Mul(
                scalar(base), sympy.pi, sympy.Pow(180, -1, **UNEVALUATED), **UNEVALUATED
            )
        if isinstance(base, sympy.Symbol):
            indices = len(content) > 1 and INDEX_LETTERS.issuperset(content)
            if indices or tuple(content) in LONE_INDICES:
                raise NotComputableError(
                    f"{sympy.latex(base)}^{{{' '.join(content)}}} looks like a tensor with indices"
                )
            if content[:1] == ["("] and end_of_group(content, 0) == len(content):
                raise NotComputableError("a superscript in brackets marks an undefined function")
        if is_matrix(base) and content in (["T"], ["\\top"]):
            self._position += 3
            return sympy.Transpose(base)
        exponent = self._script()
        if is_matrix(base):
            return matrix_operation(sympy.MatPow, (base, exponent))
        if base is sympy.E:
            return sympy.exp(exponent, **UNEVALUATED)
        return sympy.Pow(base, exponent, **UNEVALUATED)

    def _script(self) -> sympy.Expr:
        """What stands in a sub- or superscript's braces; a `d` there is no differential."""
        integrals, self._integrals = self._integrals, []
        content = self._group()
        self._integrals = integrals
        return content

    def _group(self) -> sympy.Expr:
        """A braced expression; a bare token, where the normal form has one."""
        if self._peek() == "{":
            return scalar(self._bracketed())
        return scalar(self._atom())

    def _bracketed(self) -> sympy.Basic:
        opener = self._next()
        self._brackets.append(opener)
        content = self._sum()
        self._brackets.pop()
        self._expect(BRACKETS[opener])
        return content

    def _atom(self) -> sympy.Basic:
        token = self._peek()
        if token in BRACKETS or token in ("|", "\\left|"):
            return self._fenced()
        if token.isdigit() or (token == "." and self._tokens[self._position + 1].isdigit()):
            return self._number()
        if token in ROUNDED:
            return self._rounded()
        if is_letter(token) or token in ACCENTS:
            return self._letter()
        if token.startswith("\\begin{"):
            return self._matrix()
        read = {
            "\\frac": self._fraction,
            "\\binom": self._binomial,
            "\\sqrt": self._root,
            "\\operatorname": self._named,
            "\\operatorname*": self._named,
            "\\mathrm": self._named,
            "\\Re": self._named,
            "\\Im": self._named,
            "\\int": self._integral,
            "\\iint": self._integral,
            "\\iiint": self._integral,
            "\\sum": self._series,
            "\\prod": self._series,
        }.get(token)
        if read is not None:
            return read()
        if self._accept("\\infty"):
            return sympy.oo
        if self._accept("\\%"):
            return sympy.Pow(100, -1, **UNEVALUATED)
        raise self._refused()

    def _fenced(self) -> sympy.Basic:
        """Brackets or bars, around an expression or a matrix."""
        if not self._tokens[self._position + 1].startswith("\\begin{"):
            return self._bracketed() if self._peek() in BRACKETS else self._rounded()
        opener = self._next()
        matrix = self._matrix()
        self._expect(BRACKETS.get(opener) or ROUNDED[opener][0])
        return sympy.Determinant(matrix) if opener in ROUNDED else matrix

    def _rounded(self) -> sympy.Expr:
        opener = self._next()
        closer, function = ROUNDED[opener]
        self._brackets.append(opener)
        content = scalar(self._sum())
        self._brackets.pop()
        self._expect(closer)
        return function(content, **UNEVALUATED)

    def _number(self) -> sympy.Expr:
        """Digits, exactly: 0.1 is 1/10. A comma in braces parts thousands."""
        digits, decimals = "", None
        while True:
            token = self._peek()
            if token.isdigit() and token.isascii():
                digits += token
                decimals = None if decimals is None else decimals + 1
                self._position += 1
            elif token == "." and decimals is None and self._tokens[self._position + 1].isdigit():
                decimals = 0
                self._position += 1
            elif self._tokens[self._position : self._position + 3] == ["{", ",", "}"]:
                self._position += 3
            else:
                break
        if len(digits) > 1000:
            raise NotComputableError("a number has more than 1000 digits")
        return sympy.Rational(int(digits), 10 ** (decimals or 0))

    # Letters.

    def _letter(self) -> sympy.Expr:
        token = self._next()
        suffix = ACCENTS.get(token, "")
        if suffix:
            self._expect("{")
            token = self._next()
            if not is_letter(token):
                raise NotComputableError(f"an accent over more than one letter ({token})")
            self._expect("}")
        elif self._peek() != "_" and token not in self._bound:
            constant = self._constant(token)
            if constant is not None:
                return constant
        subscript = self._subscript(token) if self._accept("_") else ""
        symbol = self._symbol(token, suffix + subscript)
        self._refuse_application(token, symbol)
        return symbol

    def _constant(self, token: str) -> sympy.Expr | None:
        if token == "\\pi":
            return sympy.pi
        if token == "e":
            self._notes["e is read as Euler's number"] = None
            return sympy.E
        if token == "i":
            self._notes["i is read as the imaginary unit"] = None
            return sympy.I
        if token == "\\Gamma" and self._peek() == "(":
            return sympy.gamma(scalar(self._bracketed()), **UNEVALUATED)
        if token == "\\zeta" and self._peek() == "(":
            return sympy.zeta(scalar(self._bracketed()), **UNEVALUATED)
        return None

    def _symbol(self, token: str, suffix: str = "") -> sympy.Symbol:
        return sympy.Symbol(token.removeprefix("\\") + suffix)

    def _subscript(self, letter: str) -> str:
        start = self._position
        end = end_of_group(self._tokens, start)
        self._position = end
        content = self._tokens[start + 1 : end - 1]
        if set(content) & set(self._bound):
            raise NotComputableError(f"{letter}_{{{' '.join(content)}}} is an undefined sequence")
        words = [t for t in content if t not in ("\\mathrm", "\\operatorname*", "{", "}")]
        named = len(words) == len(content) - 3 and all(map(str.isalnum, words))
        if all(map(str.isdigit, words)) or (len(words) == 1 and words[0].isalnum()) or named:
            return f"_{''.join(words)}"
        raise NotComputableError(
            f"{letter}_{{{' '.join(content)}}} has indices: tensors and sequences are not known"
        )

    def _refuse_application(self, token: str, symbol: sympy.Symbol) -> None:
        """Raises where a letter is a function's name: `f ( x + 1 )`, `y ( t )`."""
        if self._peek() != "(":
            return
        end = end_of_group(self._tokens, self._position)
        argument = self._tokens[self._position + 1 : end - 1]
        alone = len(argument) == 1 and is_letter(argument[0])
        if token in FUNCTION_LETTERS or alone or "," in argument:
            raise NotComputableError(f"{sympy.latex(symbol)}(...) is an undefined function")

    # Fractions, derivatives, roots.

    def _fraction(self) -> sympy.Basic:
        derivative = self._derivative()
        if derivative is not None:
            return derivative
        self._position += 1
        return divide(self._group(), self._group())

    def _derivative(self) -> sympy.Basic | None:
        r"""Reads `\frac { d ^ { 2 } y } { d x ^ { 2 } }`, or nothing where it is no derivative."""
        tokens, start = self._tokens, self._position + 1
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
        self._position = end
        if operand:
            self._position = middle - 1 - len(operand)
            derived = self._sum()
            if self._position != middle - 1:
                raise self._refused()
            self._position = end
        else:
            derived = self._product()
        pairs = [(self._symbol(letter), count) for letter, count in variables]
        free = scalar(derived).free_symbols
        for symbol, _ in pairs:
            if free and symbol not in free:
                names = ", ".join(sorted(map(sympy.latex, free)))
                raise NotComputableError(
                    f"{names} would be an undefined function of {sympy.latex(symbol)}"
                )
        return sympy.Derivative(derived, *pairs)

    def _root(self) -> sympy.Expr:
        self._position += 1
        degree: sympy.Expr = sympy.Integer(2)
        if self._peek() == "[":
            degree = scalar(self._bracketed())
        radicand = self._group()
        return sympy.Pow(radicand, sympy.Pow(degree, -1), **UNEVALUATED)

    def _binomial(self) -> sympy.Expr:
        self._position += 1
        return sympy.binomial(self._group(), self._group(), **UNEVALUATED)

    # Functions.

    def _named(self) -> sympy.Basic:
        word = self._next()
        name = word[1:]
        if word not in ("\\Re", "\\Im"):
            end = end_of_group(self._tokens, self._position)
            name = "".join(self._tokens[self._position + 1 : end - 1])
            self._position = end
        if name == "lim":
            return self._limit()
        if name == "det":
            return sympy.Determinant(require_matrix(self._factor()))
        if name in OF_SEVERAL:
            return self._of_several(name)
        if name not in FUNCTIONS:
            raise NotComputableError(f"{name} is not a function that is known here")
        return self._function(name)

    def _function(self, name: str) -> sympy.Expr:
        base = power = None
        if self._peek() == "_":
            if name != "log":
                raise NotComputableError(f"a subscript of {name} is not known")
            self._position += 1
            base = self._script()
        if self._accept("^"):
            power = self._script()
            if power == -1 and name in INVERSES:
                name, power = INVERSES[name], None
        if name == "log" and base is None:
            self._notes["log is read as the natural logarithm"] = None
        value = FUNCTIONS[name](scalar(self._argument()), **UNEVALUATED)
        if base is not None:
            value = divide(value, sympy.log(base, **UNEVALUATED))
        return value if power is None else sympy.Pow(value, power, **UNEVALUATED)

    def _argument(self) -> sympy.Basic:
        """Brackets, or the factors up to the next operator, bracket or function."""
        if self._peek() in BRACKETS or self._peek() in ROUNDED:
            return self._fenced() if self._peek() in BRACKETS else self._factor()
        negative = self._accept("-")
        if not self._starts_factor():
            raise self._refused()
        factors = [self._factor()]
        while self._starts_factor() and self._continues_argument():
            factors.append(self._factor())
        product = multiply(factors)
        return negate(product) if negative else product

    def _continues_argument(self) -> bool:
        token = self._peek()
        if token in OPENERS or token == "|" or token in ("\\int", "\\iint", "\\sum", "\\prod"):
            return False
        if token in ("\\operatorname", "\\operatorname*", "\\mathrm"):
            return False
        waiting = any(not integral.complete for integral in self._integrals)
        return not (token == "d" and waiting)

    def _of_several(self, name: str) -> sympy.Expr:
        opener = self._peek()
        if opener not in ("(", "[", "\\{"):
            raise NotComputableError(f"{name} without the list of what it is taken of")
        self._position += 1
        self._brackets.append(opener)
        terms = [scalar(self._sum())]
        while self._accept(","):
            terms.append(scalar(self._sum()))
        self._brackets.pop()
        self._expect(BRACKETS[opener])
        return OF_SEVERAL[name](*terms)

    # Limits, sums, products, integrals.

    def _limit(self) -> sympy.Expr:
        if not self._accept("_"):
            raise NotComputableError("a limit without its variable")
        end = end_of_group(self._tokens, self._position) - 1
        direction = "+-"
        for sign in direction:
            if self._tokens[end - 4 : end] == ["^", "{", sign, "}"]:
                direction = sign
                del self._tokens[end - 4 : end]
        self._expect("{")
        letter, symbol = self._running()
        if self._next() not in ARROWS:
            raise NotComputableError("a limit whose variable goes nowhere")
        target = scalar(self._sum())
        self._expect("}")
        body = self._within(letter, self._product)
        return sympy.Limit(scalar(body), symbol, target, dir=direction)

    def _series(self) -> sympy.Expr:
        kind = sympy.Sum if self._next() == "\\sum" else sympy.Product
        if not self._accept("_"):
            raise NotComputableError("a sum or product without its bounds")
        self._expect("{")
        letter, symbol = self._running()
        if not self._accept("="):
            raise NotComputableError("a sum or product whose index does not begin with a value")
        lower = scalar(self._sum())
        self._expect("}")
        if not self._accept("^"):
            raise NotComputableError("a sum or product without its upper bound")
        upper = self._script()
        body = self._within(letter, self._product)
        return kind(scalar(body), (symbol, lower, upper))

    def _running(self) -> tuple[str, sympy.Symbol]:
        """The letter that a sum or limit runs over."""
        letter = self._next()
        if not is_letter(letter) or self._peek() == "_":
            raise NotComputableError("a sum, product or limit runs over more than one letter")
        return letter, self._symbol(letter)

    def _within(self, letter: str, read: Callable[[], sympy.Basic]) -> sympy.Basic:
        self._bound.append(letter)
        body = read()
        self._bound.pop()
        return body

    def _integral(self) -> sympy.Expr:
        wanted = len(self._next().removeprefix("\\").removesuffix("nt"))
        lower = self._script() if self._accept("_") else None
        upper = self._script() if self._accept("^") else None
        if (lower is None) != (upper is None) or (lower is not None and wanted > 1):
            raise NotComputableError("an integral over a region that is not given by two bounds")
        integral = _Integral(wanted)
        self._integrals.append(integral)
        body = scalar(self._sum(integral))
        self._integrals.remove(integral)
        if not integral.complete:
            raise NotComputableError("an integral without its differential (such as dx)")
        if lower is None:
            return sympy.Integral(body, *integral.variables)
        return sympy.Integral(body, (integral.variables[0], lower, upper))

    # Matrices.

    def _matrix(self) -> sympy.Basic:
        start = self._position
        name = self._tokens[start].removeprefix("\\begin{").removesuffix("}")
        if name not in ("matrix", "array", "smallmatrix"):
            raise NotComputableError(f"a {name} environment inside a formula is not known")
        self._position += 1
        if name == "array":
            self._position = end_of_group(self._tokens, self._position)
        rows: list[list[sympy.Expr]] = [[]]
        while self._peek() != f"\\end{{{name}}}":
            rows[-1].append(self._group())
            if not self._accept("&") and self._accept("\\\\"):
                rows.append([])
        self._position += 1
        rows = [row for row in rows if row]
        if len({len(row) for row in rows}) != 1:
            raise NotComputableError("a matrix whose rows have different lengths")
        return sympy.ImmutableDenseMatrix(rows)

    # Tokens.

    def _peek(self) -> str:
        return self._tokens[self._position]

    def _next(self) -> str:
        token = self._tokens[self._position]
        if not token:
            raise self._refused()
        self._position += 1
        return token

    def _accept(self, token: str) -> bool:
        if self._tokens[self._position] != token:
            return False
        self._position += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise self._refused()

    def _refused(self) -> NotComputableError:
        token = self._peek()
        if not token:
            return NotComputableError("something is missing at its end, or a bracket is not closed")
        if token in REFUSED:
            return NotComputableError(f"{token}: {REFUSED[token]}")
        if token in CLOSERS or token in RELATIONS or token in "+-*/":
            return NotComputableError(f"something is missing before {token}, or it does not fit")
        return NotComputableError(f"{token} is not known here")


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
