import functools
import shutil
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from im2latex_jax.decoding import grammar
from im2latex_jax.latex import lexer
from im2latex_jax.latex.vocabulary import EOS, PAD, Vocabulary

FAST = {"xla_backend_optimization_level": "0"}  # compiling is what takes the time here
TEXT = (
    r"x y 1 2 + = ( ) [ ] | l c r \alpha \, \bf \frac \sqrt \hat \mathrm \textrm \big { } _ ^ "
    r"\left( \right) \left[ \right. \begin{array} \end{array} \begin{cases} \end{cases} & \\ "
    r"\hline \hspace \atop \langle ' L \mathscr \begin{subarray} \end{subarray} \begin{alignedat} "
    r"\end{alignedat} \begin{aligned} \end{aligned} \cr \mathbb \hspace - . m \ensuremath \rlap "
    r"\not \le \tt"
)
WORDS = TEXT.split()


@functools.cache
def _rules() -> tuple[Vocabulary, grammar.Syntax]:
    vocabulary = Vocabulary.build([WORDS])
    return vocabulary, grammar.build(vocabulary)


@functools.partial(jax.jit, static_argnums=0, compiler_options=FAST)
def _allowed(rules: grammar.Syntax, tokens: jax.Array, budgets: jax.Array) -> jax.Array:
    """Which of the tokens [B, T] are allowed where they stand; all are, from the first <pad> on."""

    def body(state, inputs):
        token_B, step = inputs
        allowed = rules.allowed(state, budgets - step)
        fine = jnp.take_along_axis(allowed, token_B[:, None], axis=1)[:, 0] | (token_B == PAD)
        return rules.advance(state, token_B), fine

    steps = (tokens.T, jnp.arange(tokens.shape[1]))
    return jax.lax.scan(body, rules.start(len(tokens)), steps)[1].T


def _refused(vocabulary, rules, formulas: Sequence[str], budgets: Sequence[int]) -> list[int]:
    """Number of the first token that the rules forbid in each formula, -1 where there is none."""
    rows, length = -(-len(formulas) // 64) * 64, 64 if len(formulas) < 64 else 160
    tokens = np.full((rows, length), PAD, np.int32)
    for row, formula in enumerate(formulas):
        ids = [*vocabulary.encode(formula.split()), EOS]
        tokens[row, : len(ids)] = ids
    padded = np.resize(np.asarray(budgets, np.int32), rows)
    fine = np.asarray(_allowed(rules, tokens, padded))[: len(formulas)]
    return np.where(fine.all(axis=1), -1, fine.argmin(axis=1)).tolist()


@functools.partial(jax.jit, static_argnums=(0, 2), compiler_options=FAST)
def _walks(rules: grammar.Syntax, budgets: jax.Array, length: int) -> jax.Array:
    """Random allowed tokens [B, length]; <eos> is as likely as any other."""
    rows = len(budgets)

    def body(carry, inputs):
        state, ended = carry
        key, step = inputs
        allowed = rules.allowed(state, budgets - step)
        token = jax.random.categorical(key, jnp.where(allowed, 0.0, -jnp.inf))
        token = jnp.where(ended, PAD, token)
        return (rules.advance(state, token), ended | (token == EOS)), token

    keys = jax.random.split(jax.random.PRNGKey(0), length)
    first = rules.start(rows), jnp.zeros(rows, bool)
    return jax.lax.scan(body, first, (keys, jnp.arange(length)))[1].T


GOOD = (
    r"x _ { 1 } ^ { 2 } + \alpha",
    r"{ x _ { 1 } } _ { 2 }",
    r"\frac { x } { y } ^ { 2 }",
    r"\frac 1 { 2 }",
    r"\sqrt [ x ] { y } ]",
    r"\sqrt 2 [ x ]",
    r"\left( \frac { x } { y } \right. ^ { 2 }",
    r"\big ( x \big \langle [ ]",
    r"\textrm { x y } + \rlap { x }",
    r"\begin{array} { l | c } \hline x & y \\ \hline { [ x ] } & 1 \\ \end{array}",
    r"\begin{cases} x & y \\ \begin{array} { l } x \end{array} \end{cases}",
    r"\hat x _ { \bf \mathrm { 2 } }",
    r"\mathscr { L } + \mathscr L ^ { 2 } + \mathscr { { L } }",
    r"\textrm { x ' } + x ' ' ^ { 2 } _ { 1 } + x _ { 1 } ' + x ^ { ' }",
    r"\begin{subarray} { c } x \\ y \end{subarray}",
    r"\hspace { - 1 . 2 c m } x \hspace { . 2 1 m m } \hspace { 1 2 c m } \hspace { 1 . c m }",
    r"\sqrt \alpha \not \le x \bf ^ { 2 } \ensuremath { x } x",
    r"\begin{alignedat} { 2 } x & y & x & y \end{alignedat}",
    r"\begin{aligned} { [ } x \end{aligned}",
    r"\sqrt [ { \left[ x \right) ] } ] { y }",
)
BAD = {
    r"x }": 1,
    r"{ x": 2,
    r"x _ { 1 } _ { 2 }": 5,
    r"x _ { 1 } ^ { 2 } _ { 3 }": 9,
    r"x _ 1": 2,
    r"\frac { x } _": 4,
    r"\frac { x }": 4,
    r"\sqrt { x": 3,
    r"\left( { x \right)": 3,
    r"{ \left( x }": 3,
    r"x \right)": 1,
    r"\big x": 1,
    r"\textrm { \alpha }": 2,
    r"x & y": 1,
    r"x \\ y": 1,
    r"\begin{array} x": 1,
    r"\begin{array} { } x": 2,
    r"\begin{array} { l x": 3,
    r"\begin{array} { l } x & y": 5,
    r"\begin{array} { l c } { x & y": 7,
    r"\begin{array} { l } x \\ [": 6,
    r"\begin{array} { l } x \hline": 5,
    r"\begin{cases} x & y & 1": 4,
    r"\begin{cases} x \end{array}": 2,
    r"x \atop y": 1,
    r"\mathscr { x": 2,
    r"\mathbb { x": 2,
    r"\rlap { \alpha": 2,
    r"\textrm x": 1,
    r"\sqrt \le": 1,
    r"\hspace x": 1,
    r"\hspace { c": 2,
    r"\hspace { - c": 3,
    r"\hspace { . c": 3,
    r"\hspace { 1 }": 3,
    r"\hspace { 1 . 2 . ": 5,
    r"\hspace { 1 c c": 4,
    r"\hspace { 1 c m m": 5,
    r"\hspace { 1 2 1": 4,
    r"\sqrt [ { \begin{cases}": 3,
    r"x ^ { 2 } \bf ^": 6,
    r"x ' \bf '": 3,
    r"x ' \ensuremath { '": 4,
    r"\ensuremath { x ^ { 2 } } ^": 8,
    r"\mathscr { L _": 3,
    r"\mathscr 1": 1,
    r"x ^ { 2 } '": 5,
    r"x ' _ { 1 } ^": 6,
    r"x ' _ { 1 } '": 6,
    r"x _ { 1 } ' ^ { 2 } '": 10,
    r"\begin{subarray} x": 1,
    r"\begin{subarray} { }": 2,
    r"\begin{subarray} { r": 2,
    r"\begin{subarray} { c c": 3,
    r"\begin{subarray} { c } x &": 5,
    r"\begin{alignedat} x": 1,
    r"\begin{alignedat} { l": 2,
    r"\begin{alignedat} { 2 2": 3,
    r"\begin{alignedat} { 1 } x & y &": 7,
    r"\begin{aligned} [": 1,
    r"\begin{aligned} x \cr": 2,
    r"\sqrt [ x \sqrt [": 4,
    r"\sqrt [ \left[": 2,
    r"\sqrt [ \big": 2,
    r"\sqrt [ \begin{cases}": 2,
}


def test_what_compiles_is_allowed_and_what_does_not_is_refused_where_it_breaks():
    formulas = [*GOOD, *BAD]
    found = _refused(*_rules(), formulas, budgets=[60])
    expected = [-1] * len(GOOD) + list(BAD.values())
    assert dict(zip(formulas, found, strict=True)) == dict(zip(formulas, expected, strict=True))


def test_nothing_is_opened_that_the_budget_cannot_close():
    formula = r"\frac { \begin{array} { l } \end{array} } { \sqrt { x } }"
    length = len(formula.split())
    budgets = [length + 1, length, 4, 5, 10]
    # One too few: the root stays empty. \frac needs its four braces and <eos>, and the array needs
    # more than is left of ten.
    assert _refused(*_rules(), [formula] * 5, budgets) == [-1, 11, 0, 0, 2]


def test_random_walks_end_within_their_budgets_with_everything_closed():
    vocabulary, rules = _rules()
    budgets = np.repeat(np.asarray([1, 2, 7, 30], np.int32), 100)
    walks = np.asarray(_walks(rules, budgets, 30))
    assert ((walks == EOS).sum(axis=1) == 1).all()
    assert ((walks == EOS).argmax(axis=1) < budgets).all()
    for walk in walks:
        tokens = vocabulary.decode(walk)
        assert tokens.count("{") == tokens.count("}")
        for begin, end in ((r"\begin", r"\end"), (r"\left", r"\right")):
            opened, closed = (sum(t.startswith(w) for t in tokens) for w in (begin, end))
            assert opened == closed


def test_random_walks_compile():
    if not (shutil.which("latex") and shutil.which("dvipng")):
        pytest.skip("latex or dvipng is not installed")
    from im2latex_jax.rendering.tex.render import render_formulas

    vocabulary = Vocabulary.build([[w for w in WORDS if w != r"\atop"]])
    walks = np.asarray(_walks(grammar.build(vocabulary), np.full(60, 30), 30))
    formulas = ["x " + lexer.detokenize(vocabulary.decode(walk)) for walk in walks]
    assert max(map(len, formulas)) > 40
    results = list(render_formulas(formulas, jobs=1, progress=False))
    bad = [(result.reason, formulas[result.index]) for result in results if result.png is None]
    assert not bad


def test_what_the_vocabulary_cannot_close_is_never_opened():
    vocabulary = Vocabulary.build([["x", r"\left(", r"\begin{cases}", r"\frac", "_", r"\sqrt"]])
    kinds = dict(zip(vocabulary.tokens, grammar.build(vocabulary).kind, strict=True))
    assert kinds["x"] == grammar.Kind.ATOM
    assert all(
        kinds[token] == grammar.Kind.NEVER for token in vocabulary.tokens[4:] if token != "x"
    )


def test_real_formulas_are_allowed(shared_data):
    text = (shared_data / "im2latex-100k" / "val.formulas.norm.txt").read_text(encoding="utf-8")
    formulas = text.splitlines()[::4]
    vocabulary = Vocabulary.build(formula.split() for formula in formulas)
    refused = _refused(vocabulary, grammar.build(vocabulary), formulas, budgets=[400])
    assert np.mean(np.asarray(refused) >= 0) < 0.015
