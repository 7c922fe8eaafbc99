"""Reads a list of formulas, a line each, and says which lines are not fit to be one."""

import dataclasses
import os
import pathlib

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.safety import MAX_CHARACTERS


class FormulaFileError(Im2latexError):
    """A list of formulas cannot be read at all."""


@dataclasses.dataclass(frozen=True)
class FormulaLine:
    """One line: its formula, or the problem (with file and line, counted from 1) instead."""

    formula: str
    problem: str | None = None


@dataclasses.dataclass(frozen=True)
class FormulaFile:
    """The lines of a file, and a remark on the file as a whole where there is one."""

    lines: list[FormulaLine]
    remark: str | None


def read_formulas(path: str | os.PathLike, encoding: str = "utf-8") -> FormulaFile:
    """Reads all lines. Lines may end in LF or CR LF, also mixed (which is remarked upon).

    Raises:
      FormulaFileError: the file cannot be opened or is empty, or the encoding is unknown.
    """
    path = pathlib.Path(path)
    try:
        content = path.read_bytes()
        "".encode(encoding)
    except OSError as error:
        raise FormulaFileError(f"cannot read the formulas in {path}: {error.strerror}") from None
    except LookupError:
        raise FormulaFileError(f"unknown encoding {encoding!r}: try utf-8 or latin-1") from None
    raw_lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not raw_lines[-1]:
        raw_lines.pop()
    if not raw_lines:
        raise FormulaFileError(f"{path} is empty: it should hold a formula a line")
    lines = [
        _read_line(raw.removesuffix(b"\r"), f"{path}:{number}", encoding)
        for number, raw in enumerate(raw_lines, start=1)
    ]
    return FormulaFile(lines, _mixed_ends(raw_lines, path))


def _read_line(raw: bytes, place: str, encoding: str) -> FormulaLine:
    if len(raw) > 4 * MAX_CHARACTERS:
        return FormulaLine("", f"{place}: {len(raw)} bytes are too many for a formula")
    try:
        formula = raw.decode(encoding)
    except UnicodeDecodeError as error:
        byte = f"byte 0x{raw[error.start]:02X} at column {error.start + 1}"
        return FormulaLine("", f"{place}: not {encoding}: {byte}")
    if not formula.strip():
        return FormulaLine("", f"{place}: the line is empty")
    if "\r" in formula:
        column = formula.index("\r") + 1
        return FormulaLine("", f"{place}: a carriage return within the line, at column {column}")
    return FormulaLine(formula)


def _mixed_ends(raw_lines: list[bytes], path: pathlib.Path) -> str | None:
    first = raw_lines[0].endswith(b"\r")
    for number, raw in enumerate(raw_lines[1:-1], start=2):
        if raw.endswith(b"\r") != first:
            return f"{path}:{number}: line ends are mixed (LF and CR LF); both are read"
    return None
