r"""Which tokens may come next so that a formula compiles: an automaton for jitted decoding.

It follows the normal form of im2latex-100k as it is written: groups, commands and their arguments,
`\left` and `\right`, environments with their columns, scripts (TeX allows one of each on a symbol),
delimiters after `\big`, and the option of `\sqrt`. It knows at each step how many tokens it takes
to close all that is open, and lets nothing be opened that the tokens left could not close.

Commands that it does not know (`\atop`, `\kern` and other plain TeX) are never written.

Shapes in names: B rows, V vocabulary, D levels of nesting, K kinds of tokens.
"""

import dataclasses
import enum
import functools
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from im2latex_jax.decoding import token_kinds
from im2latex_jax.decoding.token_kinds import (
    BRACED,
    CAPITALS,
    DELIMITERS,
    DIGITS,
    ENVIRONMENT,
    LEFT_OF_LENGTH,
    SIMPLE,
    SPECIFICATIONS,
    WHOLE_LENGTH,
    WITH_ONE_ARGUMENT,
    Kind,
    Specification,
)
from im2latex_jax.latex.vocabulary import EOS, Vocabulary

# The deepest of the 8,475 formulas of im2latex-100k's validation split has 8 levels.
MAX_DEPTH = 24


class Level(enum.IntEnum):
    """What is open. ENVIRONMENT + e is environment number e."""

    NONE = 0
    GROUP = enum.auto()
    SPECIFICATION = enum.auto()  # an environment's columns
    TEXT = enum.auto()  # text, where there are no math commands
    CAPITALS = enum.auto()  # capital letters
    LENGTH = enum.auto()  # a number and a unit
    SIMPLE = enum.auto()  # of an argument: a group, or a simple symbol without braces
    ENSURE = enum.auto()  # of an argument: a group that begins as if it had no braces
    FENCE = enum.auto()  # \left
    OPTION = enum.auto()  # [ of \sqrt
    ENVIRONMENT = enum.auto()


# What the argument of a kind is; of all others it is SIMPLE.
_OPENS = {
    Kind.TEXT: Level.TEXT,
    Kind.CAPITAL: Level.CAPITALS,
    Kind.LENGTH: Level.LENGTH,
    Kind.NOT: Level.NONE,
    Kind.ENSURE: Level.ENSURE,
}


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
    scripts: jax.Array  # on the last symbol: 1 sub, 2 super, 4 primes just before
    delimiter: jax.Array  # whether a delimiter must come
    option: jax.Array  # whether [ begins an option
    opens: jax.Array  # what the pending argument is: a level; NONE: a group or a symbol alone
    row_start: jax.Array  # 1 at the start of a row; 2 where [ would belong to what is before it
    need: jax.Array  # tokens that it takes to close everything


@dataclasses.dataclass(frozen=True, eq=False)
class Syntax:
    """The automaton for one vocabulary; see `build`.

    Attributes:
      kind: [V] int32, `Kind` of each token.
      delimiter: [V] bool, tokens that may follow `\\big`.
      bar: [V] bool, the `|`, a line between columns.
      text: [V] bool, tokens of text.
      capital: [V] bool, capital letters.
      simple: [V] bool, symbols that TeX takes as an argument without braces.
      length: [P, V] int32, the phase of a length behind each token; -1 where it must not stand. See
        `token_kinds.length_phases`.
      digit: [V] int32, the value of the digits 1 to 9, else 0.
      one_column: [V] bool, what may stand for the only column of an environment.
      columns: [E] int32, columns of an environment; 0 where its specification says so.
      specification: [E] int32, `Specification` of each environment.
    """

    kind: np.ndarray
    delimiter: np.ndarray
    bar: np.ndarray
    text: np.ndarray
    capital: np.ndarray
    simple: np.ndarray
    length: np.ndarray
    digit: np.ndarray
    one_column: np.ndarray
    columns: np.ndarray
    specification: np.ndarray

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
        in_text = top == Level.TEXT
        # One capital needs no braces.
        wanted = (state.opens == Level.CAPITALS) & (state.pending > 0)
        in_capitals = (top == Level.CAPITALS) | wanted
        braces = np.isin(self.kind, (Kind.OPEN, Kind.CLOSE))
        close = self.kind == Kind.CLOSE
        columns = np.isin(self.kind, (Kind.COLUMN, Kind.CLOSE))
        specified = self._specified(state)
        first = _below(state.columns, state) == 0
        symbols = np.isin(self.kind, (Kind.ATOM, Kind.COLUMN))
        wanting = state.pending > 0
        for inside, only in (
            (wanting & (state.opens == Level.SIMPLE), self.simple | ~symbols),
            (in_text, self.text | braces),
            (in_capitals, self.capital | braces),
            (specified == Specification.COLUMNS, self.bar | columns),
            ((specified == Specification.ONE_COLUMN) & first, self.one_column),
            ((specified == Specification.NUMBER) & first, self.digit > 0),
            ((specified > Specification.COLUMNS) & ~first, close),
            (state.delimiter > 0, self.delimiter),
        ):
            tokens &= ~inside[:, None] | jnp.asarray(only)
        phase = _top(state.cells, state)
        following = jnp.asarray(self.length)[phase]
        cost = jnp.asarray(LEFT_OF_LENGTH)[following] - jnp.asarray(LEFT_OF_LENGTH)[phase][:, None]
        affordable = state.need[:, None] + cost + 1 < left[:, None]
        fits = (following >= 0) & (affordable | jnp.asarray(close))
        return tokens & ((top != Level.LENGTH)[:, None] | fits)

    def _specified(self, state: State) -> jax.Array:
        """What a specification that is open is to say, [B]; NONE where none is open."""
        environment = _below(state.level, state) - Level.ENVIRONMENT
        table = jnp.asarray(np.append(self.specification, 0), jnp.int32)
        inside = _top(state.level, state) == Level.SPECIFICATION
        return jnp.where(inside, table[jnp.where(inside, environment, -1)], Specification.NONE)

    def _allowed_kinds(self, state: State, left: jax.Array) -> jax.Array:
        top = _top(state.level, state)
        wanting = state.pending > 0
        free = ~wanting & (state.delimiter == 0)
        in_cell = top >= Level.ENVIRONMENT
        number = top - Level.ENVIRONMENT
        full = _top(state.cells, state) + 1 >= _top(state.columns, state)
        room = state.depth < MAX_DEPTH
        closing = free & (top == Level.OPTION)
        closable = _one_of(top, Level.GROUP, Level.TEXT, Level.CAPITALS, Level.LENGTH)
        closable |= (top == Level.SPECIFICATION) & (_below(state.columns, state) > 0)
        bare_argument = _one_of(state.opens, Level.NONE, Level.SIMPLE, Level.CAPITALS)
        atom = ~wanting | bare_argument
        # An option ends at the next ], however deep it stands, unless that is in braces.
        bare = top != Level.OPTION
        opening = wanting & (state.option > 0) & room & bare
        # Nor does TeX find the end of an option among the cells of an environment.
        open_levels = jnp.arange(MAX_DEPTH)[None] < state.depth[:, None]
        outside = ~(open_levels & (state.level == Level.OPTION)).any(axis=1)
        by_kind: dict[int, jax.Array] = {
            Kind.EOS: free & (state.depth == 0),
            Kind.ATOM: atom,
            Kind.COLUMN: atom,
            Kind.OTHER: free,
            Kind.SWITCH: free,
            Kind.PRIME: free & (state.scripts & 2 == 0),
            Kind.OPEN: (free | wanting) & room,
            Kind.CLOSE: free & closable,
            Kind.SUB: free & (state.scripts & 1 == 0),
            Kind.SUP: free & (state.scripts & 2 == 0),
            Kind.COMMAND1: free,
            Kind.COMMAND2: free,
            Kind.ROOT: free,
            Kind.TEXT: free,
            Kind.CAPITAL: free,
            Kind.LENGTH: free,
            Kind.NOT: free,
            Kind.ENSURE: free,
            Kind.SIZE: free & bare,
            Kind.LEFT: free & room & bare,
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
            allowed += [free & room & outside, free & (number == environment)]
        cost = self._costs(state, opening, closing)
        affordable = state.need[:, None] + cost + 1 < left[:, None]
        affordable = affordable.at[:, Kind.EOS].set(True)
        affordable |= (top == Level.LENGTH)[:, None]  # told token by token
        return jnp.stack(allowed, axis=1) & affordable

    def _costs(self, state: State, opening: jax.Array, closing: jax.Array) -> jax.Array:
        """By how much a token of each kind changes `need`, [B, K].

        An argument is counted as two tokens, its braces, and a specification as three.
        """
        filling = jnp.where(state.pending > 0, -2, 0) - state.delimiter
        zero = jnp.zeros_like(filling)
        specified = self._specified(state)
        is_number = specified == Specification.NUMBER  # the others may have lines before a column
        first_column = (specified > 0) & (_below(state.columns, state) == 0)
        by_kind: dict[int, jax.Array] = {
            Kind.ATOM: jnp.where(first_column & is_number, -1, filling),
            Kind.COLUMN: jnp.where(first_column, -1, filling),
            Kind.OPEN: jnp.where(state.pending > 0, -1, 1),
            Kind.CLOSE: zero - 1,
            Kind.SUB: zero + 2,
            Kind.SUP: zero + 2,
            Kind.COMMAND1: zero + 2,
            Kind.COMMAND2: zero + 4,
            Kind.ROOT: zero + 2,
            Kind.TEXT: zero + 2,
            Kind.CAPITAL: zero + 2,
            Kind.LENGTH: zero + 2 + LEFT_OF_LENGTH[0],
            Kind.NOT: zero + 2,
            Kind.ENSURE: zero + 2,
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
        phase = jnp.asarray(self.length)[_top(state.cells, state), tokens]
        measured = (top == Level.LENGTH) & (kind != Kind.CLOSE)
        left_of_length = jnp.asarray(LEFT_OF_LENGTH)
        progress = left_of_length[_top(state.cells, state)] - left_of_length[phase]
        need -= jnp.where(measured, progress, 0)

        argument = wanting & (kind == Kind.OPEN)
        filled = wanting & ((kind == Kind.ATOM) | (kind == Kind.COLUMN))
        opened = (kind == Kind.OPEN) | (kind == Kind.LEFT) | begins | opens_option
        closed = (kind == Kind.CLOSE) | (kind == Kind.RIGHT) | ends | closes_option

        # The stack: an entry is written where something opens; closing only lowers the depth.
        group = jnp.where(_one_of(top, Level.TEXT, Level.CAPITALS), top, Level.GROUP)
        kept = (state.opens > 0) & ~_one_of(state.opens, Level.SIMPLE, Level.ENSURE)
        group = jnp.where(argument & kept, state.opens, group)
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
        # Of a length the same stack says how far it is.
        cells = jnp.where(on_top & measured[:, None], phase[:, None], cells)
        # A specification's columns are counted where its environment is, one level below.
        in_specification = top == Level.SPECIFICATION
        below = jnp.arange(MAX_DEPTH)[None] == state.depth[:, None] - 2
        more = jnp.where(
            self._specified(state) == Specification.NUMBER,
            2 * jnp.asarray(self.digit)[tokens],
            in_specification & (kind == Kind.COLUMN),
        )
        all_columns = jnp.where(below, state.columns + more[:, None], state.columns)

        # What the next token must be, and what scripts it may have.
        scripted = jnp.where(kind == Kind.SUB, 1, 0) + jnp.where(kind == Kind.SUP, 2, 0)
        has_specification = begins & (columns == 0)
        new_command = (
            jnp.where(_one_of(kind, *WITH_ONE_ARGUMENT) | has_specification, 1, 0)
            + jnp.where(kind == Kind.COMMAND2, 2, 0)
            + jnp.where(scripted > 0, 1, 0)
        )
        pending = jnp.where(closed, popped_wanted, jnp.where(opened, 0, state.pending))
        pending = jnp.where(filled, state.pending - 1, pending)
        pending = jnp.where(new_command > 0, new_command, pending)
        pending_then = jnp.where(closed, popped_then, state.pending_then)
        # A superscript right behind primes continues them; behind a subscript it would be another.
        primed = (state.scripts & 4 > 0) & (kind == Kind.SUB)
        scripted_then = (state.scripts | scripted | jnp.where(primed, 2, 0)) & 3
        pending_then = jnp.where(
            new_command > 0, jnp.where(scripted > 0, scripted_then, 0), pending_then
        )
        pending_then = jnp.where(kind == Kind.ENSURE, 3, pending_then)
        complete = (closed | filled) & (pending == 0)
        scripts = jnp.where(complete, pending_then, jnp.where(scripted > 0, state.scripts, 0))
        scripts = jnp.where(kind == Kind.PRIME, state.scripts & 1 | 4, scripts)
        through = state.scripts & 3 | jnp.where(state.scripts & 4 > 0, 2, 0)
        scripts = jnp.where(kind == Kind.SWITCH, through, scripts)
        scripts = jnp.where(argument & (state.opens == Level.ENSURE), 3, scripts)
        opens = jnp.full_like(kind, Level.SIMPLE)
        for its_kind, level in _OPENS.items():
            opens = jnp.where(kind == its_kind, level, opens)
        opens = jnp.where(scripted > 0, Level.GROUP, opens)
        opens = jnp.where(has_specification, Level.SPECIFICATION, opens)
        # Behind \\ and the beginning of some environments [ would be an option of theirs.
        has_options = (kind == Kind.ROW) | (begins & ~has_specification)
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
            row_start=jnp.where(has_options, 2, starts_row.astype(jnp.int32)),
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
        if (match := ENVIRONMENT.fullmatch(token))
        and match[1] == "begin"
        and rf"\end{{{match[2]}}}" in held
    ]
    kind = np.asarray([token_kinds.kind_of(token, environments) for token in tokens], np.int32)
    kind[EOS] = Kind.EOS
    specification = [SPECIFICATIONS.get(name, Specification.NONE) for name in environments]
    columns = [token_kinds.num_columns(name) for name in environments]
    delimiter = np.asarray([token in DELIMITERS for token in tokens])
    # What the vocabulary cannot close must not be opened.
    if not (kind == Kind.RIGHT).any():
        kind[kind == Kind.LEFT] = Kind.NEVER
    if not delimiter.any():
        kind[kind == Kind.SIZE] = Kind.NEVER
    if not (kind == Kind.UNBRACKET).any():
        kind[kind == Kind.ROOT] = Kind.COMMAND1
    braces = held.issuperset("{}")
    if not braces:
        kind[np.isin(kind, BRACED)] = Kind.NEVER
    digit = np.asarray([int(token) if token in DIGITS else 0 for token in tokens], np.int32)
    length = token_kinds.length_phases(tokens)
    if (length == WHOLE_LENGTH).sum() == 0:
        kind[kind == Kind.LENGTH] = Kind.NEVER
    one_column = np.asarray([token in ("l", "c") for token in tokens])
    capital = np.asarray([token in CAPITALS for token in tokens])
    sayable = {
        Specification.NONE: True,
        Specification.COLUMNS: braces and (kind == Kind.COLUMN).any(),
        Specification.ONE_COLUMN: braces and one_column.any(),
        Specification.NUMBER: braces and digit.any(),
    }
    unsayable = [Kind.BEGIN + 2 * e for e, what in enumerate(specification) if not sayable[what]]
    kind[np.isin(kind, unsayable)] = Kind.NEVER
    return Syntax(
        kind=kind,
        delimiter=delimiter,
        bar=np.asarray([token == "|" for token in tokens]),
        text=np.asarray([token_kinds.is_text(token) for token in tokens]),
        capital=capital,
        simple=np.asarray([len(token) == 1 or token in SIMPLE for token in tokens]),
        length=length,
        digit=digit,
        one_column=one_column,
        columns=np.asarray(columns, np.int32),
        specification=np.asarray(specification, np.int32),
    )
