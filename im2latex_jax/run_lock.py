"""One run at a time in a work directory."""

import contextlib
import errno
import pathlib
import time
from collections.abc import Iterator

from im2latex_jax.errors import Im2latexError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FILE = ".lock"
_NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def held(workdir: pathlib.Path, patience: float = 10.0) -> Iterator[None]:
    """Holds the lock of a work directory, made if missing; a process that ends lets go of it.

    Where the system or the file system knows no locks, nothing is held.

    Args:
      workdir: of a run.
      patience: seconds to wait for one that is just ending.

    Raises:
      Im2latexError: another process holds it.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / FILE).open("w") as file:
        deadline = time.monotonic() + patience
        while not _locked(file.fileno()):
            if time.monotonic() > deadline:
                raise Im2latexError(
                    f"{workdir}: another run is at work there: wait for its end, or use another "
                    "--workdir"
                )
            time.sleep(0.2)
        yield


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
