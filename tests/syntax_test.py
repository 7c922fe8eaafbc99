import functools
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from im2latex_jax import syntax
from im2latex_jax.latex import lexer
from im2latex_jax.latex.vocabulary import EOS, PAD, Vocabulary

TEXT = (
    r"x y 1 2 + = ( ) [ ] | l c r \alpha \, \bf \frac \sqrt \hat \mathrm \textrm \big { } _ ^ "
    r"\left( \right) \left[ \right. \begin{array} \end{array} \begin{cases} \end{cases} & \\ "
    r"\hline \hspace \atop \langle"
)
WORDS = TEXT.split()


@functools.cache
def _rules() -> tuple[Vocabulary, syntax.Syntax]:
    vocabulary = Vocabulary.build([WORDS])
    return vocabulary, syntax.build(vocabulary)


def _refused(vocabulary, rules, formulas: list[list[str]], budget: int) -> np.ndarray:
    """Number of the first token that the rules forbid in each formula, -1 where there is none."""
    length = max(map(len, formulas)) + 1
    tokens = np.full((len(formulas), length), PAD, np.int32)
    for row, formula in enumerate(formulas):
        tokens[row, : len(formula) + 1] = [*vocabulary.encode(formula), EOS]

    def body(state, inputs):
        token_B, step = inputs
        allowed = rules.allowed(state, jnp.full(len(formulas), budget) - step)
        fine = jnp.take_along_axis(allowed, token_B[:, None], axis=1)[:, 0] | (token_B == PAD)
        return rules.advance(state, token_B), fine

    @jax.jit
    def scan(tokens):
        steps = (tokens.T, jnp.arange(length))
        return jax.lax.scan(body, rules.start(len(formulas)), steps)[1].T

    fine = np.asarray(scan(tokens))
    return np.where(fine.all(axis=1), -1, fine.argmin(axis=1))


def _walks(rules: syntax.Syntax, count: int, budget: int) -> np.ndarray:
    """Random allowed tokens [count, budget]; <eos> is as likely as any other."""

    def body(carry, inputs):
        state, ended = carry
        key, step = inputs
        allowed = rules.allowed(state, jnp.full(count, budget) - step)
        token = jax.random.categorical(key, jnp.where(allowed, 0.0, -jnp.inf))
        token = jnp.where(ended, PAD, token)
        return (rules.advance(state, token), ended | (token == EOS)), token

    @jax.jit
    def scan():
        keys = jax.random.split(jax.random.PRNGKey(0), budget)
        first = rules.start(count), jnp.zeros(count, bool)
        return jax.lax.scan(body, first, (keys, jnp.arange(budget)))[1].T

    return np.asarray(scan())


GOOD = (
    r"x _ { 1 } ^ { 2 } + \alpha",
    r"{ x _ { 1 } } _ { 2 }",
    r"\frac { x } { y } ^ { 2 }",
    r"\frac 1 { 2 }",
    r"\sqrt [ x ] { y } ]",
    r"\sqrt 2 [ x ]",
    r"\left( \frac { x } { y } \right. ^ { 2 }",
    r"\big ( x \big \langle [ ]",
    r"\textrm { x y } + \textrm x",
    r"\begin{array} { l | c } \hline x & y \\ \hline { [ x ] } & 1 \\ \end{array}",
    r"\begin{cases} x & y \\ \begin{array} { l } x \end{array} \end{cases}",
    r"\hat x _ { \bf \mathrm { 2 } }",
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
}


def test_what_compiles_is_allowed_and_what_does_not_is_refused_where_it_breaks():
    formulas = [*GOOD, *BAD]
    found = _refused(*_rules(), [formula.split() for formula in formulas], budget=60)
    expected = [-1] * len(GOOD) + list(BAD.values())
    assert dict(zip(formulas, found.tolist(), strict=True)) == dict(
        zip(formulas, expected, strict=True)
    )


def test_nothing_is_opened_that_the_budget_cannot_close():
    vocabulary, rules = _rules()
    text = r"\frac { \begin{array} { l } \end{array} } { \sqrt { x } }"
    formula = text.split()
    found = _refused(vocabulary, rules, [formula], budget=len(formula) + 1)
    assert found[0] == -1
    tight = [_refused(vocabulary, rules, [formula], budget=n)[0] for n in (4, 5, 10)]
    # \frac needs its four braces and <eos>; the array two more than it is given
    assert tight == [0, 0, 2]


@pytest.mark.parametrize("budget", [1, 2, 7, 30])
def test_random_walks_end_within_their_budget_with_everything_closed(budget):
    vocabulary, rules = _rules()
    walks = _walks(rules, 200, budget)
    assert ((walks == EOS).sum(axis=1) == 1).all()
    for walk in walks:
        tokens = vocabulary.decode(walk)
        assert tokens.count("{") == tokens.count("}")
        opened = [token.split("(")[0].split("[")[0].split("{")[0] for token in tokens]
        assert opened.count(r"\begin") == opened.count(r"\end")
        assert opened.count(r"\left") == sum(t.startswith(r"\right") for t in tokens)


def test_random_walks_compile():
    if not (shutil.which("latex") and shutil.which("dvipng")):
        pytest.skip("latex or dvipng is not installed")
    from im2latex_jax.rendering.tex import render_formulas

    vocabulary = Vocabulary.build([[w for w in WORDS if w not in (r"\hspace", r"\atop")]])
    walks = _walks(syntax.build(vocabulary), 60, 30)
    formulas = ["x " + lexer.detokenize(vocabulary.decode(walk)) for walk in walks]
    assert max(map(len, formulas)) > 40
    results = list(render_formulas(formulas, jobs=1, progress=False))
    bad = [(result.reason, formulas[result.index]) for result in results if result.png is None]
    assert not bad


def test_what_the_vocabulary_cannot_close_is_never_opened():
    vocabulary = Vocabulary.build([["x", r"\left(", r"\begin{cases}", r"\frac", "_", r"\sqrt"]])
    kinds = dict(zip(vocabulary.tokens, syntax.build(vocabulary).kind, strict=True))
    assert kinds["x"] == syntax.Kind.ATOM
    assert all(kinds[token] == syntax.Kind.NEVER for token in vocabulary.tokens[4:] if token != "x")


def test_real_formulas_are_allowed(shared_data):
    text = (shared_data / "im2latex-100k" / "val.formulas.norm.txt").read_text(encoding="utf-8")
    formulas = [line.split() for line in text.splitlines()[::4]]
    vocabulary = Vocabulary.build(formulas)
    refused = _refused(vocabulary, syntax.build(vocabulary), formulas, budget=400) >= 0
    assert refused.mean() < 0.015
