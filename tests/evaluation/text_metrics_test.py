"""The figures of result.json against values worked out by hand."""

import numpy as np
import pytest

from im2latex_jax.evaluation import text_metrics


def test_right_formulas_score_full():
    formulas = [["a", "+", "b", "=", "c"], ["\\frac", "{", "1", "}", "{", "2", "}"]]
    figures = text_metrics.compare(formulas, formulas)
    assert figures.bleu == pytest.approx(100)
    assert figures.exact_match == 1
    assert figures.token_edit_distance == figures.char_edit_distance == 0
    assert figures.normalized_edit_distance == 0
    assert figures.num_examples == 2


def test_distances_are_means_over_formulas():
    truths = [["\\alpha", "+", "b"], ["x"]]
    predictions = [["\\beta", "+", "b", "b"], ["x"]]
    figures = text_metrics.compare(predictions, truths)
    assert figures.exact_match == 0.5
    assert figures.token_edit_distance == 1.0  # one replaced, one added, over two formulas
    # "\alpha + b" to "\beta + b b": alph -> bet is 4 edits, " b" is 2
    assert figures.char_edit_distance == 3.0
    assert figures.normalized_edit_distance == pytest.approx(2 / 4 / 2)


def test_bleu_is_the_geometric_mean_of_precisions_with_a_brevity_penalty():
    import math

    truth = ["a", "b", "c", "d", "e", "f"]
    figures = text_metrics.compare([truth[:5]], [truth])
    assert figures.bleu == pytest.approx(100 * math.exp(1 - 6 / 5))


def test_tokens_are_not_split_further():
    assert text_metrics.compare(
        [["a.b,c", "\\,", "x", "y"]], [["a.b,c", "\\,", "x", "y"]]
    ).bleu == (pytest.approx(100))
    assert (
        text_metrics.compare([["a,b", "c", "d", "e"]], [["a", ",", "b", "c", "d", "e"]]).bleu < 60
    )


def test_lists_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="1 predictions for 2 formulas"):
        text_metrics.compare([["a"]], [["a"], ["b"]])
    with pytest.raises(ValueError, match="0 predictions"):
        text_metrics.compare([], [])


def test_figures_of_a_part_come_from_its_rows():
    truths = [["a", "b", "c", "d", "e"], ["x", "y"], ["\\alpha", "+", "b", "=", "c"]]
    predictions = [["a", "b", "c", "d"], ["x", "y"], []]
    values = text_metrics.rows(predictions, truths)
    assert values.shape[0] == 3
    assert text_metrics.from_sums(values.sum(axis=0), 3) == text_metrics.compare(
        predictions, truths
    )
    part = text_metrics.from_sums(values[:2].sum(axis=0), 2)
    assert part == text_metrics.compare(predictions[:2], truths[:2])


def test_bleu_is_sacrebleus():
    import sacrebleu

    rng = np.random.default_rng(0)
    truths = [[*rng.choice(list("abcdef"), size)] for size in (3, 12, 30)]
    predictions = [[*t[:2], *rng.choice(list("abcdef"), 5), *t[4:]] for t in truths]
    expected = sacrebleu.corpus_bleu(
        [" ".join(p) for p in predictions], [[" ".join(t) for t in truths]], tokenize="none"
    )
    assert text_metrics.compare(predictions, truths).bleu == pytest.approx(expected.score)


def test_confusions_are_counted_by_kind():
    truths = [["a", "+", "b"], ["a", "+", "b"], ["x", "y"]]
    predictions = [["a", "-", "b"], ["a", "-", "b", "c"], ["x"]]
    found = text_metrics.confusions(predictions, truths)
    assert found[0] == text_metrics.Confusion("+", "-", 2)
    assert set(found[1:]) == {
        text_metrics.Confusion("", "c", 1),
        text_metrics.Confusion("y", "", 1),
    }
    assert text_metrics.confusions(predictions, truths, limit=1) == found[:1]
