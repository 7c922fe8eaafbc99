r"""A seeded generator of formulas in the normal form of im2latex-100k (Deng et al. 2017).

The formulas look like those of papers (equations, sums, integrals, fractions, indices, functions)
without meaning anything. No two spellings of one picture are generated, so that a network is never
punished for being right:

- arguments are always braced and nothing else is; subscripts come before superscripts;
- growing delimiters (`\left(`) stand around tall contents, and only there;
- no invisible spacing, and one name for each symbol (`\rightarrow`, never `\to`).
"""

import bisect
import itertools
from collections.abc import Sequence

import numpy as np

MIN_TOKENS = 4
MAX_TOKENS = 18
MAX_SHORT_TOKENS = 10

Tokens = list[str]


class _Pool:
    """Entries to choose from, the frequent ones first; each is one token or several."""

    def __init__(self, entries: Sequence[str], flatness: float = 8.0):
        """Rank r (from 0) gets a weight of 1 / (r + flatness), as letters have in papers (Zipf)."""
        self.entries = [entry.split() for entry in entries]
        weights = [1 / (rank + flatness) for rank in range(len(entries))]
        self.cumulative = [total / sum(weights) for total in itertools.accumulate(weights)]

    def pick(self, rng: np.random.Generator) -> Tokens:
        rank = bisect.bisect_right(self.cumulative, rng.random())
        return list(self.entries[min(rank, len(self.entries) - 1)])


def _words(text: str) -> list[str]:
    return text.split()


_LATIN = _Pool(
    _words(
        "x a n d e m k r p t c i j s b g z q f y h u w"
        " A N R T D M S B L F H P C G V X J E Q K U W Z"
    )
)
_GREEK = _Pool(
    _words(
        r"\mu \alpha \pi \phi \nu \lambda \delta \beta \sigma \theta \psi \gamma \rho \omega \tau"
        r" \epsilon \xi \eta \Phi \Gamma \Delta \Lambda \Omega \Psi"
    )
)
_SYMBOL = _Pool(_words(r"\infty \hbar \partial \nabla"))
_NUMBER = _Pool([*"2341568790", "1 2", "1 6", "2 4", "1 0", "3 2", "6 4"], flatness=3)
_INDEX = _Pool(
    _words(r"i 1 n 0 2 k j \mu a m \nu 3 N b \alpha p x t r s \beta \lambda 4 c q A \sigma")
)
_POWER = _Pool(_words(r"2 n 3 k a i 4 N m \mu \alpha p b \nu 5 j s x t \beta 6"), flatness=4)
_SMALLEST = _Pool(_words("1 2 0 i n k 3 j"))
_MARK = _Pool(_words(r"\prime * \dagger + -"), flatness=2)
_ACCENT = _Pool(_words(r"\bar \tilde \hat \vec \dot"))
_STYLED = _Pool(
    [
        rf"\{font} {{ {letter} }}"
        for font, letter in zip(
            _words("mathcal mathbb mathbf mathcal mathcal mathbf mathbb mathcal mathbf mathbb"),
            _words("L R x A H k Z M p C"),
            strict=True,
        )
    ]
)
_LABEL = _Pool(
    [r"\mathrm { m a x }", r"\mathrm { m i n }", r"\mathrm { e f f }", r"\mathrm { i n }"]
)
_FUNCTION = _Pool([" ".join(name) for name in _words("sin cos exp ln log tan cosh sinh tanh")])
_EXTREMUM = _Pool([" ".join(name) for name in _words("max min sup")])
_RELATION = _Pool(_words(r"< \leq \sim > \equiv \approx \geq \neq \rightarrow"))
_SET_RELATION = _Pool(_words(r"\in \subset \rightarrow \leftrightarrow \Rightarrow"))
_PRODUCT_SIGN = _Pool(_words(r"\cdot \times \otimes \wedge \cup / \pm"))
_SIGN = _Pool(
    _words(
        r"= + - , < \leq \sim > \equiv \approx \geq \neq \rightarrow \in \subset \leftrightarrow"
        r" \Rightarrow \cdot \times \otimes \wedge \cup / \pm \ldots \cdots"
    )
)
_BIG = _Pool(_words(r"\sum \int \prod \oint"))
_TALL = {r"\frac", r"\sum", r"\prod", r"\int", r"\oint"}
_BRACKETS = {
    "(": ("(", ")", r"\left(", r"\right)"),
    "[": ("[", "]", r"\left[", r"\right]"),
    "|": ("|", "|", r"\left|", r"\right|"),
}


def generate(seed: int, index: int) -> Tokens:
    """The formula number `index` of the endless sequence that `seed` names.

    Returns:
      Between `MIN_TOKENS` and `MAX_TOKENS` tokens in the normal form. Different indices may give
      the same formula.
    """
    grammar = _Grammar(np.random.default_rng((seed, index)))
    while True:
        tokens = grammar.formula()
        if MIN_TOKENS <= len(tokens) <= MAX_TOKENS:
            return tokens


def generate_short(seed: int, index: int) -> Tokens:
    """The short formula number `index`: a symbol, a variable with its indices, a small term.

    Every token of the long formulas is among them, the rare ones nearly as often as the frequent:
    from these a network learns the symbols before it has to find its way through a formula.

    Returns:
      Between 1 and `MAX_SHORT_TOKENS` tokens. Different indices often give the same formula.
    """
    grammar = _Grammar(np.random.default_rng((seed, index, 2)))
    while True:
        tokens = grammar.short_formula()
        if len(tokens) <= MAX_SHORT_TOKENS:
            return tokens


def _group(command: str, *arguments: Tokens) -> Tokens:
    tokens = [command]
    for argument in arguments:
        tokens += ["{", *argument, "}"]
    return tokens


def _script(sign: str, content: Tokens) -> Tokens:
    return _group(sign, content)


def _bracket(kind: str, content: Tokens) -> Tokens:
    opening, closing, growing_opening, growing_closing = _BRACKETS[kind]
    if _TALL.isdisjoint(content):
        return [opening, *content, closing]
    return [growing_opening, *content, growing_closing]


class _Grammar:
    """The productions. `size` counts how often TeX has shrunk the type here: 0, 1 or 2 times."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def choose(self, **weights: float) -> str:
        """A name among the keywords, with probability in proportion to its weight."""
        mark = self.rng.random() * sum(weights.values())
        for name, weight in weights.items():
            mark -= weight
            if mark < 0:
                return name
        return name

    def happens(self, probability: float) -> bool:
        return self.rng.random() < probability

    # Whole formulas.

    def formula(self) -> Tokens:
        kind = self.choose(
            equation=46, expression=20, relation=13, sets=6, operator=8, tuple=8, limit=3
        )
        match kind:
            case "equation":
                return [*self.left_side(), "=", *self.expression(0)]
            case "relation":
                return [*self.expression(0), *_RELATION.pick(self.rng), *self.expression(0)]
            case "sets":
                return self.sets()
            case "operator":
                right = ["=", *self.term(0)] if self.happens(0.5) else []
                return [*self.big_operator(), *right]
            case "tuple":
                return self.tuple()
            case "limit":
                return self.limit()
            case _:
                return self.expression(0)

    def short_formula(self) -> Tokens:
        match self.choose(
            atom=25, number=6, big=4, scripted=20, signed=25, factor=20, pair=3, limit=2, tall=3
        ):
            case "atom":
                return self.atom(0)
            case "number":
                return _NUMBER.pick(self.rng)
            case "big":
                return _BIG.pick(self.rng)
            case "scripted":
                return self.scripted(0)
            case "signed":
                right = self.scripted(0) if self.happens(0.4) else self.atom(0)
                return [*self.atom(0), *_SIGN.pick(self.rng), *right]
            case "pair":
                return self.pair(self.atom(0))
            case "limit":
                return self.under(_EXTREMUM.pick(self.rng), _INDEX.pick(self.rng))
            case "tall":
                parts = self.letter(), self.letter()
                return _bracket(self.choose(**{"(": 1, "[": 1, "|": 1}), _group(r"\frac", *parts))
            case _:
                return self.factor(0)

    def left_side(self) -> Tokens:
        match self.choose(variable=45, call=20, derivative=15, term=20):
            case "variable":
                return self.scripted(0)
            case "call":
                return self.call()
            case "derivative":
                return self.derivative()
            case _:
                return self.term(0)

    def sets(self) -> Tokens:
        left = self.scripted(0) if self.happens(0.5) else self.atom(0)
        return [*left, *_SET_RELATION.pick(self.rng), *self.scripted(0)]

    def tuple(self) -> Tokens:
        """Commutators, brackets and lists: `[ a , b ] = c`, `x _ { 1 } , \\ldots , x _ { n }`."""
        if self.happens(0.25):
            letter = self.letter()
            first, last = _script("_", ["1"]), _script("_", _INDEX.pick(self.rng))
            dots = self.choose(ldots=2, cdots=1)
            signs = [",", r"\ldots", ","] if dots == "ldots" else ["+", r"\cdots", "+"]
            return [*letter, *first, *signs, *letter, *last]
        right = self.scripted(0) if self.happens(0.5) else self.atom(0)
        return [*self.pair(right), "=", *self.term(0)]

    def pair(self, right: Tokens) -> Tokens:
        """A letter and `right` between brackets: `[ a , b ]`, `\\{ a , b \\}`."""
        opening, closing = {
            "commutator": "[]",
            "pair": "()",
            "anticommutator": (r"\{", r"\}"),
            "product": (r"\langle", r"\rangle"),
        }[self.choose(commutator=4, pair=1, anticommutator=3, product=2)]
        return [opening, *self.atom(0), ",", *right, closing]

    # Sums, terms and factors.

    def expression(self, size: int) -> Tokens:
        tokens = ["-"] if self.happens(0.08) else []
        tokens += self.term(size)
        for _ in range(int(self.choose(**{"0": 84, "1": 14, "2": 2}))):
            tokens += [self.choose(**{"+": 6, "-": 5, r"\pm": 0.7}), *self.term(size)]
        return tokens

    def term(self, size: int) -> Tokens:
        tokens = _NUMBER.pick(self.rng) if self.happens(0.2) else []
        count = int(self.choose(**{"1": 78, "2": 20, "3": 2}))
        previous: Tokens = []
        for _ in range(count):
            factor = self.factor(size)
            if previous and self.happens(0.2):
                tokens += _PRODUCT_SIGN.pick(self.rng)
            elif previous[:1] == factor[:1] == [r"\frac"]:
                tokens.append(r"\cdot")  # the bars of two fractions would run into one
            tokens += factor
            previous = factor
        return tokens

    def factor(self, size: int) -> Tokens:
        if size:
            return self.scripted(size) if self.happens(0.3) else self.atom(size)
        match self.choose(
            atom=26, scripted=38, fraction=11, root=6, function=7, call=5, bracket=6, operator=3
        ):
            case "atom":
                return self.atom(size)
            case "scripted":
                return self.scripted(size)
            case "fraction":
                return self.fraction()
            case "root":
                return self.root()
            case "function":
                return self.function()
            case "call":
                return self.call()
            case "bracket":
                return self.bracket()
            case _:
                return self.big_operator()

    def letter(self) -> Tokens:
        return (_LATIN if self.happens(0.62) else _GREEK).pick(self.rng)

    def atom(self, size: int) -> Tokens:
        match self.choose(letter=84, symbol=4, accent=7, styled=5):
            case "accent" if size == 0:
                (accent,) = _ACCENT.pick(self.rng)
                return _group(accent, self.letter())
            case "styled" if size == 0:
                return _STYLED.pick(self.rng)
            case "symbol":
                return _SYMBOL.pick(self.rng)
            case _:
                return self.letter()

    def scripted(self, size: int) -> Tokens:
        """A variable with a subscript, a superscript or both."""
        base = self.atom(size)
        if size:
            sign = "_" if self.happens(0.6) else "^"
            return [*base, *_script(sign, _SMALLEST.pick(self.rng))]
        kind = self.choose(sub=42, sup=33, both=17, mark=8)
        tokens = base
        if kind in ("sub", "both"):
            tokens += _script("_", self.index())
        if kind in ("sup", "both"):
            tokens += _script("^", self.power())
        if kind == "mark":
            tokens += _script("^", _MARK.pick(self.rng))
        return tokens

    def index(self) -> Tokens:
        match self.choose(one=66, two=18, shifted=8, label=4, nested=4):
            case "two":
                return [*_INDEX.pick(self.rng), *_INDEX.pick(self.rng)]
            case "shifted":
                return [*self.letter(), self.choose(**{"+": 1, "-": 1}), *_SMALLEST.pick(self.rng)]
            case "label":
                return _LABEL.pick(self.rng)
            case "nested":
                return [*self.letter(), *_script("_", _SMALLEST.pick(self.rng))]
            case _:
                return _INDEX.pick(self.rng)

    def power(self) -> Tokens:
        match self.choose(one=58, negative=12, shifted=8, product=10, bracketed=5, nested=7):
            case "negative":
                return ["-", *_POWER.pick(self.rng)]
            case "shifted":
                return [*self.letter(), self.choose(**{"+": 1, "-": 1}), *_SMALLEST.pick(self.rng)]
            case "product":
                return [*_POWER.pick(self.rng), *self.letter()]
            case "bracketed":
                return ["(", *_POWER.pick(self.rng), ")"]
            case "nested":
                return self.scripted(1)
            case _:
                return _POWER.pick(self.rng)

    # Structures.

    def fraction(self) -> Tokens:
        match self.choose(plain=55, sums=30, derivative=15):
            case "plain":
                return _group(r"\frac", self.fraction_part(), self.fraction_part())
            case "sums":
                return _group(r"\frac", self.fraction_part(), self.expression(1))
            case _:
                return self.derivative()

    def fraction_part(self) -> Tokens:
        match self.choose(number=35, term=55, root=10):
            case "number":
                return _NUMBER.pick(self.rng)
            case "root":
                return _group(r"\sqrt", _NUMBER.pick(self.rng))
            case _:
                return self.term(1)

    def derivative(self) -> Tokens:
        sign = self.choose(**{"d": 1, r"\partial": 1})
        above = [sign, *self.letter()] if self.happens(0.6) else [sign]
        return _group(r"\frac", above, [sign, *self.letter()])

    def root(self) -> Tokens:
        if self.happens(0.15):
            return [r"\sqrt", "[", *_SMALLEST.pick(self.rng), "]", "{", *self.letter(), "}"]
        return _group(r"\sqrt", self.expression(1) if self.happens(0.5) else self.term(0))

    def function(self) -> Tokens:
        name = _group(r"\operatorname", _FUNCTION.pick(self.rng))
        if self.happens(0.2):
            name += _script("^", ["2"])
        if self.happens(0.5):
            return [*name, *self.atom(0)]
        return [*name, *_bracket("(", self.term(0))]

    def limit(self) -> Tokens:
        """A limit or an extremum of something: `lim_{x → 0} f ( x )`, `max_i a_i`."""
        if self.happens(0.5):
            below = [*self.letter(), r"\rightarrow", self.choose(**{"0": 1, r"\infty": 1})]
            head = self.under(_words("l i m"), below)
        else:
            head = self.under(_EXTREMUM.pick(self.rng), _INDEX.pick(self.rng))
        return [*head, *(self.call() if self.happens(0.5) else self.scripted(0))]

    def under(self, name: Tokens, below: Tokens) -> Tokens:
        return [*_group(r"\operatorname*", name), *_script("_", below)]

    def call(self) -> Tokens:
        arguments = self.scripted(0) if self.happens(0.3) else self.letter()
        if self.happens(0.25):
            arguments += [",", *self.letter()]
        return [*self.atom(0), *_bracket("(", arguments)]

    def bracket(self) -> Tokens:
        kind = self.choose(**{"(": 4, "[": 3, "|": 3})
        content = self.term(0) if kind == "|" else self.sum_of_two()
        if self.happens(0.5):
            content = self.fraction()
            if self.happens(0.3):
                content += ["-", *self.letter()]
        tokens = _bracket(kind, content)
        if self.happens(0.35):
            tokens += _script("^", _POWER.pick(self.rng))
        return tokens

    def sum_of_two(self) -> Tokens:
        return [*self.term(0), self.choose(**{"+": 1, "-": 1}), *self.term(0)]

    def big_operator(self) -> Tokens:
        if self.happens(0.45):
            tokens = [self.choose(**{r"\int": 5, r"\oint": 1})]
            if self.happens(0.6):
                tokens += _script("_", _INDEX.pick(self.rng))
                tokens += _script("^", [r"\infty"] if self.happens(0.4) else _POWER.pick(self.rng))
            return [*tokens, "d", *self.letter(), *self.factor(0)]
        tokens = [self.choose(**{r"\sum": 4, r"\prod": 1})]
        variable = _INDEX.pick(self.rng)
        if self.happens(0.7):
            tokens += _script("_", [*variable, "=", self.choose(**{"0": 1, "1": 2})])
            tokens += _script("^", [r"\infty"] if self.happens(0.4) else _POWER.pick(self.rng))
        else:
            tokens += _script("_", variable)
        return [*tokens, *self.factor(0)]
