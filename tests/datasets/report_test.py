"""Figures and pictures of finished data sets, and what is said of unfinished and damaged ones."""

import collections
import pathlib
from typing import Any

import numpy as np
import pytest

from im2latex_jax import datasets, images
from im2latex_jax.cli import main as cli
from im2latex_jax.datasets import report
from im2latex_jax.evaluation import cases


def load(folder: pathlib.Path) -> dict:
    formulas = folder / "formulas.txt"
    if not formulas.exists():
        formulas.write_text("".join(f"x_{{{n}}} + \\frac{{{n}}}{{2}}\n" for n in range(40)))
    shares: dict[str, Any] = {"validation_share": 0.2, "test_share": 0.2}
    return datasets.load(
        "corpus", folder, files=str(formulas), engine="mathtext", num_workers=0, **shares
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> pathlib.Path:
    """A folder with one small data set."""
    folder = tmp_path_factory.mktemp("data")
    load(folder)
    return folder


@pytest.fixture
def copy(data, tmp_path) -> pathlib.Path:
    """A copy of the data set's folder that may be spoilt."""
    place = report.find(data)
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in place.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_finds_the_data_set_below_a_folder(data):
    place = report.find(data)
    assert (place / "dataset_info.json").is_file()
    assert report.find(place) == place == report.find(place.parent)


def test_a_split_is_what_a_model_is_measured_on(data):
    test = load(data)["test"]
    found = cases.from_split(data, "test", limit=3)
    assert [case.truth for case in found.cases] == [f.split() for f in test.formulas[:3]]
    assert [case.name for case in found.cases] == [test[number]["id"] for number in range(3)]
    assert len(cases.from_split(data, "test").cases) == len(test)
    with pytest.raises(report.ReportError, match="has no split 'final'"):
        cases.from_split(data, "final")


def test_measures_what_the_records_hold(data):
    measured = report.measure(data)
    splits = load(data)
    assert list(measured) == ["train", "validation", "test"]
    assert sum(map(len, measured.values())) == 40
    train = measured["train"]
    assert train.sizes[:, 0].tolist() == splits["train"].heights.tolist()
    assert train.sizes[:, 1].tolist() == splits["train"].widths.tolist()
    assert train.sizes[:, 2].tolist() == splits["train"].lengths.tolist()
    assert train.sizes[0, 3] == len(splits["train"][0]["image"])
    assert train.formulas == collections.Counter(splits["train"].formulas)
    assert train.tokens.total() == splits["train"].lengths.sum()


def test_prints_a_table(data):
    text = report.stats(data)
    rows = {line[:20].strip(): line[20:].split() for line in text.splitlines()}
    assert rows["formulas"] == [str(len(part)) for part in report.measure(data).values()]
    assert rows["formulas also in tra"][-2:] == ["0", "0"]
    widths = report.measure(data)["test"].sizes[:, 1]
    assert rows["width (pixels)"][-1] == str(widths.max())
    assert max(map(len, text.splitlines()[1:])) <= 110


def test_shows_examples_and_their_formulas(data, tmp_path):
    path = tmp_path / "page.png"
    assert report.show(data, path, count=100, split="validation") == len(load(data)["validation"])
    page = images.read(path)
    first = load(data)["validation"][0]
    picture = images.read(first["image"])
    top, left = 16, 16
    assert (page[top : top + picture.shape[0], left : left + picture.shape[1]] == picture).all()
    below = page[top + picture.shape[0] : top + picture.shape[0] + 20, left:400]
    assert below.min() < 160  # the formula is written there
    assert report.show(data, path, count=2) == 2


def test_the_commands_print_and_draw(data, tmp_path, capsys):
    assert cli.main(["dataset", "stats", str(data)]) == 0
    assert capsys.readouterr().out == report.stats(data)
    path = tmp_path / "page.png"
    arguments = ["--out", str(path), "--count", "2", "--split", "test"]
    assert cli.main(["dataset", "show", str(data), *arguments]) == 0
    assert "2 examples of test drawn" in capsys.readouterr().err
    assert images.read(path).shape[0] > 40
    assert cli.main(["dataset", "stats", str(tmp_path)]) == 1
    assert "holds no finished data set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "split", "message"),
    [(3, "dev", "no split 'dev': choose train or"), (0, "train", "show at least one")],
)
def test_wrong_requests_are_refused(data, tmp_path, count, split, message):
    with pytest.raises(report.ReportError, match=message):
        report.show(data, tmp_path / "page.png", count, split)
    with pytest.raises(report.ReportError, match=r"page\.png: cannot be written"):
        report.show(data, tmp_path / "missing" / "page.png")


def test_says_what_is_wrong_with_a_folder(tmp_path, data):
    with pytest.raises(report.ReportError, match="there is no such folder"):
        report.stats(tmp_path / "nowhere")
    with pytest.raises(report.ReportError, match="holds no finished data set"):
        report.stats(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dataset_info.json").write_text("{}")
    with pytest.raises(report.ReportError, match=r"holds 2 data sets \(a, b\)"):
        report.stats(tmp_path)
    with pytest.raises(report.ReportError, match=r"a: the data set is damaged"):
        report.stats(tmp_path / "a")


def test_half_written_records_are_reported_in_one_line(copy):
    (shard,) = copy.glob("*train*array_record*")
    content = shard.read_bytes()
    rng = np.random.default_rng(0)
    spoilt = bytearray(content)
    for place in rng.integers(100, len(content) - 100, 300):
        spoilt[place] ^= 0xFF
    for damaged in (content[: len(content) // 2], b"", bytes(spoilt)):
        shard.write_bytes(damaged)
        with pytest.raises(report.ReportError, match="damaged") as caught:
            report.stats(copy)
        assert "\n" not in str(caught.value)
    shard.unlink()
    with pytest.raises(report.ReportError, match="damaged"):
        report.stats(copy)
