r"""Sums, products and powers by recursive descent over tokens, as unevaluated SymPy expressions.

What stands for itself (a number, a letter, a fraction, an integral) is read by a function that
takes the reader; `parser` has the table of them. `\sin 2x \cos y` is sin(2x) cos(y),
`\sin(x) y` is sin(x) y, and `1 / 2 x` is 1 / (2 x).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import sympy

from im2latex_jax.solving.bounds import at_bounds
from im2latex_jax.solving.building import (
    UNEVALUATED,
    divide,
    is_matrix,
    matrix_operation,
    multiply,
    negate,
    scalar,
)
from im2latex_jax.solving.cursor import Cursor
from im2latex_jax.solving.notation import (
    BRACKETS,
    DIVISION_SIGNS,
    RATIO_SIGNS,
    REMAINDER_SIGNS,
    ROUNDED,
    TIMES_SIGNS,
    is_letter,
)
from im2latex_jax.solving.powers import power
from im2latex_jax.solving.statements import (
    CLOSERS,
    OPENERS,
    RELATIONS,
    NotComputableError,
)


@dataclasses.dataclass
class OpenIntegral:
    """An integral that is being read: how many `dx` it wants, and those found so far."""

    wanted: int
    variables: list[sympy.Symbol] = dataclasses.field(default_factory=list)
    leading: bool = False  # the dx stands before the integrand

    @property
    def complete(self) -> bool:
        return len(self.variables) == self.wanted

    @property
    def ended(self) -> bool:
        return self.complete and not self.leading


class Reader(Cursor):
    """Reads one statement. Each method reads one kind of expression at the current position."""

    def __init__(
        self,
        tokens: Sequence[str],
        notes: dict[str, None],
        atom_reader: "Callable[[str], AtomReader | None]",
        units: bool = False,
    ):
        """Starts at the first token.

        Args:
          tokens: one statement, as of `statements`.
          notes: how ambiguous notation was read; keys are added.
          atom_reader: what reads the atom that begins with a token, or None if nothing does.
          units: whether words in upright letters may be units.
        """
        super().__init__(tokens, notes)
        self.units = units
        self.integrals: list[OpenIntegral] = []
        self.bound: list[str] = []  # letters that a sum, product or limit runs over
        self._brackets: list[str] = []  # those that are open; tells whether a bar closes
        self._contents: list[int] = []  # where the contents of those brackets begin
        self._atom_reader = atom_reader

    # Sums and products.

    def sum(self, integral: OpenIntegral | None = None) -> sympy.Basic:
        """Terms up to what is neither plus nor minus; up to its `dx` in an integral."""
        terms = [self.signed(integral)]
        while self.peek() in ("+", "-") and not (integral is not None and integral.complete):
            terms.append(self.signed(integral))
        total = add(terms)
        if self._bar_with_scripts() and self.accept("|"):
            if len(terms) > 1:
                self.notes["a bar with bounds is read as standing behind the whole sum"] = None
            total = at_bounds(self, total)
        return total

    def signed(self, integral: OpenIntegral | None = None) -> sympy.Basic:
        """A term with its sign."""
        negative = False
        while self.peek() in ("+", "-"):
            negative ^= self.next() == "-"
        term = self.product(integral)
        return negate(term) if negative else term

    def product(self, integral: OpenIntegral | None = None) -> sympy.Basic:
        """Factors, and what they are divided by."""
        before = ["", *self.tokens[: self.position]][-2:]
        product, _ = self._juxtaposed(integral)
        ratios = 0
        while self.peek() in _OPERATORS and not (integral is not None and integral.ended):
            sign = self.next()
            negative = self.accept("-")
            factor, count = self._juxtaposed(integral)
            factor = negate(factor) if negative else factor
            if sign in REMAINDER_SIGNS:
                if "+" in self.tokens or "-" in self.tokens:
                    self.notes["mod is read like a division: before plus and minus"] = None
                product = sympy.Mod(scalar(product), scalar(factor), **UNEVALUATED)
                if before[-1] == "-" and before[0] in _BEFORE_SIGN:  # -7 mod 3 is (-7) mod 3
                    dividend, divisor = product.args
                    product = negate(sympy.Mod(negate(dividend), divisor, **UNEVALUATED))
            elif sign in DIVISION_SIGNS:
                if count > 1:
                    self.notes["a product without signs is one divisor: a/bc is read as a/(bc)"] = (
                        None
                    )
                product = divide(product, factor)
                ratios += sign in RATIO_SIGNS
            else:
                product = multiply((product, factor))
        if ratios > 1:
            raise NotComputableError("a ratio of more than two numbers has no value")
        return product

    def _juxtaposed(self, integral: OpenIntegral | None = None) -> tuple[sympy.Basic, int]:
        """The product of factors without a sign between them, and their number."""
        factors: list[sympy.Basic] = []
        differentials = 0
        while self.starts_factor():
            if self._differential():
                differentials += 1
                if integral is not None and integral.complete:
                    integral.leading = not factors
                    if integral.ended:
                        break
                continue
            factors.append(self.factor())
            if integral is not None and integral.ended:
                break
        if not factors and not differentials:
            raise self.refused()
        return multiply(factors), len(factors)

    def starts_factor(self) -> bool:
        """Whether a factor begins here."""
        token = self.peek()
        if not token or token in CLOSERS or token in RELATIONS or token in _NO_FACTORS:
            return False
        if token == "|":
            closes = self._brackets[-1:] == ["|"] and self._contents[-1] < self.position
            return not closes and not self._bar_with_scripts()
        return True

    def _bar_with_scripts(self) -> bool:
        """Whether a bar is next behind which a variable's values stand."""
        bar = self.peek() == "|" and self.tokens[self.position + 1] in ("_", "^")
        return bar and self._brackets[-1:] != ["|"]

    def _differential(self) -> bool:
        """Reads `d x` where an integral waits for it."""
        if self.peek() != "d" or not is_letter(self.tokens[self.position + 1]):
            return False
        for integral in reversed(self.integrals):
            if not integral.complete:
                self.position += 1
                integral.variables.append(symbol(self.next()))
                return True
        self.notes["d is read as a variable, not as a differential"] = None
        return False

    # Factors.

    def factor(self) -> sympy.Basic:
        """An atom with its factorials and powers."""
        factor = self.atom()
        while True:
            token = self.peek()
            if token == "!":
                self.position += 1
                if self.accept("!"):
                    factor = sympy.factorial2(scalar(factor), **UNEVALUATED)
                else:
                    factor = sympy.factorial(scalar(factor), **UNEVALUATED)
            elif token == "^":
                factor = power(self, factor)
            else:
                return factor

    def script(self) -> sympy.Expr:
        """The contents of a sub- or superscript's braces; a `d` there is no differential."""
        integrals, self.integrals = self.integrals, []
        content = self.group()
        self.integrals = integrals
        return content

    def group(self) -> sympy.Expr:
        """A braced expression; a bare token, where the normal form has one."""
        if self.peek() == "{":
            return scalar(self.bracketed())
        return scalar(self.atom())

    def bracketed(self) -> sympy.Basic:
        """An expression in brackets."""
        with self._inside(self.next()) as opener:
            content = self.sum()
        self.expect(BRACKETS[opener])
        return content

    def listed(self) -> list[sympy.Expr]:
        """Expressions in brackets, with commas or semicolons between them."""
        with self._inside(self.next()) as opener:
            terms = [scalar(self.sum())]
            while self.accept(",") or self.accept(";"):
                terms.append(scalar(self.sum()))
        self.expect(BRACKETS[opener])
        return terms

    def atom(self) -> sympy.Basic:
        """What stands for itself."""
        token = self.peek()
        if token in BRACKETS or token in ROUNDED:
            return self.fenced()
        read = self._atom_reader(token)
        if read is None:
            raise self.refused()
        return read(self)

    def fenced(self) -> sympy.Basic:
        """Brackets or bars, around an expression or a matrix."""
        if not self.tokens[self.position + 1].startswith("\\begin{"):
            if self.peek() not in BRACKETS:
                return self._rounded()
            squared = self.peek() == "["
            content = self.bracketed()
            return at_bounds(self, content) if squared and self.peek() == "_" else content
        opener = self.next()
        matrix = self.atom()
        self.expect(BRACKETS.get(opener) or ROUNDED[opener][0])
        return sympy.Determinant(matrix) if opener in ROUNDED else matrix

    def _rounded(self) -> sympy.Expr:
        with self._inside(self.next()) as opener:
            content = scalar(self.sum())
        closer, function = ROUNDED[opener]
        self.expect(closer)
        return function(content, **UNEVALUATED)

    @contextmanager
    def _inside(self, opener: str) -> Iterator[str]:
        self._brackets.append(opener)
        self._contents.append(self.position)
        yield opener
        self._brackets.pop()
        self._contents.pop()


AtomReader = Callable[[Reader], sympy.Basic]
_OPERATORS = TIMES_SIGNS | DIVISION_SIGNS | REMAINDER_SIGNS
_BEFORE_SIGN = RELATIONS | OPENERS | {""}
_NO_FACTORS = _OPERATORS | {"+", "-", ",", ";", "&", "^", "_"}


def add(terms: Sequence[sympy.Basic]) -> sympy.Basic:
    """The sum of numbers or of matrices."""
    if len(terms) == 1:
        return terms[0]
    if any(is_matrix(term) for term in terms):
        return matrix_operation(sympy.MatAdd, terms)
    return sympy.Add(*terms, **UNEVALUATED)


def symbol(token: str, suffix: str = "") -> sympy.Symbol:
    """The variable that a letter stands for."""
    return sympy.Symbol(token.removeprefix("\\") + suffix)
