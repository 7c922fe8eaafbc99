"""Lines that are no formula are told with file and line; the others are read as they are."""

import pytest

from im2latex_jax.latex.files import FormulaFileError, FormulaLine, read_formulas


@pytest.fixture
def write(tmp_path):
    def write(content: bytes):
        path = tmp_path / "list.txt"
        path.write_bytes(content)
        return path

    return write


def test_lines_are_formulas(write):
    file = read_formulas(write(b"x+y\n a\tb \n\\frac12"))

    assert file.lines == [FormulaLine("x+y"), FormulaLine(" a\tb "), FormulaLine(r"\frac12")]
    assert file.remark is None


@pytest.mark.parametrize(
    "line, problem",
    [
        (b"caf\xe9", "not utf-8: byte 0xE9 at column 4"),
        (b"", "the line is empty"),
        (b" \t", "the line is empty"),
        (b"a\rb", "a carriage return within the line, at column 2"),
        (b"x" * 1_000_000, "1000000 bytes are too many for a formula"),
    ],
)
def test_a_bad_line_is_reported_and_the_others_are_kept(write, line, problem):
    path = write(b"x\n" + line + b"\ny\n")

    first, bad, last = read_formulas(path).lines

    assert (first, last) == (FormulaLine("x"), FormulaLine("y"))
    assert bad == FormulaLine("", f"{path}:2: {problem}")


def test_mixed_line_ends_are_read_and_remarked_upon(write):
    path = write(b"x\ny\r\nz\n")

    file = read_formulas(path)

    assert [line.formula for line in file.lines] == ["x", "y", "z"]
    assert file.remark == f"{path}:2: line ends are mixed (LF and CR LF); both are read"
    assert read_formulas(write(b"x\r\ny\r\nz")).remark is None


def test_other_encodings_and_byte_order_marks(write):
    assert read_formulas(write(b"caf\xe9\n"), "latin-1").lines == [FormulaLine("café")]
    assert read_formulas(write(b"\xef\xbb\xbfx\n")).lines == [FormulaLine("x")]


def test_files_that_cannot_be_read(write, tmp_path):
    with pytest.raises(FormulaFileError, match=r"cannot read .*nothing.txt: No such file"):
        read_formulas(tmp_path / "nothing.txt")
    with pytest.raises(FormulaFileError, match=r"list\.txt is empty"):
        read_formulas(write(b""))
    with pytest.raises(FormulaFileError, match="unknown encoding 'utf-9'"):
        read_formulas(write(b"x"), "utf-9")
