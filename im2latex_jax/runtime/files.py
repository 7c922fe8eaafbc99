"""Files that appear whole or not at all, whenever the program is killed.

What is written goes to a temporary file in the same folder, which then takes the place of the file:
in one step, as far as anyone else can see.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator

_SUFFIX = ".part"


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a path to write to; on leaving, the file written there becomes `path`.

    Any number of processes may write the same file at a time: one of them wins.

    Raises:
      OSError: the file cannot be written. Then, as after any error in the block, `path` is what it
        was before and nothing else is left.
    """
    path = pathlib.Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}{_SUFFIX}")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file as `replacing` does."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a file in UTF-8 as `replacing` does; the text's line ends are kept as they are."""
    write_bytes(path, text.encode("utf-8"))


def remove_unfinished(folder: pathlib.Path) -> None:
    """Removes what killed programs left unfinished in a folder that no other program writes to."""
    for part in folder.glob(f"*.*[0-9]{_SUFFIX}"):
        part.unlink(missing_ok=True)
