r"""What each token of a vocabulary does in a formula, by its name."""

import enum
import re
from collections.abc import Sequence

import numpy as np

from im2latex_jax.latex import commands, normalizer
from im2latex_jax.latex.vocabulary import SPECIAL_TOKENS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# `matrix` of amsmath has this many columns, `&` one fewer.
_MATRIX_COLUMNS = 10
_MANY = 100
_COLUMNS = {"cases": 2, "gathered": 1, "aligned": _MANY}
_COLUMN_TYPES = ("l", "c", "r")
_UNITS = _words("pt pc cm mm in em ex")  # of TeX, KaTeX and MathJax
WHOLE_LENGTH = 5  # a phase of `length_phases`
# The fewest tokens from a phase to the end.
LEFT_OF_LENGTH = np.asarray(
    [3, 3, 2, 3, 2, 0, 2, *[1] * len({unit[0] for unit in _UNITS})], np.int32
)
DIGITS = frozenset("123456789")
CAPITALS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TEXT_SYMBOLS = _words(
    r"~ \ -- --- . , : ; ! ? ( ) [ ] / ' * + - = @ \, \; \: \! \quad \space \& \% \_ \# \texteuro"
)


DELIMITERS = _words(
    r"( ) [ ] | / . < > \{ \} \| \langle \rangle \lbrace \rbrace \lbrack \rbrack \lfloor \rfloor "
    r"\lceil \rceil \vert \Vert \backslash \uparrow \downarrow \updownarrow \Uparrow \Downarrow "
    r"\Updownarrow \lgroup \rgroup \lmoustache \rmoustache \lvert \rvert \lVert \rVert"
)
_SIZES = frozenset(
    f"\\{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")
)
_SYMBOLS = frozenset(f"\\{name}" for name in commands.GREEK | commands.SYMBOLS)
# In math TeX makes an accent of these, which it refuses, or finds none in its fonts.
_UNAVAILABLE = _words(r"\aa \AA \th \textdegree")
# In math LaTeX only warns of these, and the next alphabet then reaches beyond its argument.
_ONLY_IN_TEXT = _words(r"\sl \sc")
# Symbols that are one character to TeX and so an argument without braces; most others are macros.
SIMPLE = frozenset(f"\\{name}" for name in commands.GREEK) | _words(
    r"\partial \nabla \ell \infty \hbar"
)
_ONE_ARGUMENT = normalizer.ONE_ARGUMENT | normalizer.ACCENTS | normalizer.LINES
# Arguments that TeX sets as text, whatever they are meant to be.
_TEXT_ARGUMENT = normalizer.TEXT_COMMANDS | _words(r"\rlap \llap")
_TWO_ARGUMENTS = normalizer.TWO_ARGUMENTS | set(normalizer.FRACTIONS.values())


_FENCE = re.compile(r"\\(left|right)[^A-Za-z].*")
ENVIRONMENT = re.compile(r"\\(begin|end)\{(.*)\}")
_ESCAPED = re.compile(r"\\[{}|#$%&_]")


class Specification(enum.IntEnum):
    """What an environment's argument says of its columns."""

    NONE = 0  # there is no argument
    COLUMNS = enum.auto()  # array: a letter for each, and lines between them
    ONE_COLUMN = enum.auto()  # subarray: l or c
    NUMBER = enum.auto()  # alignedat: the number of pairs of columns


SPECIFICATIONS = {
    "array": Specification.COLUMNS,
    "tabular": Specification.COLUMNS,
    "subarray": Specification.ONE_COLUMN,
    "alignedat": Specification.NUMBER,
}


class Kind(enum.IntEnum):
    """What a token does. BEGIN + 2 e and BEGIN + 2 e + 1 begin and end environment number e."""

    NEVER = 0
    EOS = enum.auto()
    ATOM = enum.auto()  # a symbol, which may be an argument without braces
    COLUMN = enum.auto()  # an atom that stands for a column in an environment's specification
    OTHER = enum.auto()  # a space or a switch of style: no argument
    SWITCH = enum.auto()  # of font or size: scripts behind it belong to what is before it
    PRIME = enum.auto()  # ', a superscript that another one or ^ may continue
    OPEN = enum.auto()
    CLOSE = enum.auto()
    SUB = enum.auto()
    SUP = enum.auto()
    COMMAND1 = enum.auto()
    COMMAND2 = enum.auto()
    ROOT = enum.auto()  # one argument and an option
    TEXT = enum.auto()  # one argument that is text
    CAPITAL = enum.auto()  # one argument that consists of capital letters
    LENGTH = enum.auto()  # one argument that is a length
    NOT = enum.auto()  # one argument, any symbol
    ENSURE = enum.auto()  # one argument that stands there as if it had no braces
    SIZE = enum.auto()  # wants a delimiter
    LEFT = enum.auto()
    RIGHT = enum.auto()
    BRACKET = enum.auto()  # [
    UNBRACKET = enum.auto()  # ]
    CELL = enum.auto()  # &
    ROW = enum.auto()  # \\
    RULE = enum.auto()  # \hline
    BEGIN = enum.auto()


_OTHER = _words(
    r"~ \ -- --- \, \; \: \! \> \- \quad \qquad \enspace \enskip \space \thinspace \hfill "
    r"\hfil \nobreak \displaystyle \textstyle \scriptstyle \scriptscriptstyle \bmod \null \strut "
    r"\mathstrut"
)
_SWITCHES = _words(
    r"\bf \rm \it \sf \tt \cal \mit \boldmath \unboldmath \tiny \scriptsize \footnotesize "
    r"\small \normalsize \large \Large \LARGE \huge \Huge \nonumber \relax \protect"
)
_KINDS = {
    "{": Kind.OPEN,
    "}": Kind.CLOSE,
    "_": Kind.SUB,
    "^": Kind.SUP,
    "[": Kind.BRACKET,
    "]": Kind.UNBRACKET,
    "&": Kind.CELL,
    r"\\": Kind.ROW,
    r"\hline": Kind.RULE,
    r"\sqrt": Kind.ROOT,
    r"\sb": Kind.SUB,
    r"\sp": Kind.SUP,
    r"\hspace": Kind.LENGTH,
    r"\vspace": Kind.LENGTH,
    r"\not": Kind.NOT,
    r"\ensuremath": Kind.ENSURE,
    **dict.fromkeys(_OTHER, Kind.OTHER),
    **dict.fromkeys(_SWITCHES, Kind.SWITCH),
    **dict.fromkeys(_UNAVAILABLE | _ONLY_IN_TEXT, Kind.NEVER),
    "'": Kind.PRIME,
    r"\mathscr": Kind.CAPITAL,  # the fonts have no other letters, or other symbols for them
    r"\mathbb": Kind.CAPITAL,
    **dict.fromkeys("$#%", Kind.NEVER),
}
WITH_ONE_ARGUMENT = (
    *(Kind.COMMAND1, Kind.ROOT, Kind.TEXT, Kind.CAPITAL, Kind.LENGTH, Kind.NOT, Kind.ENSURE),
)
BRACED = (
    Kind.OPEN,
    Kind.CLOSE,
    Kind.SUB,
    Kind.SUP,
    Kind.COMMAND1,
    Kind.COMMAND2,
    Kind.ROOT,
    Kind.TEXT,
    Kind.CAPITAL,
    Kind.LENGTH,
    Kind.NOT,
    Kind.ENSURE,
)


def num_columns(environment: str) -> int:
    """The most columns of an environment; 0 where its specification says how many."""
    return 0 if environment in SPECIFICATIONS else _COLUMNS.get(environment, _MATRIX_COLUMNS)


def kind_of(token: str, environments: list[str]) -> int:
    """The `Kind` of a token; `environments` are those that the vocabulary can begin and end."""
    if token in SPECIAL_TOKENS:
        return Kind.NEVER
    if token in _KINDS:
        return _KINDS[token]
    if match := ENVIRONMENT.fullmatch(token):
        if match[2] not in environments:
            return Kind.NEVER
        return Kind.BEGIN + 2 * environments.index(match[2]) + (match[1] == "end")
    if match := _FENCE.fullmatch(token):
        return Kind.LEFT if match[1] == "left" else Kind.RIGHT
    if token in _TEXT_ARGUMENT:
        return Kind.TEXT
    if token in _ONE_ARGUMENT:
        return Kind.COMMAND1
    if token in _TWO_ARGUMENTS:
        return Kind.COMMAND2
    if token in _SIZES:
        return Kind.SIZE
    if token in _COLUMN_TYPES:
        return Kind.COLUMN
    if len(token) == 1 or token in _SYMBOLS or _ESCAPED.fullmatch(token):
        return Kind.ATOM
    return Kind.NEVER


def length_phases(tokens: Sequence[str]) -> np.ndarray:
    """The automaton of lengths such as `-0.5cm`: the phase after each token in each phase [P, V].

    Phases: 0 the beginning; 1 behind a sign; 2 behind a digit; 3 behind the point, where it has no
    digit yet; 4 behind the point; 5 whole; 6 behind two digits, the most of a length that fits on a
    page; 7 and above behind the first letter of a unit.
    """
    first_letters = sorted({unit[0] for unit in _UNITS})
    table = np.full((7 + len(first_letters), len(tokens)), -1, np.int32)
    for number, token in enumerate(tokens):
        if token == "-":
            table[0, number] = 1
        elif token == ".":
            table[[0, 1], number] = 3
            table[[2, 6], number] = 4
        elif len(token) == 1 and token in "0123456789":
            table[[0, 1], number] = 2
            table[2, number] = 6
            table[[3, 4], number] = 4
        elif token == "}":
            table[WHOLE_LENGTH, number] = WHOLE_LENGTH
        for letter, first in enumerate(first_letters):
            if token == first and any(unit[0] == first and unit[1] in tokens for unit in _UNITS):
                table[[2, 4, 6], number] = 7 + letter
            if first + token in _UNITS:
                table[7 + letter, number] = WHOLE_LENGTH
    return table


def is_text(token: str) -> bool:
    """Whether a token may stand in text."""
    return (len(token) == 1 and token.isalnum()) or token in _TEXT_SYMBOLS
