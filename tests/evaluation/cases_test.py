import lzma

import pytest

from im2latex_jax import images
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation import cases


def test_truths_are_in_the_normal_form_where_there_is_one():
    assert cases.normal_tokens("x_1") == ["x", "_", "{", "1", "}"]
    assert cases.normal_tokens("x }") == ["x", "}"]


def test_pairs_are_read_in_order(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a.png\tx^2\n\nb.png\ty\n")
    found = cases.from_pairs(path)
    assert [case.name for case in found.cases] == ["a.png", "b.png"]
    assert found.cases[0].picture == tmp_path / "a.png"
    assert found.cases[0].truth == ["x", "^", "{", "2", "}"]
    assert len(cases.from_pairs(path, limit=1).cases) == 1


@pytest.mark.parametrize("name", ["list.txt", "table.tsv", "table.tsv.xz"])
def test_formulas_are_drawn_out_of_lists_and_tables(tmp_path, name):
    path = tmp_path / name
    lines = ["x + y", r"\nonsense", "z ^ 2"]
    if ".tsv" in name:
        lines = [f"7\tdisplay\t{line}" for line in lines]
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(lzma.compress(text) if name.endswith("xz") else text)
    found = cases.from_formulas(path, engine="mathtext", jobs=1)
    assert [case.truth for case in found.cases] == [["x", "+", "y"], ["z", "^", "{", "2", "}"]]
    assert [case.name for case in found.cases] == [f"{path}:1", f"{path}:3"]
    assert all(images.read(case.picture).min() < 128 for case in found.cases)
    [reason] = found.left_out
    assert reason.startswith(f"{path}:2: ") and "nonsense" in reason


def test_a_column_can_be_named_and_lines_limited(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("tex\tpage\nx + y\t1\nz\t2\n")
    found = cases.from_formulas(path, engine="mathtext", column="tex", limit=1, jobs=1)
    assert [case.truth for case in found.cases] == [["x", "+", "y"]]


def test_a_higher_resolution_makes_larger_pictures(tmp_path):
    names, formulas = ["one"], ["x + y"]
    plain, large = (
        cases.draw(names, formulas, engine="mathtext", dpi=dpi, jobs=1).cases[0].picture
        for dpi in (None, 200)
    )
    assert images.read(large).shape[1] > 1.8 * images.read(plain).shape[1]


@pytest.mark.parametrize(
    ("content", "message"), [("", "is empty"), ("\\nope\n", "nothing can be drawn"), (None, "no")]
)
def test_lists_without_formulas_are_errors(tmp_path, content, message):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Im2latexError, match=message):
        cases.from_formulas(path, engine="mathtext", jobs=1)


def test_a_folder_without_a_data_set_is_an_error(tmp_path):
    with pytest.raises(Im2latexError, match="no finished data set"):
        cases.from_split(tmp_path, "test")


def test_line_separators_within_a_formula_end_no_line(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_bytes("\ufeffa.png\tx\u2028y\r\nb.png\ty\x0bz\n".encode())
    with pytest.raises(Im2latexError, match=r"pairs.tsv:2: control character U\+000B"):
        cases.from_pairs(path)
    path.write_bytes("\ufeffa.png\tx\u2028y\r\n\r\nb.png\ty\r\n".encode())
    found = cases.from_pairs(path).cases
    assert [(case.name, case.truth) for case in found] == [
        ("a.png", ["x", "\u2028", "y"]),
        ("b.png", ["y"]),
    ]


@pytest.mark.parametrize("formula", ["", "  "])
def test_an_empty_formula_is_told_with_its_line(formula, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(f"a.png\tx\nb.png\t{formula}\n")
    with pytest.raises(Im2latexError, match=r"pairs.tsv:2: the formula is empty"):
        cases.from_pairs(path)
