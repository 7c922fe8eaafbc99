import json

import pytest

from experiments.reports import everyday
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation import mathematics
from im2latex_jax.recognizer import Recognition


class Parrot:
    """Reads an "image" that is its formula's text, and misreads fractions."""

    def stream(self, pictures):
        for picture in pictures:
            text = picture.decode() if isinstance(picture, bytes) else picture.stem
            yield Recognition(normal_form=text.replace("frac", "binom"), confidence=0.5)


def test_every_formula_of_the_list_has_a_topic_and_a_meaning():
    formulas = everyday.read_formulas()
    assert len(formulas) >= 200
    assert len({formula for _, formula in formulas}) == len(formulas)
    assert all(mathematics.meaning(formula) is not None for _, formula in formulas)
    assert len({topic for topic, _ in formulas}) >= 15


def test_looks_and_cases_are_counted_apart(tmp_path):
    (tmp_path / "truth.json").write_text(json.dumps({"a/x.png": "x", "b/y.png": "z"}))

    def drawn(formulas):
        return ((formula.encode(), None) for formula in formulas)

    def missing(formulas):
        raise Im2latexError("no browser")

    def partly(formulas):
        return ((None, "broken") if n else (b"q", None) for n, _ in enumerate(formulas))

    looks = {"all": drawn, "none": missing, "one": partly}
    answers, skipped = everyday.measure(Parrot(), looks, tmp_path)
    formulas = [formula for _, formula in everyday.read_formulas()]
    right = sum("frac" not in formula for formula in formulas)
    assert sum(answer.right for answer in answers["all"]) == right
    assert [answer.right for answer in answers["cases"]] == [True, False]
    assert len(answers["one"]) == 1 and "none" not in answers
    assert skipped["none"] == "no browser"
    table = list(everyday.figures(answers))
    assert f"| all | {len(formulas)} | {right / len(formulas):.3f} " in "\n".join(table)
    assert "| cases: b | 1 | 0.000 | 0.000 to 0.000 |" in table
    misread = "\n".join(everyday.wrong(answers))
    assert misread.count("read as") == len(formulas) - right + 2


def test_missing_cases_are_told(tmp_path):
    with pytest.raises(Im2latexError, match=r"truth\.json: cannot be read"):
        everyday.read_cases(tmp_path)


def test_six_looks():
    assert len(everyday.looks(None, None)) == 6
