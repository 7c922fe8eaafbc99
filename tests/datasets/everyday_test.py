"""The everyday formulas: a pure function whose formulas are readable, balanced and drawable."""

import collections

import numpy as np
import pytest

from im2latex_jax.datasets import everyday
from im2latex_jax.datasets.everyday import layouts, symbols
from im2latex_jax.datasets.everyday.grammar import Grammar, GrammarError
from im2latex_jax.latex.normalizer import normalize
from im2latex_jax.latex.safety import refusal
from im2latex_jax.rendering.tex import sandbox


@pytest.fixture(scope="module")
def formulas() -> list[str]:
    return [everyday.generate(0, number) for number in range(6000)]


def test_a_formula_depends_on_seed_and_number_alone(formulas):
    numbers = np.random.default_rng(0).permutation(len(formulas))[:200]
    assert [everyday.generate(0, int(n)) for n in numbers] == [formulas[n] for n in numbers]
    others = [everyday.generate(1, int(n)) for n in numbers]
    assert sum(a == b for a, b in zip(others, (formulas[n] for n in numbers), strict=True)) < 60


def test_every_formula_is_read_and_may_be_drawn(formulas):
    for formula in formulas:
        normal = normalize(formula)
        assert refusal(normal) is None, formula
        assert normalize(normal) == normal, formula


def test_every_symbol_is_seen_alone_and_in_context():
    items = symbols.items()
    count = 60 * len(items) * everyday.SYMBOLS
    drawn = [everyday.generate(3, number) for number in range(0, count, everyday.SYMBOLS)]
    for place, (symbol, kind) in enumerate(items):
        mine = drawn[place :: len(items)]
        shown = symbol.split() if kind == "pair" else [symbol]
        assert all(part in formula for part in shown for formula in mine), symbol
        assert len(set(mine)) >= 10, symbol
        if symbols.FRAMES[kind][0] == "<s>":
            assert 5 <= mine.count(symbol) <= 40, symbol


def test_matrices_have_all_brackets_and_sizes():
    rng = np.random.default_rng(0)
    drawn = [layouts.matrix(everyday.grammar(), rng) for _ in range(3000)]
    shapes = collections.Counter(
        (text.count(r"\\") + 1, text.count("&") // (text.count(r"\\") + 1) + 1) for text in drawn
    )
    for size in range(2, 6):
        assert shapes[size, size] >= 20
    for bracket in layouts.BRACKETS:
        assert sum(rf"\begin{{{bracket}}}" in text for text in drawn) >= 30


@pytest.mark.parametrize(
    "needle",
    [r"\begin{cases}", r"\begin{aligned}", r"\%", r"\$", r"^\circ", r"\frac", r"\sqrt[", r"\mathbb",
     r"\mathscr", r"\mathfrak", r"\mathcal", r"\mathbf", r"\mathsf", r"\text{", "{,}", r"\div",
     r"\mathrm{H", r"\rightleftharpoons", r"\iiint", r"\forall", r"\lfloor", r"\underbrace",
     r"\overbrace", r"\cfrac", r"\vec", r"\ddot", "'''", r"\triangle", r"\texteuro", r"\pmod"],
)  # fmt: skip
def test_what_users_photograph_is_there(formulas, needle):
    assert sum(needle in formula for formula in formulas) >= 3


def test_tex_draws_them(formulas):
    try:
        sandbox.require_programs()
    except sandbox.MissingProgramError as error:
        pytest.skip(str(error))
    from im2latex_jax.rendering.tex.render import render_formulas

    chosen = formulas[:1000]
    reasons = [
        (formula, drawn.reason)
        for formula, drawn in zip(chosen, render_formulas(chosen, jobs=1), strict=True)
        if drawn.png is None
    ]
    assert not reasons


def test_a_grammar_keeps_what_it_bound_and_separates_control_words():
    grammar = Grammar(["letter = x\nname = \\alpha\nsum:\n  <v=letter> + <v> <name><letter>\n"])
    assert grammar.generate("sum", np.random.default_rng(0)) == r"x + x \alpha x"


def test_weights_count():
    grammar = Grammar(["choice:\n  9* a\n  b\nblank = one~two\nnothing:\n  2*\n  x\n"])
    rng = np.random.default_rng(0)
    drawn = collections.Counter(grammar.generate("choice", rng) for _ in range(2000))
    assert 1700 < drawn["a"] < 1900
    assert grammar.generate("blank", rng) == "one two"
    assert {grammar.generate("nothing", rng) for _ in range(50)} == {"", "x"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  <b>\n", "<b>"),
        ("a = x\na = y\n", "twice"),
        ("  x\n", "before the first rule"),
        ("a:\n", "no alternatives"),
        ("no rule\n", "neither"),
    ],
)
def test_a_wrong_grammar_is_refused_by_name(text, message):
    with pytest.raises(GrammarError, match=message):
        Grammar([text])


def test_rules_without_end_are_refused():
    with pytest.raises(GrammarError, match="without end"):
        Grammar(["a:\n  x<a>\n"]).generate("a", np.random.default_rng(0))
