"""Files of pictures and their formulas: `image path<TAB>formula` a line, in UTF-8."""

import os
import pathlib
from typing import NamedTuple

from im2latex_jax.errors import Im2latexError


class PairsError(Im2latexError):
    """A file of pairs cannot be used; the message says where and why."""


class Pair(NamedTuple):
    """A line of the file.

    Attributes:
      line: its number, from 1.
      name: of the picture, as it stands there.
      image: the picture's path; what stands there is relative to the file.
      formula: raw.
    """

    line: int
    name: str
    image: pathlib.Path
    formula: str


def read(path: str | os.PathLike) -> list[Pair]:
    """The pairs of a file, in order; blank lines do not count.

    Raises:
      PairsError: the file cannot be read, or a line is not of this form.
    """
    path = pathlib.Path(path)
    try:
        # Not `splitlines`, which takes U+2028 and form feeds within a formula for line ends.
        lines = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n").split("\n")
    except OSError as error:
        raise PairsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PairsError(f"{path}: is not UTF-8 text: {error.reason}") from error
    pairs = []
    for number, line in enumerate(lines, start=1):
        if not line or line.isspace():
            continue
        name, tab, formula = line.partition("\t")
        if not tab or not name.strip():
            raise PairsError(f"{path}:{number}: is not 'image path<TAB>formula'")
        pairs.append(Pair(number, name, path.parent / name, formula))
    if not pairs:
        raise PairsError(f"{path}: is empty: it should hold 'image path<TAB>formula' a line")
    return pairs
