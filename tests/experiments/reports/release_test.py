import json
import shutil

import numpy as np
import pytest

from experiments.reports import release
from experiments.reports.release import Plan
from im2latex_jax import images
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation.cases import Case, EvaluationSet, draw, normal_tokens
from im2latex_jax.latex.normalizer import normalize
from im2latex_jax.recognizer import Recognition
from im2latex_jax.rendering.styles import RenderStyle

needs_tex = pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)


class Stub:
    """Reads x in every picture."""

    def stream(self, pictures):
        ink = np.full((8, 8), 255, np.uint8)
        return (Recognition(normal_form="x", confidence=0.5, ink=ink) for _ in pictures)


def test_there_are_fifty_textbook_formulas():
    names, formulas = zip(*release.read_textbook(), strict=True)
    assert len(set(names)) == len(set(map(normalize, formulas))) == 50
    drawn = list(release.draw_mathtext(formulas, "dejavuserif"))
    missing = [formula for formula, (png, _) in zip(formulas, drawn, strict=True) if png is None]
    assert len(missing) == 3 and all(r"\begin" in formula for formula in missing)


def test_the_plan_has_the_sets_that_the_release_promises(tmp_path):
    plans = [
        *release.plans(tmp_path, 1000, 200),
        *release.textbook_plans({"katex": None, "mathjax": None}),
    ]
    names = [plan.name for plan in plans]
    assert len(set(names)) == len(names) == 5 + 10 + 5 + 6
    assert names[0] == "validation, plain"
    for plan in plans:
        if "mathtext" not in plan.name:
            with pytest.raises(Im2latexError):
                plan.build()


@needs_tex
def test_formulas_are_drawn_in_their_style(tmp_path):
    path = tmp_path / "formulas.txt"
    path.write_text("x + y\n\\nonsense\nx\nnever\n")
    plain, large = (release.drawn_in_style(path, 3, RenderStyle(dpi=dpi)) for dpi in (100, 300))
    assert [case.truth for case in plain.cases] == [["x", "+", "y"], ["x"]]
    assert plain.left_out[0].startswith(f"{path}:2: ")
    sizes = [images.read(found.cases[0].picture).shape[1] for found in (plain, large)]
    assert sizes[1] > 2.5 * sizes[0]


def test_original_pages_have_their_formulas(shared_data):
    found = release.original_pages(shared_data / "im2latex-100k-sample", "test")
    assert len(found.cases) + len(found.left_out) == 50 and len(found.left_out) <= 1
    raw = (shared_data / "im2latex-100k-sample" / "im2latex_formulas.lst").read_bytes()
    formulas = raw.decode("latin-1").split("\n")
    first = (shared_data / "im2latex-100k-sample" / "im2latex_test.lst").read_text().split()
    assert found.cases[0].truth == normal_tokens(formulas[int(first[0])])
    assert found.cases[0].picture.is_file() and first[1] in found.cases[0].name


@needs_tex
def test_the_formulas_of_a_set_are_drawn_again():
    blank = np.full((8, 8), 255, np.uint8)
    found = EvaluationSet([Case("a", blank, ["x", "+", "y"]), Case("b", blank, ["\\nonsense"])])
    again = release.redrawn(found)
    assert [(case.name, case.truth) for case in again.cases] == [("a", ["x", "+", "y"])]
    assert images.read(again.cases[0].picture).max() > 0
    assert again.left_out[0].startswith("b: ")


def test_all_sets_stand_in_one_report(tmp_path, monkeypatch, capsys):
    def missing():
        raise Im2latexError("not <here>")

    monkeypatch.setattr(release, "can_draw", lambda: False)
    plans = [
        Plan("first", "drawn", lambda: draw(["a", "b"], ["x", "y"], engine="mathtext", jobs=1)),
        Plan("gone", "", missing),
        Plan("second", "why", lambda: draw(["c"], ["x + y"], engine="mathtext", jobs=1)),
    ]
    out = tmp_path / "out"
    release.measure(plans, Stub(), out, "a model")
    report = json.loads((out / "report.json").read_text())
    assert {name: part["num_examples"] for name, part in report["sets"].items()} == {
        "first": 2,
        "second": 1,
    }
    assert report["sets"]["first"]["exact_match"] == 0.5
    assert report["skipped"] == {"gone": "not <here>"}
    page = (out / "index.html").read_text()
    assert "not &lt;here&gt;" in page and 'data-section="second"' in page and "a model" in page
    assert images.read(out / "failures.png").shape[1] > 500
    rows = (out / "figures.md").read_text().splitlines()
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| first", "| second"]
    assert rows[2].split(" | ")[3].startswith("0.500 (0.000 to 1.000)")
    captured = capsys.readouterr()
    assert captured.out.startswith("first ") and captured.err == "gone: left out: not <here>\n"
    with pytest.raises(Im2latexError, match="none of the sets"):
        release.measure(plans[1:2], Stub(), out, "")
