"""Finished chunks of drawn pictures, kept in a folder until the data set is done.

A chunk's file has a name made of what was drawn and how, appears when it is whole, and carries a
checksum: whenever the program is killed, what lies there can be used, and nothing else is.
"""

import hashlib
import itertools
import json
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from im2latex_jax.runtime import files


class Picture(NamedTuple):
    """A drawn formula, PNG bytes with the size in pixels; or why it could not be drawn."""

    png: bytes
    height: int
    width: int
    problem: str = ""

    @property
    def size(self) -> tuple[int, int, int]:
        """Height and width in pixels, and the bytes that it takes."""
        return self.height, self.width, len(self.png)


def write(path: pathlib.Path, pictures: Sequence[Picture]) -> None:
    """Writes a chunk: a checksum, a line of JSON, all PNGs in a row.

    Raises:
      OSError: it cannot be written; then nothing is left of it.
    """
    table = [(len(picture.png), *picture[1:]) for picture in pictures]
    body = json.dumps(table).encode() + b"\n" + b"".join(picture.png for picture in pictures)
    files.write_bytes(path, hashlib.sha256(body).digest() + body)


def read(path: pathlib.Path) -> list[Picture] | None:
    """The pictures of a chunk; None where there is none, or a damaged one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    checksum, body = content[:32], content[32:]
    if hashlib.sha256(body).digest() != checksum:
        return None
    head, _, pngs = body.partition(b"\n")
    table = json.loads(head)
    ends = list(itertools.accumulate(row[0] for row in table))
    return [
        Picture(pngs[end - size : end], height, width, problem)
        for end, (size, height, width, problem) in zip(ends, table, strict=True)
    ]
