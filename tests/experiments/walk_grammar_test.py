"""Random walks by the rules of decoding, a short form of `experiments.tools.walk_grammar`."""

import json
import shutil

import pytest

from experiments.tools import walk_grammar
from im2latex_jax.latex.tidy import tidy
from im2latex_jax.latex.vocabulary import Vocabulary
from im2latex_jax.model import saved_model

needs_tex = pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)


@pytest.fixture(scope="module")
def written():
    vocabulary = Vocabulary.load(saved_model.packaged() / "vocabulary.json")
    return walk_grammar.formulas(vocabulary, count=150, length=40, seed=7)


@needs_tex
def test_what_the_rules_allow_compiles_over_the_vocabulary_of_the_package(written):
    assert len(set(written)) > 140
    assert all(any(word in text for text in written) for word in (r"\begin", r"\hspace", r"\sqrt["))
    assert walk_grammar.refused_by_tex(written) == {}


@needs_tex
def test_and_so_does_its_clean_form(written):
    assert walk_grammar.refused_by_tex([tidy(formula) for formula in written]) == {}


@needs_tex
def test_what_tex_refuses_is_told_and_what_is_blank_is_not():
    assert walk_grammar.refused_by_tex(["x", r"\quad", "x^2^3"]) == {"x^2^3": "Double superscript"}


def test_the_browsers_answers_go_to_their_formulas(tmp_path, monkeypatch):
    answers = [{"KaTeX": None, "MathJax": "no"}, {"KaTeX": "never", "MathJax": None}]
    node = tmp_path / "node"
    lines = "".join(f"echo '{json.dumps(answer)}'\n" for answer in answers)
    node.write_text(f"#!/bin/sh\ncat > /dev/null\n{lines}")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    found = walk_grammar.refused_in_browsers(["x", "y"], tmp_path)

    assert found == {"KaTeX": {"y": "never"}, "MathJax": {"x": "no"}}
