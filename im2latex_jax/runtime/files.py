"""Files that appear whole or not at all, whenever the program is killed or the power fails.

What is written goes to a temporary file in the same folder, which then takes the place of the file:
in one step, as far as anyone else can see, and after its content has reached the disk. A link that
stands in the place of the file is replaced, not followed.
"""

import contextlib
import os
import pathlib
import re
import secrets
import stat
from collections.abc import Iterator

_SUFFIX = ".part"
_TOKEN_BYTES = 8
_UNFINISHED = re.compile(rf".+\.[0-9a-f]{{{2 * _TOKEN_BYTES}}}{re.escape(_SUFFIX)}")


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a path to write to; on leaving, the file written there becomes `path`.

    Any number of processes, of one machine or of several that share the folder, may write the same
    file at a time: one of them wins. A device or a pipe (`/dev/stdout`) is written to directly.

    Raises:
      OSError: the file cannot be written. Then, as after any error in the block, `path` is what it
        was before and nothing else is left.
    """
    path = pathlib.Path(path)
    if _is_special(path):
        yield path
        return
    part = path.with_name(f"{path.name}.{secrets.token_hex(_TOKEN_BYTES)}{_SUFFIX}")
    try:
        # Made here, and only if nothing has this name: no planted link is followed.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield part
        sync(part)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # the file is there, and some systems cannot do this
        sync(path.parent)


def sync(path: str | os.PathLike[str]) -> None:
    """Waits until the content of a file, or the names in a folder, have reached the disk.

    Raises:
      OSError: they cannot be written.
    """
    if os.name == "nt" and os.path.isdir(path):
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: str | os.PathLike[str]) -> None:
    """`sync` for all files and folders in a folder, and for the folder's own name."""
    for place, _, names in os.walk(folder):
        for name in names:
            sync(os.path.join(place, name))
        sync(place)
    sync(os.path.dirname(os.path.abspath(folder)))


def _is_special(path: pathlib.Path) -> bool:
    """Whether a path is a device, a pipe or a socket, perhaps through links."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file as `replacing` does."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a file in UTF-8 as `replacing` does; the text's line ends are kept as they are."""
    write_bytes(path, text.encode("utf-8"))


def remove_unfinished(folder: pathlib.Path) -> None:
    """Removes what killed programs left unfinished in a folder that no other program writes to."""
    for part in folder.glob(f"*{_SUFFIX}"):
        if _UNFINISHED.fullmatch(part.name):
            part.unlink(missing_ok=True)
