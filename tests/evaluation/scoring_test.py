"""The figures of answers worked out by hand."""

import json

import pytest

from im2latex_jax.evaluation import image_metrics, scoring
from im2latex_jax.evaluation.cases import Case, normal_tokens
from im2latex_jax.recognizer import Recognition
from im2latex_jax.rendering import mathtext
from im2latex_jax.rendering.tex.render import Rendered

TRUTHS = ["x + y", "y _ { 1 }", r"\bf x", "z ^ { 2 }"]
ANSWERS = [("x + y", 0.9), ("y_1", 0.8), (r"\mathbf{x}", 0.3), ("z ^ { 3 }", 0.2)]


def _scores(pictures: bool = False) -> scoring.Scores:
    cases = [Case(str(n), b"", normal_tokens(truth)) for n, truth in enumerate(TRUTHS)]
    answers = [Recognition(normal_form=latex, confidence=sure) for latex, sure in ANSWERS]
    return scoring.score(cases, answers, pictures=pictures, jobs=1)


def test_answers_are_compared_in_both_forms():
    scores = _scores()
    assert [e.exact for e in scores.examples] == [True, True, False, False]
    assert [e.canonical for e in scores.examples] == [True, True, True, False]
    figures = scores.figures
    assert figures["exact_match"] == 0.5 and figures["num_examples"] == 4
    assert figures["canonical"]["exact_match"] == figures["canonical_exact_match"] == 0.75
    assert figures["canonical"]["token_edit_distance"] == 0.25
    assert figures["pictures"] is None and "pictures" not in figures["intervals"]
    assert figures["confusions"] == [{"truth": "2", "prediction": "3", "count": 1}]
    assert figures["calibration_error"] == pytest.approx((0.1 + 0.2 + 0.3 + 0.2) / 4)


def test_intervals_hold_their_figure():
    figures = _scores().figures
    for part, intervals in (
        (figures, figures["intervals"]),
        (figures["canonical"], figures["intervals"]["canonical"]),
    ):
        for name in ("bleu", "exact_match", "token_edit_distance", "normalized_edit_distance"):
            low, high = intervals[name]
            assert low <= part[name] <= high and low < high


def test_bins_of_length_hold_every_formula_once():
    bins = scoring.length_bins([1, 20, 21, 500])
    assert [(low, high, chosen.tolist()) for low, high, chosen in bins] == [
        (1, 20, [True, True, False, False]),
        (21, 40, [False, False, True, False]),
        (131, 500, [False, False, False, True]),
    ]
    [part] = _scores().figures["by_length"]
    assert (part["min_length"], part["max_length"], part["num_examples"]) == (1, 20, 4)


def test_what_cannot_be_parsed_keeps_its_tokens():
    assert scoring.canonical_tokens(["{", "x"]) == ["{", "x"]
    one_half = scoring.canonical_tokens([r"\frac", "1", "2"])
    assert one_half == scoring.canonical_tokens([r"\frac", *"{1}{2}"])


def test_pictures_decide_what_looks_the_same(monkeypatch):
    def draw(formulas, jobs):
        assert jobs == 1
        return {
            f: Rendered(0, None, "no") if "3" in f else Rendered(0, mathtext.render("x"), None)
            for f in formulas
        }

    monkeypatch.setattr(image_metrics, "draw", draw)
    scores = _scores(pictures=True)
    figures = scores.figures["pictures"]
    assert figures["exact_match"] == figures["near_match"] == figures["compile_rate"] == 0.75
    assert figures["edit_distance_score"] == 0.75 and figures["num_examples"] == 4
    assert scores.figures["intervals"]["pictures"]["compile_rate"][0] < 0.75
    assert scores.examples[3].drawn.reason == "no"


def test_figures_are_json_and_a_table():
    figures = _scores().figures
    assert json.loads(json.dumps(figures)) == figures
    table = scoring.table(figures)
    assert "exact_match               0.5000 (" in table
    assert "calibration_error         0.2000" in table
    assert "1 to 20" in table and "same_picture" not in table.split("length")[0]


def test_a_truth_without_tokens_is_no_picture(monkeypatch):
    monkeypatch.setattr(image_metrics, "draw", lambda formulas, jobs: {})
    case, answer = Case("a", b"", []), Recognition()
    figures = scoring.score([case], [answer]).figures
    assert figures["exact_match"] == 1 and figures["pictures"]["num_examples"] == 0


def test_nothing_read_is_wrong_and_counts():
    case = Case("a", b"", ["x"])
    figures = scoring.score([case], [Recognition(error="broken")], pictures=False).figures
    assert figures["num_unreadable"] == 1 and figures["exact_match"] == 0
    assert figures["normalized_edit_distance"] == 1
