"""Writing the formula of a picture: greedy and beam search, jitted, in fixed shapes.

Both stop when every row has ended: at <eos>, at its budget of tokens, or where it repeats itself
(`_Repeats`). Given a `syntax.Syntax` they write only what compiles; the log-probabilities are the
network's own all the same, so that a formula the network would not have written has a low one.

Shapes in names: B batch, K beam, T tokens, V vocabulary, P positions.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from im2latex_jax.decoding.grammar import State, Syntax
from im2latex_jax.latex.vocabulary import BOS, EOS, PAD, UNK
from im2latex_jax.model.im2latex import Im2Latex

# A row is cut when LOOP + period tokens in a row repeat those `period` before, for any period up to
# LONGEST_PERIOD. Of im2latex-100k's 8,475 validation formulas 4 do.
LONGEST_PERIOD = 16
LOOP = 24


class Hypotheses(NamedTuple):
    """What a beam search found, the best first.

    Attributes:
      tokens: [B, K, T] int32, with <eos> where it was written, then <pad>.
      log_probs: [B, K, T] float32, of each token, 0 at <pad>.
      scores: [B, K] float32, the normalized log-probability; -inf where fewer than K were found.
    """

    tokens: jax.Array
    log_probs: jax.Array
    scores: jax.Array


class _Repeats(NamedTuple):
    """How the last tokens of rows repeat: see LOOP."""

    recent: jax.Array  # [B, LONGEST_PERIOD], the last token first
    runs: jax.Array  # [B, LONGEST_PERIOD], tokens in a row equal to those 1, 2 ... before

    @classmethod
    def start(cls, batch: int) -> "_Repeats":
        zeros = jnp.zeros((batch, LONGEST_PERIOD), jnp.int32)
        return cls(zeros - 1, zeros)

    def advance(self, tokens: jax.Array) -> "_Repeats":
        runs = jnp.where(self.recent == tokens[:, None], self.runs + 1, 0)
        return _Repeats(jnp.roll(self.recent, 1, axis=1).at[:, 0].set(tokens), runs)

    def looping(self) -> jax.Array:
        """Which rows go round in a loop, [B] bool."""
        return (self.runs >= LOOP + 1 + jnp.arange(LONGEST_PERIOD)).any(axis=1)


class _Rules(NamedTuple):
    """What rows are bound by, beside the network's opinion.

    Attributes:
      limits: [B] int32, tokens (<eos> included) that a row may have.
      repeats: see `_Repeats`.
      state: of the syntax, where there is one.
    """

    limits: jax.Array
    repeats: _Repeats
    state: State | None

    @classmethod
    def start(cls, limits: jax.Array, syntax: Syntax | None) -> "_Rules":
        batch = limits.shape[0]
        return cls(limits, _Repeats.start(batch), syntax.start(batch) if syntax else None)

    def choices(self, log_p: jax.Array, step: jax.Array, syntax: Syntax | None) -> jax.Array:
        """Log-probabilities [B, V], -inf for what the syntax forbids at this step."""
        if syntax is None or self.state is None:
            return log_p
        return jnp.where(syntax.allowed(self.state, self.limits - step), log_p, -jnp.inf)

    def advance(
        self, tokens: jax.Array, step: jax.Array, syntax: Syntax | None
    ) -> tuple["_Rules", jax.Array]:
        """The rules after the tokens of `step`, and which rows these end, [B] bool."""
        repeats = self.repeats.advance(tokens)
        state = syntax.advance(self.state, tokens) if syntax and self.state else None
        # A loop is left as fast as can be: at once, or by closing what is open.
        rest = step + 1 if state is None else step + 2 + state.need
        limits = jnp.where(repeats.looping(), jnp.minimum(self.limits, rest), self.limits)
        return _Rules(limits, repeats, state), (tokens == EOS) | (step + 1 >= limits)


def greedy(
    model: Im2Latex,
    params,
    images: jax.Array,
    sizes: jax.Array,
    max_length: int,
    *,
    budgets: jax.Array | None = None,
    syntax: Syntax | None = None,
) -> tuple[jax.Array, jax.Array]:
    """The most probable token at every step, until every row has ended.

    Args:
      model: the network.
      params: its parameters.
      images: [B, H, W, 1] uint8 ink.
      sizes: [B, 2] int32 pixels.
      max_length: steps at the most.
      budgets: [B] int32, steps of each row at the most (0: the row is a filler); by default
        `max_length`.
      syntax: what the rows must conform to; by default nothing.

    Returns:
      Tokens [B, max_length] int32, <eos> and then <pad> after the last one of a row that ended; and
      their log-probabilities [B, max_length] float32, 0 at <pad>.
    """
    batch = images.shape[0]
    picture, state, step_network = _start(model, params, images, sizes)
    budgets = jnp.full(batch, max_length) if budgets is None else budgets

    def running(carry):
        step, _, _, ended, *_ = carry
        return (step < max_length) & ~ended.all()

    def body(carry):
        step, state, last, ended, rules, tokens, log_probs = carry
        state, log_p = step_network(picture, state, last)
        token = rules.choices(log_p, step, syntax).argmax(axis=-1).astype(jnp.int32)
        chosen = jnp.take_along_axis(log_p, token[:, None], axis=-1)[:, 0]
        token = jnp.where(ended, PAD, token)
        tokens = tokens.at[:, step].set(token)
        log_probs = log_probs.at[:, step].set(jnp.where(ended, 0.0, chosen))
        rules, ends = rules.advance(token, step, syntax)
        return step + 1, state, token, ended | ends, rules, tokens, log_probs

    carry = (
        0,
        state,
        jnp.full(batch, BOS, jnp.int32),
        budgets <= 0,
        _Rules.start(jnp.minimum(budgets, max_length), syntax),
        jnp.full((batch, max_length), PAD, jnp.int32),
        jnp.zeros((batch, max_length), jnp.float32),
    )
    *_, tokens, log_probs = jax.lax.while_loop(running, body, carry)
    return tokens, log_probs


def length_penalty(length: jax.Array | int, alpha: float) -> jax.Array:
    """What a log-probability of `length` tokens is divided by: Wu et al. 2016, equation 14."""
    return ((5.0 + jnp.asarray(length, jnp.float32)) / 6.0) ** alpha


def beam(
    model: Im2Latex,
    params,
    images: jax.Array,
    sizes: jax.Array,
    max_length: int,
    beam_size: int,
    *,
    alpha: float = 0.6,
    budgets: jax.Array | None = None,
    syntax: Syntax | None = None,
) -> Hypotheses:
    """The `beam_size` best beginnings at every step; those that end are kept by normalized score.

    A row ends when `beam_size` of its hypotheses have ended, when no other can come to a better
    score than the best that has, or at its budget. With a beam of 1 this is `greedy`; with one that
    holds all hypotheses it is exhaustive.

    Args:
      beam_size: K.
      alpha: of `length_penalty`; 0 compares log-probabilities as they are.
      model, params, images, sizes, max_length, budgets, syntax: as in `greedy`.
    """
    batch, beams = images.shape[0], beam_size
    budgets = jnp.full(batch, max_length) if budgets is None else budgets
    budgets = jnp.minimum(budgets, max_length)
    picture, state, step_network = _start(model, params, images, sizes)
    # Rows of a batch and their hypotheses lie flat, as the network takes them: [B * K, ...].
    picture, state, limits = jax.tree.map(
        lambda x: jnp.repeat(x, beams, axis=0), (picture, state, budgets)
    )

    def select(tree, numbers_BxN: jax.Array, width: int):
        """From [B * width, ...] to [B * N, ...], by numbers below `width`."""
        flat = (jnp.arange(batch)[:, None] * width + numbers_BxN).reshape(-1)
        return jax.tree.map(lambda x: x[flat], tree)

    def running(search: _Search) -> jax.Array:
        return (search.step < max_length) & jnp.isfinite(search.totals).any()

    def body(search: _Search) -> _Search:
        step, found = search.step, search.found
        state, log_p = step_network(picture, search.state, search.last)
        choices = search.rules.choices(log_p, step, syntax)
        totals = (search.totals.reshape(-1, 1) + choices).reshape(batch, -1)
        # At most K of 2 K candidates write <eos>, so that K are left to go on.
        count = min(2 * beams, totals.shape[1])
        totals, flat = jax.lax.top_k(totals, count)
        source, token = flat // log_p.shape[1], (flat % log_p.shape[1]).astype(jnp.int32)
        log_prob = jnp.take_along_axis(log_p.reshape(batch, -1), flat, axis=1)
        rules, tokens, log_probs = select(
            (search.rules, search.tokens, search.log_probs), source, beams
        )
        rules, ends = rules.advance(token.reshape(-1), step, syntax)
        ends = ends.reshape(batch, count)
        tokens = tokens.at[:, step].set(token.reshape(-1))
        log_probs = log_probs.at[:, step].set(log_prob.reshape(-1))

        # Only the K best candidates may end: the others would be dropped if they went on.
        ended = ends & (jnp.arange(count) < beams) & jnp.isfinite(totals)
        scores = jnp.where(ended, totals / length_penalty(step + 1, alpha), -jnp.inf)
        scores, kept = jax.lax.top_k(jnp.concatenate([found.scores, scores], axis=1), beams)
        kept_tokens, kept_log_probs = (
            jnp.take_along_axis(
                jnp.concatenate([old, new.reshape(batch, count, -1)], axis=1),
                kept[..., None],
                axis=1,
            )
            for old, new in ((found.tokens, tokens), (found.log_probs, log_probs))
        )

        totals, going = jax.lax.top_k(jnp.where(ends, -jnp.inf, totals), beams)
        num_found = search.num_found + ended.sum(axis=1, dtype=jnp.int32)
        hope = totals[:, 0] / length_penalty(budgets, alpha)
        done = (num_found >= beams) | (hope <= scores[:, 0])
        rules, tokens, log_probs = select((rules, tokens, log_probs), going, count)
        return _Search(
            step=step + 1,
            state=select(state, jnp.take_along_axis(source, going, axis=1), beams),
            last=select(token.reshape(-1), going, count),
            totals=jnp.where(done[:, None], -jnp.inf, totals),
            rules=rules,
            tokens=tokens,
            log_probs=log_probs,
            found=Hypotheses(kept_tokens, kept_log_probs, scores),
            num_found=num_found,
        )

    first = jnp.where((budgets > 0)[:, None] & (jnp.arange(beams) == 0), 0.0, -jnp.inf)
    tokens = jnp.full((batch * beams, max_length), PAD, jnp.int32)
    log_probs = jnp.zeros((batch * beams, max_length), jnp.float32)
    search = _Search(
        step=jnp.asarray(0),
        state=state,
        last=jnp.full(batch * beams, BOS, jnp.int32),
        totals=first,
        rules=_Rules.start(limits, syntax),
        tokens=tokens,
        log_probs=log_probs,
        found=Hypotheses(
            tokens.reshape(batch, beams, -1),
            log_probs.reshape(batch, beams, -1),
            jnp.full((batch, beams), -jnp.inf),
        ),
        num_found=jnp.zeros(batch, jnp.int32),
    )
    found = jax.lax.while_loop(running, body, search).found
    real = jnp.isfinite(found.scores)[..., None]
    return Hypotheses(
        jnp.where(real, found.tokens, PAD), jnp.where(real, found.log_probs, 0.0), found.scores
    )


class _Search(NamedTuple):
    """Where a beam search stands; rows and hypotheses flat, except where a shape is given."""

    step: jax.Array
    state: Any
    last: jax.Array
    totals: jax.Array  # [B, K], log-probabilities of the hypotheses that go on; -inf for none
    rules: _Rules
    tokens: jax.Array
    log_probs: jax.Array
    found: Hypotheses
    num_found: jax.Array  # [B]


def follow(
    model: Im2Latex, params, images: jax.Array, sizes: jax.Array, tokens: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Lets the network write given tokens (teacher forcing).

    Args:
      tokens: [B, T] int32, without <bos>.
      model, params, images, sizes: as in `greedy`.

    Returns:
      The tokens' log-probabilities [B, T] float32, 0 at <pad>, and the attention weights [B, T, P]
      float32 that each was written with.
    """
    picture, state, step_network = _start(model, params, images, sizes, attention=True)

    def body(carry, token_B):
        state, last_B = carry
        state, log_p, weights = step_network(picture, state, last_B)
        log_prob_B = jnp.take_along_axis(log_p, token_B[:, None], axis=-1)[:, 0]
        return (state, token_B), (jnp.where(token_B == PAD, 0.0, log_prob_B), weights)

    first = jnp.full(tokens.shape[0], BOS, jnp.int32)
    _, (log_probs, weights) = jax.lax.scan(body, (state, first), tokens.T)
    return log_probs.T, weights.swapaxes(0, 1)


def _start(model: Im2Latex, params, images, sizes, *, attention: bool = False):
    """Encoded pictures, the first state, and the step: to (state, log-probabilities [B, V])."""
    variables = {"params": params}
    picture, state = model.apply(variables, images, sizes, method=Im2Latex.start)

    def step(picture, state, last_B):
        state, logits, weights = model.apply(
            variables, picture, state, last_B, method=Im2Latex.step
        )
        log_p = jax.nn.log_softmax(forbid(logits))
        return (state, log_p, weights) if attention else (state, log_p)

    return picture, state, step


def forbid(logits: jax.Array) -> jax.Array:
    """Logits [..., V] without the tokens that are never written: <pad>, <bos>, <unk>."""
    return logits.at[..., jnp.asarray([PAD, BOS, UNK])].set(-jnp.inf)
