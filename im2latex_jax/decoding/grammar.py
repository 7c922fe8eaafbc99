r"""Which tokens may come next so that a formula compiles: an automaton for jitted decoding.

It follows the normal form of im2latex-100k as it is written: groups, commands and their arguments,
`\left` and `\right`, environments with their columns, scripts (TeX allows one of each on a symbol),
delimiters after `\big`, and the option of `\sqrt`. It knows at each step how many tokens it takes
to close all that is open, and lets nothing be opened that the tokens left could not close.

Commands that it does not know (`\atop`, `\kern` and other plain TeX) are never written. What it
does not look at are the dimensions of `\hspace`.

Shapes in names: B rows, V vocabulary, D levels of nesting, K kinds of tokens.
"""

import dataclasses
import enum
import functools
import operator
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from im2latex_jax.latex import commands, normalizer
from im2latex_jax.latex.vocabulary import EOS, SPECIAL_TOKENS, Vocabulary


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The deepest of the 8,475 formulas of im2latex-100k's validation split has 8 levels.
MAX_DEPTH = 24
# `matrix` of amsmath has this many columns, `&` one fewer.
MATRIX_COLUMNS = 10
_MANY = 100
_COLUMNS = {"cases": 2, "gathered": 1, "alignedat": _MANY, "aligned": _MANY}
_WITH_SPECIFICATION = ("array", "tabular")
_COLUMN_TYPES = ("l", "c", "r")
_TEXT_SYMBOLS = _words(
    r"~ \ -- --- . , : ; ! ? ( ) [ ] / ' * + - = @ \, \; \: \! \quad \space \& \% \_ \# \texteuro"
)


_DELIMITERS = _words(
    r"( ) [ ] | / . < > \{ \} \| \langle \rangle \lbrace \rbrace \lbrack \rbrack \lfloor \rfloor "
    r"\lceil \rceil \vert \Vert \backslash \uparrow \downarrow \updownarrow \Uparrow \Downarrow "
    r"\Updownarrow \lgroup \rgroup \lmoustache \rmoustache \lvert \rvert \lVert \rVert"
)
_SIZES = frozenset(
    f"\\{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")
)
_SYMBOLS = frozenset(f"\\{name}" for name in commands.GREEK | commands.SYMBOLS)
_ONE_ARGUMENT = normalizer.ONE_ARGUMENT | normalizer.ACCENTS | normalizer.LINES
_TWO_ARGUMENTS = normalizer.TWO_ARGUMENTS | set(normalizer.FRACTIONS.values())


_FENCE = re.compile(r"\\(left|right)[^A-Za-z].*")
_ENVIRONMENT = re.compile(r"\\(begin|end)\{(.*)\}")
_ESCAPED = re.compile(r"\\[{}|#$%&_]")


class Kind(enum.IntEnum):
    """What a token does. BEGIN + 2 e and BEGIN + 2 e + 1 begin and end environment number e."""

    NEVER = 0
    EOS = enum.auto()
    ATOM = enum.auto()  # a symbol, which may be an argument without braces
    COLUMN = enum.auto()  # an atom that stands for a column in an environment's specification
    OTHER = enum.auto()  # a space or a switch of font, size or style: no argument
    OPEN = enum.auto()
    CLOSE = enum.auto()
    SUB = enum.auto()
    SUP = enum.auto()
    COMMAND1 = enum.auto()
    COMMAND2 = enum.auto()
    ROOT = enum.auto()  # one argument and an option
    TEXT = enum.auto()  # one argument that is text
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
    r"~ ' \ -- --- \, \; \: \! \> \- \quad \qquad \enspace \enskip \space \thinspace \hfill "
    r"\hfil \nobreak \displaystyle \textstyle \scriptstyle \scriptscriptstyle \bf \rm \it \sf "
    r"\tt \sl \sc \cal \mit \boldmath \unboldmath \tiny \scriptsize \footnotesize \small "
    r"\normalsize \large \Large \LARGE \huge \Huge \nonumber \bmod \relax \protect \null "
    r"\strut \mathstrut"
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
    r"\cr": Kind.ROW,
    r"\hline": Kind.RULE,
    r"\sqrt": Kind.ROOT,
    r"\sb": Kind.SUB,
    r"\sp": Kind.SUP,
    **dict.fromkeys(_OTHER, Kind.OTHER),
    **dict.fromkeys("$#%", Kind.NEVER),
}
_BRACED = (
    Kind.OPEN,
    Kind.CLOSE,
    Kind.SUB,
    Kind.SUP,
    Kind.COMMAND1,
    Kind.COMMAND2,
    Kind.ROOT,
    Kind.TEXT,
)


class Level(enum.IntEnum):
    """What is open. ENVIRONMENT + e is environment number e."""

    NONE = 0
    GROUP = enum.auto()
    SPECIFICATION = enum.auto()  # an environment's columns
    TEXT = enum.auto()  # text, where there are no math commands
    FENCE = enum.auto()  # \left
    OPTION = enum.auto()  # [ of \sqrt
    ENVIRONMENT = enum.auto()


class State(NamedTuple):
    """Where rows stand: int32, the stacks [B, D], all else [B].

    A stack's entry: what is open (`level`); arguments that its command wants after it (`wanted`);
    scripts of what it belongs to, once that is complete (`then`: 1 sub, 2 super); columns of an
    environment and cells begun in its row.
    """

    level: jax.Array
    wanted: jax.Array
    then: jax.Array
    columns: jax.Array
    cells: jax.Array
    depth: jax.Array
    pending: jax.Array  # arguments that the last command still wants
    pending_then: jax.Array  # as `then`, for when it has them
    scripts: jax.Array  # on the last symbol: 1 sub, 2 super
    delimiter: jax.Array  # whether a delimiter must come
    option: jax.Array  # whether [ begins an option
    opens: jax.Array  # the level of the pending argument; NONE: a group, or a symbol without braces
    row_start: jax.Array  # 2 after \\, to which [ would belong; 1 at another start of a row
    need: jax.Array  # tokens that it takes to close everything


@dataclasses.dataclass(frozen=True, eq=False)
class Syntax:
    """The automaton for one vocabulary; see `build`.

    Attributes:
      kind: [V] int32, `Kind` of each token.
      delimiter: [V] bool, tokens that may follow `\\big`.
      bar: [V] bool, the `|`, a line between columns.
      text: [V] bool, tokens of text.
      columns: [E] int32, columns of an environment; 0 where its specification says so.
    """

    kind: np.ndarray
    delimiter: np.ndarray
    bar: np.ndarray
    text: np.ndarray
    columns: np.ndarray

    def start(self, batch: int) -> State:
        """The state before the first token."""
        stacks = [jnp.zeros((batch, MAX_DEPTH), jnp.int32)] * 5
        return State(*stacks, *[jnp.zeros(batch, jnp.int32)] * 9)

    def allowed(self, state: State, left: jax.Array) -> jax.Array:
        """Tokens that may come next, [B, V] bool, with `left` [B] tokens to write, <eos> included.

        There is always one where `left` has been above `state.need` before.
        """
        kinds = self._allowed_kinds(state, left)
        tokens = jnp.take(kinds, jnp.asarray(self.kind), axis=1)
        top = _top(state.level, state)
        # Text, and an environment's columns, stand in braces or are a single token without.
        in_text = (top == Level.TEXT) | ((state.opens == Level.TEXT) & (state.pending > 0))
        text = self.text | np.isin(self.kind, (Kind.OPEN, Kind.CLOSE))
        columns = self.bar | np.isin(self.kind, (Kind.COLUMN, Kind.CLOSE))
        for inside, only in (
            (in_text, text),
            (top == Level.SPECIFICATION, columns),
            (state.delimiter > 0, self.delimiter),
        ):
            tokens &= ~inside[:, None] | jnp.asarray(only)
        return tokens

    def _allowed_kinds(self, state: State, left: jax.Array) -> jax.Array:
        top = _top(state.level, state)
        wanting = state.pending > 0
        free = ~wanting & (state.delimiter == 0)
        in_cell = top >= Level.ENVIRONMENT
        number = top - Level.ENVIRONMENT
        full = _top(state.cells, state) + 1 >= _top(state.columns, state)
        room = state.depth < MAX_DEPTH
        closing = free & (top == Level.OPTION)
        closable = (top == Level.GROUP) | (top == Level.TEXT)
        closable |= (top == Level.SPECIFICATION) & (_below(state.columns, state) > 0)
        atom = ~wanting | ~_one_of(state.opens, Level.GROUP, Level.SPECIFICATION)
        opening = wanting & (state.option > 0) & room
        by_kind: dict[int, jax.Array] = {
            Kind.EOS: free & (state.depth == 0),
            Kind.ATOM: atom,
            Kind.COLUMN: atom,
            Kind.OTHER: free,
            Kind.OPEN: (free | wanting) & room,
            Kind.CLOSE: free & closable,
            Kind.SUB: free & (state.scripts & 1 == 0),
            Kind.SUP: free & (state.scripts & 2 == 0),
            Kind.COMMAND1: free,
            Kind.COMMAND2: free,
            Kind.ROOT: free,
            Kind.TEXT: free,
            Kind.SIZE: free,
            Kind.LEFT: free & room,
            Kind.RIGHT: free & (top == Level.FENCE),
            Kind.BRACKET: (~wanting | opening) & (state.row_start < 2),
            Kind.UNBRACKET: ~wanting,
            Kind.CELL: free & in_cell & ~full,
            Kind.ROW: free & in_cell,
            Kind.RULE: free & in_cell & (state.row_start > 0),
        }
        never = jnp.zeros_like(free)
        allowed = [by_kind.get(kind, never) for kind in range(Kind.BEGIN)]
        for environment in range(len(self.columns)):
            allowed += [free & room, free & (number == environment)]
        cost = self._costs(state, opening, closing)
        affordable = state.need[:, None] + cost + 1 < left[:, None]
        affordable = affordable.at[:, Kind.EOS].set(True)
        return jnp.stack(allowed, axis=1) & affordable

    def _costs(self, state: State, opening: jax.Array, closing: jax.Array) -> jax.Array:
        """By how much a token of each kind changes `need`, [B, K].

        An argument is counted as two tokens, its braces, and a specification as three.
        """
        filling = jnp.where(state.pending > 0, -2, 0) - state.delimiter
        zero = jnp.zeros_like(filling)
        first_column = (_top(state.level, state) == Level.SPECIFICATION) & (
            _below(state.columns, state) == 0
        )
        by_kind: dict[int, jax.Array] = {
            Kind.ATOM: filling,
            Kind.COLUMN: jnp.where(first_column, -1, filling),
            Kind.OPEN: jnp.where(state.pending > 0, -1, 1),
            Kind.CLOSE: zero - 1,
            Kind.SUB: zero + 2,
            Kind.SUP: zero + 2,
            Kind.COMMAND1: zero + 2,
            Kind.COMMAND2: zero + 4,
            Kind.ROOT: zero + 2,
            Kind.TEXT: zero + 2,
            Kind.SIZE: zero + 1,
            Kind.LEFT: zero + 1,
            Kind.RIGHT: zero - 1,
            Kind.BRACKET: jnp.where(opening, 1, -state.delimiter),
            Kind.UNBRACKET: jnp.where(closing, -1, -state.delimiter),
        }
        costs = [by_kind.get(kind, zero) for kind in range(Kind.BEGIN)]
        for columns in self.columns:
            costs += [zero + (1 if columns else 4), zero - 1]
        return jnp.stack(costs, axis=1)

    def advance(self, state: State, tokens: jax.Array) -> State:
        """The state after `tokens` [B], which must be allowed; <eos> and <pad> change nothing."""
        kind = jnp.asarray(self.kind)[tokens]
        top = _top(state.level, state)
        wanting = state.pending > 0
        begins = (kind >= Kind.BEGIN) & ((kind - Kind.BEGIN) % 2 == 0)
        ends = (kind >= Kind.BEGIN) & ~begins
        number = (kind - Kind.BEGIN) // 2
        opens_option = (kind == Kind.BRACKET) & wanting & (state.option > 0)
        closes_option = (kind == Kind.UNBRACKET) & (state.delimiter == 0) & (top == Level.OPTION)
        costs = self._costs(state, opens_option, closes_option)
        need = state.need + jnp.take_along_axis(costs, kind[:, None], axis=1)[:, 0]

        argument = wanting & (kind == Kind.OPEN)
        filled = wanting & ((kind == Kind.ATOM) | (kind == Kind.COLUMN))
        opened = (kind == Kind.OPEN) | (kind == Kind.LEFT) | begins | opens_option
        closed = (kind == Kind.CLOSE) | (kind == Kind.RIGHT) | ends | closes_option

        # The stack: an entry is written where something opens; closing only lowers the depth.
        group = jnp.where(top == Level.TEXT, Level.TEXT, Level.GROUP)
        group = jnp.where(argument & (state.opens > 0), state.opens, group)
        new_level = jnp.where(kind == Kind.LEFT, Level.FENCE, group)
        new_level = jnp.where(begins, Level.ENVIRONMENT + number, new_level)
        new_level = jnp.where(opens_option, Level.OPTION, new_level)
        wanted = jnp.where(argument, state.pending - 1, jnp.where(opens_option, state.pending, 0))
        then = jnp.where(argument | opens_option, state.pending_then, 0)
        table = jnp.asarray(np.append(self.columns, 0), jnp.int32)
        columns = table[jnp.where(begins, number, -1)]
        at = jnp.arange(MAX_DEPTH)[None] == state.depth[:, None]

        def push(stack: jax.Array, value: jax.Array) -> jax.Array:
            return jnp.where(at & opened[:, None], value[:, None], stack)

        popped_wanted, popped_then = _top(state.wanted, state), _top(state.then, state)
        depth = state.depth + opened - closed

        # Cells and columns of the environment on top.
        on_top = jnp.arange(MAX_DEPTH)[None] == state.depth[:, None] - 1
        cells = jnp.where(on_top & (kind == Kind.CELL)[:, None], state.cells + 1, state.cells)
        cells = jnp.where(on_top & (kind == Kind.ROW)[:, None], 0, cells)
        # A specification's columns are counted where its environment is, one level below.
        in_specification = top == Level.SPECIFICATION
        below = jnp.arange(MAX_DEPTH)[None] == state.depth[:, None] - 2
        is_column = in_specification & (kind == Kind.COLUMN)
        all_columns = jnp.where(below & is_column[:, None], state.columns + 1, state.columns)

        # What the next token must be, and what scripts it may have.
        scripted = jnp.where(kind == Kind.SUB, 1, 0) + jnp.where(kind == Kind.SUP, 2, 0)
        has_specification = begins & (columns == 0)
        new_command = (
            jnp.where(_one_of(kind, Kind.COMMAND1, Kind.ROOT, Kind.TEXT) | has_specification, 1, 0)
            + jnp.where(kind == Kind.COMMAND2, 2, 0)
            + jnp.where(scripted > 0, 1, 0)
        )
        pending = jnp.where(closed, popped_wanted, jnp.where(opened, 0, state.pending))
        pending = jnp.where(filled, state.pending - 1, pending)
        pending = jnp.where(new_command > 0, new_command, pending)
        pending_then = jnp.where(closed, popped_then, state.pending_then)
        pending_then = jnp.where(
            new_command > 0, jnp.where(scripted > 0, state.scripts | scripted, 0), pending_then
        )
        complete = (closed | filled) & (pending == 0)
        scripts = jnp.where(complete, pending_then, jnp.where(scripted > 0, state.scripts, 0))
        opens = jnp.where(kind == Kind.TEXT, Level.TEXT, Level.NONE)
        opens = jnp.where(scripted > 0, Level.GROUP, opens)
        opens = jnp.where(has_specification, Level.SPECIFICATION, opens)
        starts_row = begins | (kind == Kind.RULE) | (closed & in_specification)
        after = State(
            level=push(state.level, new_level),
            wanted=push(state.wanted, wanted),
            then=push(state.then, then),
            columns=push(all_columns, columns),
            cells=push(cells, jnp.zeros_like(columns)),
            depth=depth,
            pending=pending,
            pending_then=pending_then,
            scripts=scripts,
            delimiter=(kind == Kind.SIZE).astype(jnp.int32),
            option=(kind == Kind.ROOT).astype(jnp.int32),
            opens=opens,
            row_start=jnp.where(kind == Kind.ROW, 2, starts_row.astype(jnp.int32)),
            need=need,
        )
        # With JAX_ENABLE_X64 constants make 64 bits of them, and a loop keeps its types.
        return jax.tree.map(lambda x: x.astype(jnp.int32), after)


def _top(stack: jax.Array, state: State) -> jax.Array:
    """The entries [B] that were opened last; 0 where nothing is open."""
    at = jnp.arange(MAX_DEPTH)[None] == state.depth[:, None] - 1
    return jnp.where(at, stack, 0).sum(axis=1)


def _below(stack: jax.Array, state: State) -> jax.Array:
    """The entries [B] that were opened before the last; 0 where there is none."""
    at = jnp.arange(MAX_DEPTH)[None] == state.depth[:, None] - 2
    return jnp.where(at, stack, 0).sum(axis=1)


def _one_of(values: jax.Array, *members: int) -> jax.Array:
    return functools.reduce(operator.or_, [values == member for member in members])


@functools.lru_cache(maxsize=16)
def build(vocabulary: Vocabulary) -> Syntax:
    """The automaton for a vocabulary: what each token does, by its name."""
    tokens = vocabulary.tokens
    held = set(tokens)
    environments = [
        match[2]
        for token in tokens
        if (match := _ENVIRONMENT.fullmatch(token))
        and match[1] == "begin"
        and rf"\end{{{match[2]}}}" in held
    ]
    kind = np.asarray([_kind(token, environments) for token in tokens], np.int32)
    kind[EOS] = Kind.EOS
    columns = [
        0 if name in _WITH_SPECIFICATION else _COLUMNS.get(name, MATRIX_COLUMNS)
        for name in environments
    ]
    delimiter = np.asarray([token in _DELIMITERS for token in tokens])
    # What the vocabulary cannot close must not be opened.
    if not (kind == Kind.RIGHT).any():
        kind[kind == Kind.LEFT] = Kind.NEVER
    if not delimiter.any():
        kind[kind == Kind.SIZE] = Kind.NEVER
    if not (kind == Kind.UNBRACKET).any():
        kind[kind == Kind.ROOT] = Kind.COMMAND1
    braces = held.issuperset("{}")
    if not braces:
        kind[np.isin(kind, _BRACED)] = Kind.NEVER
    if not braces or not (kind == Kind.COLUMN).any():
        specified = [Kind.BEGIN + 2 * e for e, count in enumerate(columns) if not count]
        kind[np.isin(kind, specified)] = Kind.NEVER
    return Syntax(
        kind=kind,
        delimiter=delimiter,
        bar=np.asarray([token == "|" for token in tokens]),
        text=np.asarray([_is_text(token) for token in tokens]),
        columns=np.asarray(columns, np.int32),
    )


def _kind(token: str, environments: list[str]) -> int:
    if token in SPECIAL_TOKENS:
        return Kind.NEVER
    if token in _KINDS:
        return _KINDS[token]
    if match := _ENVIRONMENT.fullmatch(token):
        if match[2] not in environments:
            return Kind.NEVER
        return Kind.BEGIN + 2 * environments.index(match[2]) + (match[1] == "end")
    if match := _FENCE.fullmatch(token):
        return Kind.LEFT if match[1] == "left" else Kind.RIGHT
    if token in _ONE_ARGUMENT:
        return Kind.COMMAND1
    if token in _TWO_ARGUMENTS:
        return Kind.COMMAND2
    if token in normalizer.TEXT_COMMANDS:
        return Kind.TEXT
    if token in _SIZES:
        return Kind.SIZE
    if token in _COLUMN_TYPES:
        return Kind.COLUMN
    if len(token) == 1 or token in _SYMBOLS or _ESCAPED.fullmatch(token):
        return Kind.ATOM
    return Kind.NEVER


def _is_text(token: str) -> bool:
    return (len(token) == 1 and token.isalnum()) or token in _TEXT_SYMBOLS
