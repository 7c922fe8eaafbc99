"""One run at a time in a work directory."""

import contextlib
import pathlib

from im2latex_jax.runtime import locks

FILE = ".lock"


def held(workdir: pathlib.Path, patience: float = 10.0) -> contextlib.AbstractContextManager[None]:
    """Holds the lock of a work directory, made if missing; see `locks.held`.

    Raises:
      Im2latexError: on entering: another run holds it, also after `patience` seconds.
    """
    return locks.held(
        workdir / FILE,
        f"{workdir}: another run is at work there: wait for its end, or use another --workdir",
        patience,
    )
