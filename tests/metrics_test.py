"""The figures of result.json against values worked out by hand."""

import pytest

from im2latex_jax import metrics


def test_right_formulas_score_full():
    formulas = [["a", "+", "b", "=", "c"], ["\\frac", "{", "1", "}", "{", "2", "}"]]
    figures = metrics.compare(formulas, formulas)
    assert figures.bleu == pytest.approx(100)
    assert figures.exact_match == 1
    assert figures.token_edit_distance == figures.char_edit_distance == 0
    assert figures.normalized_edit_distance == 0
    assert figures.num_examples == 2


def test_distances_are_means_over_formulas():
    truths = [["\\alpha", "+", "b"], ["x"]]
    predictions = [["\\beta", "+", "b", "b"], ["x"]]
    figures = metrics.compare(predictions, truths)
    assert figures.exact_match == 0.5
    assert figures.token_edit_distance == 1.0  # one replaced, one added, over two formulas
    # "\alpha + b" to "\beta + b b": alph -> bet is 4 edits, " b" is 2
    assert figures.char_edit_distance == 3.0
    assert figures.normalized_edit_distance == pytest.approx(2 / 4 / 2)


def test_bleu_is_the_geometric_mean_of_precisions_with_a_brevity_penalty():
    import math

    truth = ["a", "b", "c", "d", "e", "f"]
    figures = metrics.compare([truth[:5]], [truth])
    assert figures.bleu == pytest.approx(100 * math.exp(1 - 6 / 5))


def test_tokens_are_not_split_further():
    assert metrics.compare([["a.b,c", "\\,", "x", "y"]], [["a.b,c", "\\,", "x", "y"]]).bleu == (
        pytest.approx(100)
    )
    assert metrics.compare([["a,b", "c", "d", "e"]], [["a", ",", "b", "c", "d", "e"]]).bleu < 60


def test_lists_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="1 predictions for 2 formulas"):
        metrics.compare([["a"]], [["a"], ["b"]])
    with pytest.raises(ValueError, match="0 predictions"):
        metrics.compare([], [])
