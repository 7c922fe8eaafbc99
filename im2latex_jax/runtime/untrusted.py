"""Files from elsewhere, read within limits: sizes are checked before anything is read."""

import json
import math
import os
import stat
import zipfile
from collections.abc import Mapping
from typing import IO, Any

from im2latex_jax.errors import Im2latexError


class UntrustedFileError(Im2latexError):
    """A file is larger than it may be, or not a file; the message names it."""


def open_file(path: str | os.PathLike[str], max_bytes: int) -> IO[bytes]:
    """Opens a file for reading.

    Raises:
      OSError: it cannot be opened.
      UntrustedFileError: it is a pipe, a device or a folder (none is waited for), or larger than
        `max_bytes`.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UntrustedFileError(f"{os.fspath(path)}: is not a file")
        if status.st_size > max_bytes:
            raise UntrustedFileError(
                f"{os.fspath(path)}: has {status.st_size:,} bytes, and {max_bytes:,} are allowed"
            )
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_file(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """The bytes of a file; raises as `open_file`."""
    with open_file(path, max_bytes) as file:
        return file.read(max_bytes)


def parse_json(data: bytes) -> Any:
    """A JSON document in UTF-8.

    Raises:
      ValueError: it is none, or nested too deeply.
    """
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def read_stored_zip(
    file: IO[bytes], limits: Mapping[str, int], max_members: int
) -> dict[str, bytes]:
    """The members of a zip archive, none of which may be compressed.

    So an archive never takes more memory than its file has bytes: there are no zip bombs, and no
    compressed data to be damaged.

    Args:
      file: at its beginning; seekable.
      limits: most bytes of a member, by the end of its name; others are refused.
      max_members: how many there may be.

    Raises:
      ValueError: the archive is damaged, or not of this kind; says why.
    """
    try:
        size = file.seek(0, os.SEEK_END)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > max_members:
                raise ValueError(f"{len(members)} members, and {max_members} are allowed")
            for member in members:
                _check_member(member, limits)
            # Members that share their bytes would take more memory than the file.
            if sum(member.file_size for member in members) > size:
                raise ValueError("the members are larger than the file")
            return {member.filename: archive.read(member) for member in members}
    except ValueError:
        raise
    except Exception as error:  # zipfile raises nearly anything for damaged archives
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def _check_member(member: zipfile.ZipInfo, limits: Mapping[str, int]) -> None:
    most = next((most for end, most in limits.items() if member.filename.endswith(end)), None)
    if most is None:
        raise ValueError(f"a member {member.filename[:100]!r}, which does not belong there")
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise ValueError(f"{member.filename} is compressed, which the format does not have")
    if member.flag_bits & 1:
        raise ValueError(f"{member.filename} is encrypted")
    if member.file_size > most:
        raise ValueError(f"{member.filename} has {member.file_size:,} bytes: {most:,} are allowed")


def check_settings(value: Any, greatest: float, longest: int, depth: int = 6) -> None:
    """Checks that a parsed JSON value holds only small numbers, lists and texts.

    Args:
      value: dictionaries, lists, numbers, strings, booleans and None.
      greatest: magnitude of a number.
      longest: length of a list, a dictionary or a string.
      depth: of nesting.

    Raises:
      ValueError: it does not; names what is too large.
    """
    if isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= greatest):
        raise ValueError(f"the number {str(value)[:20]}, and up to {greatest:g} are allowed")
    if isinstance(value, (str, list, dict)):
        if len(value) > longest:
            raise ValueError(f"a value of length {len(value)}, and {longest} are allowed")
        if isinstance(value, str):
            return
        if not depth:
            raise ValueError("values nested too deeply")
        for item in value.values() if isinstance(value, dict) else value:
            check_settings(item, greatest, longest, depth - 1)
