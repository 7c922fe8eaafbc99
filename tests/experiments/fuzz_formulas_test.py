"""Hostile formulas, a short form of `experiments.tools.fuzz_formulas`."""

import shutil

import pytest

from experiments.tools import fuzz_formulas
from im2latex_jax.latex import safety

needs_tex = pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)


@needs_tex
def test_hostile_formulas_do_no_harm():
    outcome = fuzz_formulas.fuzz(count=150, seed=1, jobs=1, unguarded=8, tex_seconds=60)

    assert outcome.faults == []
    assert outcome.counts["TeX"] > 0


@needs_tex
def test_harm_is_found(monkeypatch):
    monkeypatch.setattr(fuzz_formulas, "formula", lambda number, seed: "x")

    def harmful(text):
        open("left behind", "w").close()
        raise KeyError(text)

    monkeypatch.setattr(fuzz_formulas, "_readers", lambda: {"harmful": harmful})
    monkeypatch.setattr(fuzz_formulas, "_unguarded", lambda given: iter([(b"", None)] * len(given)))
    faults = fuzz_formulas.fuzz(count=1, seed=0, jobs=1, tex_seconds=60).faults

    assert faults[0] == "0: harmful: KeyError('x')"
    assert faults[1].startswith("TeX: a good formula is drawn otherwise")
    assert faults[2].startswith("files were left or changed: [")


def test_formulas_of_all_kinds_come_again_with_their_number_and_seed():
    formulas = [fuzz_formulas.formula(number, seed=3) for number in range(300)]

    assert formulas == [fuzz_formulas.formula(number, seed=3) for number in range(300)]
    refused = sum(safety.refusal(formula) is not None for formula in formulas)
    assert 100 < refused < 295
    assert len(set(formulas)) > 200
