"""Reads lists of formulas: text or TSV, packed or not, line by line and in little memory.

A line that cannot be used is a `Line` with its reason. What makes the rest of a file unusable is an
error that names the file and the line.
"""

import bz2
import dataclasses
import gzip
import hashlib
import io
import lzma
import os
import pathlib
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.safety import MAX_CHARACTERS

# A character has at most four bytes in UTF-8; the other columns are short.
MAX_LINE_BYTES = 4 * MAX_CHARACTERS + 4096
_XZ, _GZIP, _BZIP2 = b"\xfd7zXZ\x00", b"\x1f\x8b", b"BZh"
_DAMAGED = (lzma.LZMAError, gzip.BadGzipFile, zlib.error, EOFError, OSError)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"


class SourceError(Im2latexError):
    """A list of formulas cannot be read; the message names the file, and the line where it can."""


class Reason(NamedTuple):
    """Why a formula is left out: the kind, which is counted, and what to say of this one."""

    kind: str
    detail: str


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which column holds what: a number from 0 or a name in the file's first line.

    Without a formula column every line is a formula as it is. `kinds` are the values of the kind
    column that are wanted.
    """

    formula: str = ""
    group: str = ""
    kind: str = ""
    kinds: tuple[str, ...] = ()

    def __post_init__(self):
        if (self.group or self.kind) and not self.formula:
            raise SourceError("name the formula's column too: formula_column")
        if bool(self.kind) != bool(self.kinds):
            raise SourceError("kind_column and kinds belong together: give both or neither")


class Line(NamedTuple):
    """One line: its formula and group, or the reason why it is left out. Numbers are from 1."""

    number: int
    formula: str
    group: str
    reason: Reason | None = None


class Source:
    """A file of formulas.

    `num_lines`, `num_wanted` (lines of the wanted kinds) and `remark` (mixed line ends, with file
    and line) are known once `lines` has come to its end.

    Raises:
      SourceError: there is no such file or encoding, or the file is empty or UTF-16.
    """

    def __init__(
        self, path: str | os.PathLike, columns: Columns | None = None, encoding: str = "utf-8"
    ):
        self.path = pathlib.Path(path)
        self.columns = columns or Columns()
        self.encoding = encoding
        self.num_lines = 0
        self.num_wanted = 0
        self.remark: str | None = None
        try:
            "".encode(encoding)
        except LookupError:
            raise SourceError(f"unknown encoding {encoding!r}: try utf-8 or latin-1") from None
        try:
            with self._open() as stream:
                start = stream.read(3)
        except FileNotFoundError:
            raise SourceError(f"{self.path}: there is no such file of formulas") from None
        except _DAMAGED as error:
            raise SourceError(f"{self.path}: cannot be read: {_why(error)}") from None
        if not start:
            raise SourceError(f"{self.path}: is empty; it should hold a formula a line")
        if start.startswith(_UTF_16):
            raise SourceError(f"{self.path}:1: is UTF-16; convert it to UTF-8")

    def digest(self) -> bytes:
        """A hash of the file as it lies there."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    def lines(self) -> Iterator[Line]:
        """All lines of the wanted kinds, the unusable ones with their reason.

        Raises:
          SourceError: the file is damaged from some line on, or lacks a named column.
        """
        first_end: bytes | None = None
        fields: dict[str, int] | None = None
        self.num_lines, self.num_wanted, self.remark = 0, 0, None
        for number, (raw, size) in enumerate(self._raw_lines(), start=1):
            end = b"\r\n" if raw.endswith(b"\r\n") else b"\n"
            if first_end is None:
                first_end = end
            elif self.remark is None and end != first_end and raw.endswith(b"\n"):
                self.remark = (
                    f"{self.path}:{number}: line ends are mixed (LF, CR LF); both are read"
                )
            if fields is None:
                fields, is_header = self._fields(raw)
                if is_header:
                    continue
            self.num_lines += 1
            line = self._line(number, raw.removesuffix(b"\n").removesuffix(b"\r"), size, fields)
            if line is not None:
                self.num_wanted += 1
                yield line

    def _open(self) -> BinaryIO:
        with self.path.open("rb") as file:
            start = file.read(6)
        if start.startswith(_XZ):
            return lzma.open(self.path)  # type: ignore[return-value]
        if start.startswith(_GZIP):
            return gzip.open(self.path)  # type: ignore[return-value]
        if start.startswith(_BZIP2):
            return bz2.open(self.path)  # type: ignore[return-value]
        return self.path.open("rb")

    def _raw_lines(self) -> Iterator[tuple[bytes, int]]:
        """Each line with its end, cut off behind MAX_LINE_BYTES, and its whole size."""
        number = 0
        try:
            with self._open() as unbuffered, io.BufferedReader(unbuffered, 1 << 16) as stream:  # type: ignore[type-var]
                while raw := stream.readline(MAX_LINE_BYTES):
                    number += 1
                    size, part = len(raw), raw
                    while not part.endswith(b"\n"):
                        part = stream.readline(1 << 16)
                        if not part:
                            break
                        size += len(part)
                    yield raw.removeprefix(_UTF_8_MARK) if number == 1 else raw, size
        except _DAMAGED as error:
            raise SourceError(
                f"{self.path}:{number + 1}: cannot be read from here on: {_why(error)}"
            ) from None

    def _fields(self, first: bytes) -> tuple[dict[str, int], bool]:
        """The numbers of the columns, and whether the first line is their header."""
        wanted = dataclasses.asdict(self.columns)
        names = {role: wanted[role] for role in ("formula", "group", "kind") if wanted[role]}
        if all(name.isdecimal() for name in names.values()):
            return {role: int(name) for role, name in names.items()}, False
        header = first.decode(self.encoding, "replace").rstrip("\r\n").split("\t")
        for name in names.values():
            if not name.isdecimal() and name not in header:
                raise SourceError(
                    f"{self.path}:1: there is no column {name!r}; the first line has "
                    f"{', '.join(header)[:200]}"
                )
        return {
            role: int(name) if name.isdecimal() else header.index(name)
            for role, name in names.items()
        }, True

    def _line(self, number: int, raw: bytes, size: int, fields: dict[str, int]) -> Line | None:
        def unusable(kind: str, detail: str) -> Line:
            return Line(number, "", "", Reason(kind, detail))

        if size > MAX_LINE_BYTES:
            return unusable("line too long", f"{size} bytes")
        try:
            text = raw.decode(self.encoding)
        except UnicodeDecodeError as error:
            byte = f"byte 0x{raw[error.start]:02X} at column {error.start + 1}"
            return unusable("wrong encoding", f"not {self.encoding}: {byte}")
        if not text.strip():
            return unusable("empty line", "")
        if "\r" in text:
            return unusable("control character", f"carriage return at column {text.index(chr(13))}")
        if not fields:
            return Line(number, text, "")
        columns = text.split("\t")
        if len(columns) <= max(fields.values()):
            wanted = max(fields.values()) + 1
            return unusable("missing column", f"{len(columns)} of {wanted} columns")
        if "kind" in fields and columns[fields["kind"]] not in self.columns.kinds:
            return None
        group = columns[fields["group"]] if "group" in fields else ""
        return Line(number, columns[fields["formula"]], group)


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"a damaged archive ({error})"


def unique_names(paths: Sequence[pathlib.Path]) -> list[str]:
    """Short names of files, for ids and reports: bare names where these differ."""
    bare = [path.name for path in paths]
    return bare if len(set(bare)) == len(bare) else [os.fspath(path) for path in paths]
