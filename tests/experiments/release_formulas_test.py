import argparse
import json
import lzma

import pytest

from experiments.tools import release_formulas
from experiments.tools.release_formulas import HELD_OUT, gather
from im2latex_jax.latex.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    data = tmp_path_factory.mktemp("shared") / "data"
    official = [f"x _ {{ {' '.join(str(number))} }}" for number in range(HELD_OUT + 3)]
    (data / "im2latex-100k").mkdir(parents=True)
    (data / "im2latex-100k" / "val.formulas.norm.txt").write_text("\n".join(official) + "\n")
    (data / "not_to_train_on.txt").write_text("p = q + r\n")
    (data.parent / "cases").mkdir()
    truths = {"a.png": "y", "b.png": r"\frac{a+b}{c} = d"}
    (data.parent / "cases" / "truth.json").write_text(json.dumps(truths))
    rows = [f"{number}\tdisplay\tz + {number} = \\mathcal{{Z}}" for number in range(80)]
    rows += [
        "7\tdisplay\tp=q+r",
        "7\tinline\ty",
        "8\tinline\t\\frac{a+b}{c}=d",
        "8\tinline\tx_{12}",
        "9\tinline\t\\mathfrak{q}",
        "9\tinline\tz+7={\\cal Z}",
    ]
    for name, content in (("arxiv_formulas", rows), ("more_formulas", ["s\tschool\tk \\div h"])):
        with lzma.open(data / f"{name}.tsv.xz", "wt", encoding="utf-8") as lines:
            lines.write("\n".join(content) + "\n")
    out = data.parent / "out"
    settings = argparse.Namespace(
        data=data, out=out, num_everyday=400, max_repeats=2, max_tokens=60, min_count=3,
        num_workers=0,
    )  # fmt: skip
    return gather(settings), out


def rows(out, name):
    return [line.split("\t") for line in (out / f"{name}.tsv").read_text("utf-8").splitlines()]


def papers(out):
    parts = range(release_formulas.NUM_PAPERS)
    return [row for part in parts for row in rows(out, f"papers-{part}")]


def test_held_out_formulas_come_into_no_list(gathered):
    counts, out = gathered
    assert [row[2] for row in rows(out, "official")] == [
        "x _ { 1 0 0 0 }", "x _ { 1 0 0 1 }", "x _ { 1 0 0 2 }",
    ]  # fmt: skip
    formulas = {row[2] for row in papers(out)}
    assert not formulas & {"p = q + r", r"\frac { a + b } { c } = d", "x _ { 1 2 }"}
    held_out = (out / "held_out.txt").read_text("utf-8").splitlines()
    assert len(held_out) == counts["held out"] and "p = q + r" in held_out


def test_every_formula_is_respelled_and_stands_once(gathered):
    _, out = gathered
    formulas = [row[2] for row in papers(out)]
    assert len(set(formulas)) == len(formulas)
    assert "z + 7 = { \\cal Z }" in formulas
    assert len({row[0] for row in papers(out) if row[1] == "display"}) > 60  # groups are kept


def test_everyday_formulas_are_repeated_a_little(gathered):
    counts, out = gathered
    formulas = [row[2] for row in rows(out, "everyday-0")]
    assert counts["everyday-0: everyday"] == len(formulas) > 250
    assert max(map(formulas.count, formulas)) == 2
    assert {row[0] for row in rows(out, "everyday-0")} == {""}
    assert not {row[2] for row in papers(out)} & set(formulas)


def test_the_vocabulary_holds_all_tokens_and_no_rare_ones(gathered):
    _, out = gathered
    tokens = set(Vocabulary.load(out / "vocabulary.json").tokens)
    for name in ("everyday-0", "everyday-1", *(f"papers-{n}" for n in range(4))):
        for row in rows(out, name):
            assert set(row[2].split(" ")) <= tokens
    assert "\\cal" in tokens


def test_the_lists_of_the_reports_are_held_out(gathered):
    _, out = gathered
    held_out = (out / "held_out.txt").read_text("utf-8").splitlines()
    listed = (release_formulas._FOLDER / "everyday_formulas.tsv").read_text("utf-8").splitlines()
    assert len(listed) >= 200
    assert {line.split("\t")[1] for line in listed} <= set(held_out)
