import functools
import itertools

import jax
import numpy as np
import pytest

from im2latex_jax.decoding import grammar
from im2latex_jax.decoding import search as decoding
from im2latex_jax.latex.vocabulary import BOS, EOS, PAD
from tests.support import tiny_model

LENGTH = 40
# Compiling takes longer than anything that is compiled here: half as long without optimization.
FAST = {"xla_backend_optimization_level": "0"}


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    sizes = np.asarray([[30, 60], [16, 40], [32, 24], [20, 64]], np.int32)
    images = np.zeros((4, 32, 64, 1), np.uint8)
    for row, (height, width) in enumerate(sizes):
        images[row, :height, :width, 0] = 255 * (rng.random((height, width)) < 0.2)
    return images, sizes


MODEL = tiny_model.build()
RULES = grammar.build(MODEL.vocabulary)
BUDGETS = np.full(4, LENGTH, np.int32)


@functools.cache
def _program(search, network=MODEL.network, **settings):
    """Compiled once for all tests that need it; parameters and budgets are arguments."""
    return jax.jit(
        lambda params, images, sizes, budgets, **more: search(
            network, params, images, sizes, LENGTH, budgets=budgets, **settings, **more
        ),
        compiler_options=FAST,
    )


@functools.cache
def _follow(network):
    return jax.jit(lambda *arguments: decoding.follow(network, *arguments), compiler_options=FAST)


def _params(seed: int, eos: float = 0.0):
    """Random parameters; `eos` is added to the logit of <eos>."""
    params = tiny_model.build(seed).params
    params["decoder"]["output_logits"]["bias"][EOS] += eos
    return params


@pytest.mark.parametrize("rules", [None, RULES])
def test_a_beam_of_one_is_greedy(batch, rules):
    lengths = set()
    for seed in range(4):
        params = _params(seed, eos=2.0)
        tokens, log_probs = _program(decoding.greedy, syntax=rules)(params, *batch, BUDGETS)
        found = _program(decoding.beam, beam_size=1, syntax=rules)(params, *batch, BUDGETS)
        np.testing.assert_array_equal(found.tokens[:, 0], tokens)
        np.testing.assert_allclose(found.log_probs[:, 0], log_probs, atol=1e-5)
        lengths |= set((np.asarray(tokens) != PAD).sum(axis=1).tolist())
    assert len(lengths) > 2


def test_a_wide_beam_finds_what_brute_force_finds(batch):
    letters, length = 3, 4
    model = tiny_model.build(4, tokens=("x", "y", "z"))
    every = [
        (*(4 + np.asarray(word, int)), *end, *[PAD] * (length - count - len(end)))
        for count in range(length + 1)
        for word in itertools.product(range(letters), repeat=count)
        for end in ([[EOS]] if count < length else [[]])
    ]
    tokens = np.asarray(every, np.int32)
    images, sizes = (np.repeat(x[:1], len(tokens), axis=0) for x in batch)
    log_probs, _ = _follow(model.network)(model.params, images, sizes, tokens)
    log_probs = np.asarray(log_probs).sum(axis=1)
    np.testing.assert_allclose(np.exp(log_probs).sum(), 1, atol=1e-4)

    search = _program(decoding.beam, network=model.network, beam_size=len(tokens))
    budget = np.asarray([length], np.int32)
    best = set()
    for alpha in (0.0, 0.6, 3.0):
        scores = log_probs / decoding.length_penalty((tokens != PAD).sum(axis=1), alpha)
        first = int(np.argmax(scores))
        found = search(model.params, *(x[:1] for x in batch), budget, alpha=alpha)
        np.testing.assert_array_equal(found.tokens[0, 0, :length], tokens[first])
        np.testing.assert_allclose(found.scores[0, 0], scores[first], atol=1e-4)
        best.add(first)
    assert len(best) > 1


def test_log_probabilities_are_those_of_teacher_forcing(batch):
    params = _params(1)
    search = _program(decoding.beam, beam_size=3, syntax=RULES)
    found = jax.device_get(search(params, *batch, BUDGETS, alpha=0.5))
    tokens = found.tokens[:, 0]
    inputs = np.concatenate([np.full((4, 1), BOS), tokens[:, :-1]], axis=1)
    logits, *_ = jax.jit(MODEL.network.apply, compiler_options=FAST)(
        {"params": params}, *batch, inputs
    )
    log_p = jax.nn.log_softmax(decoding.forbid(logits))
    chosen = np.take_along_axis(np.asarray(log_p), tokens[..., None], axis=-1)[..., 0]
    expected = np.where(tokens == PAD, 0, chosen)
    np.testing.assert_allclose(found.log_probs[:, 0], expected, atol=1e-4)
    followed, weights = _follow(MODEL.network)(params, *batch, tokens)
    np.testing.assert_allclose(followed, expected, atol=1e-4)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    penalty = decoding.length_penalty((found.tokens != PAD).sum(axis=-1), 0.5)
    scores = found.log_probs.sum(axis=-1) / np.asarray(penalty)
    real = np.isfinite(found.scores)
    assert real[:, 0].all()
    np.testing.assert_allclose(found.scores[real], scores[real], atol=1e-4)
    assert (found.scores[:, :-1] >= found.scores[:, 1:]).all()


@pytest.mark.parametrize("beam_size", [None, 3])
def test_budgets_bind_each_row_and_fillers_write_nothing(batch, beam_size):
    params = _params(0, eos=-1e4)
    budgets = np.asarray([7, 0, 20, 1], np.int32)
    if beam_size is None:
        tokens, _ = _program(decoding.greedy, syntax=None)(params, *batch, budgets)
        lengths = budgets
    else:
        search = _program(decoding.beam, beam_size=3, syntax=RULES)
        tokens = search(params, *batch, budgets, alpha=0.5).tokens[:, 0]
        lengths = np.asarray([7, 0, 20, 1])
        # with a syntax a formula is closed within its budget, however little <eos> is liked
        assert [row[n - 1] for row, n in zip(tokens, lengths, strict=True) if n] == [EOS] * 3
    np.testing.assert_array_equal((np.asarray(tokens) != PAD).sum(axis=1), lengths)


def test_loops_are_cut(batch):
    params = jax.tree.map(np.zeros_like, _params(0))
    params["decoder"]["output_logits"]["bias"][4] = 9
    tokens, _ = _program(decoding.greedy, syntax=None)(params, *batch, BUDGETS)
    np.testing.assert_array_equal((np.asarray(tokens) == 4).sum(axis=1), decoding.LOOP + 2)


def test_repeats_are_counted_for_each_period():
    advance = jax.jit(decoding._Repeats.advance)

    def cut_at(text: str) -> int | None:
        repeats = decoding._Repeats.start(1)
        for number, letter in enumerate(text, start=1):
            repeats = advance(repeats, np.asarray([ord(letter)], np.int32))
            if repeats.looping()[0]:
                return number
        return None

    assert cut_at("ab" * 40) == 2 + decoding.LOOP + 2
    assert cut_at("abcde" * 20) == 5 + decoding.LOOP + 5
    assert cut_at("ab" * 12 + "c") is None
    assert cut_at("".join(chr(200 + i) for i in range(17)) * 6) is None
