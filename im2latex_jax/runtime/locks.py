"""A lock on a folder that a process holds until it ends or is killed."""

import contextlib
import errno
import os
import pathlib
import sys
import time
from collections.abc import Iterator

from im2latex_jax.errors import Im2latexError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def held(
    file: pathlib.Path, refusal: str, patience: float = 0.0, remark: str = ""
) -> Iterator[None]:
    """Holds the lock of a file, made with its folder if missing.

    Where the system or the file system knows no locks, nothing is held.

    Args:
      file: stands for what must not be used twice at a time.
      refusal: what the error says.
      patience: seconds to wait for the process that holds it.
      remark: is printed on standard error once, where it has to be waited for.

    Raises:
      Im2latexError: another process holds it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a", opener=_without_links) as opened:
        deadline = time.monotonic() + patience
        while not _locked(opened.fileno()):
            if time.monotonic() >= deadline:
                raise Im2latexError(refusal)
            if remark:
                print(remark, file=sys.stderr)
                remark = ""
            time.sleep(0.2)
        yield


def _without_links(path: str, mode: int) -> int:
    return os.open(path, mode | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _locked(descriptor: int) -> bool:
    """Takes the lock if it is free, and says whether nobody else has it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
    return True
