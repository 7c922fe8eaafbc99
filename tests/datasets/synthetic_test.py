"""The embedded data set: its grammar, its builder, and how the records are read."""

import itertools
import os
import pathlib
import pickle
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest

from im2latex_jax import datasets
from im2latex_jax.datasets.records import Split
from im2latex_jax.datasets.synthetic import drawing, grammar
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.lexer import tokenize
from im2latex_jax.latex.normalizer import normalize
from im2latex_jax.runtime import workers

SIZES: dict[str, Any] = {"num_train": 30, "num_short": 6, "num_validation": 5, "num_test": 5}


@pytest.fixture(scope="module")
def formulas() -> list[list[str]]:
    return [grammar.generate(0, index) for index in range(2000)]


@pytest.fixture(scope="module")
def splits(tmp_path_factory) -> dict[str, Split]:
    return datasets.load("synthetic", tmp_path_factory.mktemp("data"), num_workers=0, **SIZES)


# The grammar.


def test_formulas_depend_on_seed_and_index_only(formulas):
    for index in (7, 3, 7):
        again = grammar.generate(0, index)
        assert again == formulas[index]
    assert sum(formulas[index] == grammar.generate(1, index) for index in range(50)) < 3


def test_formulas_are_in_normal_form(formulas):
    for tokens in formulas:
        line = " ".join(tokens)
        assert tokenize(line) == tokens
        assert normalize(line) == line


def test_lengths(formulas):
    lengths = [len(tokens) for tokens in formulas]
    assert min(lengths) >= grammar.MIN_TOKENS
    assert max(lengths) <= grammar.MAX_TOKENS
    assert 12 <= np.median(lengths) <= 17


def test_structure_is_varied_and_formulas_rarely_repeat(formulas):
    lines = [f" {' '.join(tokens)} " for tokens in formulas]
    assert len(set(lines)) > 0.98 * len(lines)
    assert 120 <= len({token for tokens in formulas for token in tokens}) <= 160
    for structure in (
        r"\frac", r"\sqrt", r"\sqrt [", r"\sum _ {", r"\int", r"\operatorname {", r"\hat {",
        r"\mathcal {", r"\mathbb {", r"\left(", r"\left[", r"\left|", r"\rightarrow", r"\leq",
        r"^ { \prime }", r"\alpha", r"\langle", r"\operatorname* { l i m } _", r"\ldots",
    ):  # fmt: skip
        assert sum(f" {structure} " in line for line in lines) >= 5, structure


def test_growing_brackets_stand_around_tall_contents_only(formulas):
    tall = {r"\frac", r"\sum", r"\prod", r"\int", r"\oint"}
    pairs = {"(": ")", "[": "]", r"\left(": r"\right)", r"\left[": r"\right]"}
    seen = 0
    for tokens in formulas:
        for start, opening in enumerate(tokens):
            if opening in pairs and tokens[start - 1] != r"\sqrt":
                depth = 0
                for end in range(start, len(tokens)):
                    depth += (tokens[end] == opening) - (tokens[end] == pairs[opening])
                    if depth == 0:
                        break
                inside_is_tall = not tall.isdisjoint(tokens[start:end])
                assert inside_is_tall == opening.startswith(r"\left"), " ".join(tokens)
                seen += 1
    assert seen > 100


# The builder.


def test_splits_have_their_sizes_and_share_no_formula(splits):
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 36,
        "validation": 5,
        "test": 5,
    }
    formulas = {name: split.formulas for name, split in splits.items()}
    long = [*formulas["test"], *formulas["validation"], *formulas["train"][:30]]
    assert len(set(long)) == 40
    short = formulas["train"][30:]
    assert not set(short) & set(long)
    assert max(len(formula.split()) for formula in short) <= grammar.MAX_SHORT_TOKENS


def test_short_formulas_hold_the_tokens_of_the_long_ones(formulas):
    short = {t for index in range(5000) for t in grammar.generate_short(0, index)}
    long = {token for tokens in formulas for token in tokens}
    assert long <= short


def test_a_repeated_formula_is_used_once(tmp_path, monkeypatch):
    # Only a dozen different formulas: the stream repeats itself soon.
    generate = grammar.generate
    monkeypatch.setattr(grammar, "generate", lambda seed, index: generate(seed, index % 12))
    few = datasets.load(
        "synthetic", tmp_path, num_workers=0,
        num_train=8, num_short=0, num_validation=2, num_test=2,
    )  # fmt: skip
    assert len({formula for split in few.values() for formula in split.formulas}) == 12


def test_records_hold_the_picture_and_its_figures(splits):
    split = splits["train"]
    ids = set()
    for index in range(len(split)):
        record = split[index]
        picture = cv2.imdecode(np.frombuffer(record["image"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture.dtype == np.uint8 and picture.ndim == 2
        assert picture.shape == (record["height"], record["width"])
        assert picture.shape == (split.heights[index], split.widths[index])
        assert picture.shape[0] <= 64 and picture.shape[1] <= 320
        assert len(record["formula"].split()) == split.lengths[index]
        ids.add(record["id"])
    assert len(ids) == len(split)
    assert split.heights.dtype == split.widths.dtype == split.lengths.dtype == np.int32
    assert split[-1] == split[len(split) - 1]
    with pytest.raises(IndexError):
        split[len(split)]


def test_a_split_can_be_sent_to_another_process(splits):
    copy = pickle.loads(pickle.dumps(splits["test"]))
    assert copy[2] == splits["test"][2]


def test_same_seed_gives_the_same_bytes_on_any_number_of_workers(splits, tmp_path):
    again = datasets.load("synthetic", tmp_path, num_workers=2, **SIZES)
    for name, split in splits.items():
        assert [split[i] for i in range(len(split))] == [again[name][i] for i in range(len(split))]
    for path in pathlib.Path(splits["train"].directory).glob("*.array_record*"):
        assert (pathlib.Path(again["train"].directory) / path.name).read_bytes() == (
            path.read_bytes()
        )


def test_another_seed_gives_other_formulas(splits, tmp_path):
    other = datasets.load("synthetic", tmp_path, num_workers=0, seed=1, **SIZES)
    assert not set(other["train"].formulas) & set(splits["train"].formulas)


def test_the_test_split_does_not_depend_on_the_size_of_the_others(splits, tmp_path):
    sizes = {**SIZES, "num_train": 3}
    other = datasets.load("synthetic", tmp_path, num_workers=0, **sizes)
    assert other["test"].formulas == splits["test"].formulas


def test_built_once_and_reused(splits, monkeypatch):
    monkeypatch.setattr(drawing, "draw_chunk", None)
    data_dir = pathlib.Path(splits["train"].directory).parents[2]
    again = datasets.load("synthetic", data_dir, num_workers=0, **SIZES)
    assert again["train"][0] == splits["train"][0]


def test_an_interrupted_build_is_not_taken_as_finished(tmp_path, monkeypatch):
    draw_chunk = drawing.draw_chunk

    def interrupted(seed, look, short, indices):
        if indices.start:
            raise KeyboardInterrupt
        return draw_chunk(seed, look, short, indices)

    sizes = {"num_train": 120, "num_short": 0, "num_validation": 5, "num_test": 5}
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "draw_chunk", interrupted)
        with pytest.raises(KeyboardInterrupt):
            datasets.load("synthetic", tmp_path, num_workers=0, **sizes)
    assert not list(tmp_path.rglob("dataset_info.json"))
    again = datasets.load("synthetic", tmp_path, num_workers=0, **sizes)
    assert len(again["train"]) == 120


def test_a_lost_index_is_made_again(splits):
    directory = pathlib.Path(splits["validation"].directory)
    expected = splits["validation"].lengths
    (directory / "statistics-validation.npz").unlink()
    np.testing.assert_array_equal(Split(directory, "validation").lengths, expected)
    assert (directory / "statistics-validation.npz").exists()
    assert not list(directory.glob("*.tmp"))


def test_limits_on_the_pictures_are_kept(tmp_path):
    small = datasets.load(
        "synthetic", tmp_path, num_workers=0, max_height=20, max_width=60, **SIZES
    )
    assert small["train"].heights.max() <= 20
    assert small["train"].widths.max() <= 60


@pytest.mark.parametrize(
    "name, settings, message",
    [
        ("nosuch", {}, "unknown data set 'nosuch': choose one of synthetic"),
        ("synthetic", {"num_trains": 5}, "has no setting num_trains"),
        ("synthetic", {"num_train": 0}, "at least one formula"),
        ("synthetic", {"fonts": ["comic"]}, "fonts must be some of cm"),
        ("synthetic", {"font_sizes": []}, "font_sizes is empty"),
    ],
)
def test_bad_settings_are_refused_in_one_line(tmp_path, name, settings, message):
    with pytest.raises(Im2latexError, match=message) as caught:
        datasets.load(name, tmp_path, **settings)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_of_the_folder_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Im2latexError, match="cannot build the data set there") as caught:
        datasets.load("synthetic", tmp_path / "file", num_workers=0, **SIZES)
    assert "\n" not in str(caught.value)


_QUIET_BUILD = """
import sys
from im2latex_jax import datasets
assert "tensorflow_datasets" not in sys.modules
split = datasets.load("synthetic", sys.argv[1], num_workers=0,
                      num_train=2, num_short=1, num_validation=1, num_test=1)["train"]
assert split[0]["image"].startswith(b"\\x89PNG") and len(split.lengths) == 3
assert "tensorflow" not in sys.modules
"""


def test_works_without_tensorflow_and_stays_quiet(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _QUIET_BUILD, tmp_path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Worker processes.


def test_ordered_map_keeps_the_order_and_takes_endless_input():
    results = workers.ordered_map(abs, itertools.count(-5), 2)
    assert [next(results) for _ in range(8)] == [5, 4, 3, 2, 1, 0, 1, 2]
    results.close()
    assert list(workers.ordered_map(abs, range(-20, 0), 2)) == list(range(20, 0, -1))
    assert list(workers.ordered_map(abs, [-3], 0)) == [3]


def test_an_error_in_a_worker_arrives():
    with pytest.raises(ValueError, match="invalid literal"):
        list(workers.ordered_map(int, ["1", "x"], 1))


def test_a_killed_worker_is_reported():
    with pytest.raises(workers.WorkerKilledError, match="worker process was killed"):
        list(workers.ordered_map(os._exit, [3], 1))


@pytest.mark.parametrize("limits", [{"max_width": 3}, {"max_width": 14, "num_train": 500}])
def test_limits_that_too_few_formulas_fit_are_told(limits, tmp_path, monkeypatch):
    from im2latex_jax.datasets.synthetic import builder

    monkeypatch.setattr(builder, "_PATIENCE", 200)
    settings = {"num_train": 2, "num_validation": 1, "num_test": 1, "num_short": 0, **limits}
    with pytest.raises(Im2latexError, match="raise max_width and max_height, or ask for fewer"):
        datasets.load("synthetic", tmp_path, num_workers=0, **settings)


def test_names_tell_what_made_them(monkeypatch):
    from im2latex_jax.datasets import makers
    from im2latex_jax.datasets.synthetic.builder import SyntheticConfig

    name, version = SyntheticConfig().name, makers.version
    assert SyntheticConfig().name == name
    for package in ("im2latex_jax", "matplotlib"):

        def after_upgrade(of: str = "im2latex_jax", package: str = package) -> str:
            return "new" if of == package else version(of)

        with monkeypatch.context() as patch:
            patch.setattr(makers, "version", after_upgrade)
            assert SyntheticConfig().name != name
    assert makers.version("matplotlib") and makers.version("no-such-package") == ""


def test_a_negative_seed_is_told():
    from im2latex_jax.datasets.synthetic.builder import SyntheticConfig

    with pytest.raises(Im2latexError, match="seed"):
        SyntheticConfig(seed=-1)
