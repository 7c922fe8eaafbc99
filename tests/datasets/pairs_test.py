"""Files of pictures and formulas, and the data set made of them."""

import pathlib

import cv2
import numpy as np
import pytest
from PIL import Image

from im2latex_jax import datasets, images
from im2latex_jax.datasets.pairs import pair_files
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.canonical import canonicalize
from im2latex_jax.rendering import mathtext

FORMULAS = ["x+1", r"\frac{1}{2}", "a_1^2", "y=2", r"\alpha\beta", r"\sqrt{n}", "2x", "z"]
NORMAL = [
    *("x + 1", r"\frac { 1 } { 2 }", "a _ { 1 } ^ { 2 }", "y = 2"),
    *(r"\alpha \beta", r"\sqrt { n }", "2 x", "z"),
]


@pytest.fixture
def file(tmp_path) -> pathlib.Path:
    """Eight pairs, drawn at 150 dpi; a formula's picture is named by its number."""
    lines = []
    for number, formula in enumerate(FORMULAS):
        picture = mathtext.draw(formula, font_size=12, dpi=150)
        Image.fromarray(np.pad(picture, 20, constant_values=255)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png\t{formula}\n")
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(lines))
    return path


def load(file: pathlib.Path, **settings):
    return datasets.load("pairs", file.parent / "data", file=str(file), num_workers=0, **settings)


def test_reads_lines_with_paths_beside_the_file(tmp_path):
    path = tmp_path / "some.tsv"
    path.write_text("a/b.png\tx + 1\n\n  \n/c.png\ty\tz\n", encoding="utf-8")
    assert pair_files.read(path) == [
        pair_files.Pair(1, "a/b.png", tmp_path / "a/b.png", "x + 1"),
        pair_files.Pair(4, "/c.png", pathlib.Path("/c.png"), "y\tz"),
    ]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a.png\tx\nb.png x\n", r"p\.tsv:2: is not 'image path<TAB>formula'"),
        (b"\tx\n", r"p\.tsv:1: is not"),
        (b"\n", r"p\.tsv: is empty"),
        (b"a.png\t\xff\n", r"p\.tsv: is not UTF-8"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path, content, message):
    (tmp_path / "p.tsv").write_bytes(content)
    with pytest.raises(pair_files.PairsError, match=message):
        pair_files.read(tmp_path / "p.tsv")


def test_every_pair_is_in_one_split(file):
    splits = load(file)
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 6,
        "validation": 1,
        "test": 1,
    }
    formulas = [formula for split in splits.values() for formula in split.formulas]
    assert sorted(formulas) == sorted(NORMAL)


def test_another_seed_deals_other_splits(file):
    tests = {load(file, seed=seed, test_share=0.25)["test"].formulas[0] for seed in range(6)}
    assert len(tests) > 1


def test_pictures_of_one_formula_stay_together(file):
    with file.open("a") as lines:
        for number, formula in enumerate(FORMULAS):
            lines.write(f"{(number + 1) % 8}.png\t {formula} \n")
    splits = load(file, test_share=0.3, validation_share=0.3)
    seen = [set(split.formulas) for split in splits.values()]
    assert sum(map(len, splits.values())) == 16
    assert sum(map(len, seen)) == 8
    assert len(set.union(*seen)) == 8


def test_spellings_of_one_formula_stay_together(file):
    """Each formula once more, as `{\\bf x}` and `\\mathbf{x}` are one picture in two spellings."""
    number = len(FORMULAS)
    with file.open("a") as lines:
        for n in range(24):
            lines.write(f"{n % number}.png\tb_{{{n}}}^{{2}}\n")
            lines.write(f"{n % number}.png\tb^{{2}}_{{{n}}}\\,\n" if n % 2 else "")
            lines.write(f"{n % number}.png\t{{b_{{{n}}}^{{2}}}}\n")
    splits = load(file, test_share=0.3, validation_share=0.3)
    spellings = {formula for split in splits.values() for formula in split.formulas}
    forms = [{canonicalize(formula) for formula in split.formulas} for split in splits.values()]
    assert len(spellings) > sum(map(len, forms))  # there are formulas in two spellings
    assert sum(map(len, forms)) == len(set.union(*forms))


def test_pictures_are_those_that_recognition_sees(file):
    split = load(file)["train"]
    record = split[0]
    picture = cv2.imdecode(np.frombuffer(record["image"], np.uint8), cv2.IMREAD_UNCHANGED)
    source = file.parent / record["id"].split()[1]
    np.testing.assert_array_equal(255 - picture, images.prepare(source, margin=0, rescale=True))
    assert picture.shape == (record["height"], record["width"])


def test_bad_pairs_are_listed(file, caplog):
    folder = file.parent
    Image.new("L", (50, 50), 255).save(folder / "blank.png")
    (folder / "broken.png").write_bytes(b"\x89PNG nothing")
    with file.open("a") as lines:
        lines.write("none.png\tx\nblank.png\tx\nbroken.png\tx\n0.png\t{ x\n")
    splits = load(file)
    assert sum(map(len, splits.values())) == 8
    listed = (pathlib.Path(splits["train"].directory) / "rejected.tsv").read_text().splitlines()[1:]
    reasons = [line.split("\t")[3].split(":")[0] for line in listed]
    assert reasons == ["missing picture", "blank picture", "broken picture", "unreadable formula"]
    assert [line.split("\t")[1] for line in listed] == ["9", "10", "11", "12"]
    assert "4 of 12 entries left out" in caplog.text


def test_a_changed_picture_makes_another_data_set(file):
    before = load(file)["train"].directory
    assert load(file)["train"].directory == before
    Image.fromarray(mathtext.draw("w")).save(file.parent / "7.png")
    assert load(file)["train"].directory != before


def test_too_few_pairs_are_refused(tmp_path):
    (tmp_path / "p.tsv").write_text("a.png\tx\nb.png\ty\n")
    with pytest.raises(Im2latexError, match=r"0 different formulas are usable.*line 1: missing"):
        load(tmp_path / "p.tsv")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"test_share": 0.5, "validation_share": 0.5}, "sum less than 1"),
        ({"test_share": -0.1}, "must not be negative"),
        ({"max_tokens": 0}, "must be positive"),
    ],
)
def test_settings_without_sense_are_refused(file, settings, message):
    with pytest.raises(Im2latexError, match=message):
        load(file, **settings)


def test_the_file_must_be_named(tmp_path):
    with pytest.raises(Im2latexError, match="name the file of your pictures and formulas"):
        datasets.load("pairs", tmp_path)
