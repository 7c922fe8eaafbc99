"""Standard input, output and error of a command: closed, full, and of any encoding."""

import io
import os
import sys

from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import safe_text


class OutputError(Im2latexError):
    """Standard output cannot be written to."""


def prepare() -> None:
    """Makes the three streams usable: UTF-8 whatever the locale, and open.

    Bytes that are not UTF-8 become lone surrogates, which are refused where they matter. A stream
    that was closed by whom started the program is opened on the null device: the next file that is
    opened would take its number, and what is meant for the stream would be written into it.

    Raises:
      OutputError: standard output was closed, so that nothing can be answered.
    """
    closed = [number for number in (0, 1, 2) if not _is_open(number)]
    for number in closed:
        # the lowest free number: this very one, because those below are open by now
        os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
    if 2 in closed or sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (for good)
    if 0 in closed or sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    if 1 in closed or sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        raise OutputError("standard output is closed: there is nowhere to print to")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def write(text: str, end: str = "\n") -> None:
    """Prints text on standard output at once.

    Raises:
      OutputError: it cannot be written, because the disk is full, for example.
      BrokenPipeError: the program that read it has ended.
    """
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror}") from error


def flush() -> None:
    """Writes what is left of standard output.

    Raises:
      OutputError, BrokenPipeError: as `write`.
    """
    write("", end="")


def say(message: str) -> None:
    """A line on standard error; lost where that cannot be written."""
    try:
        print(f"im2latex: {safe_text.printable(' '.join(message.splitlines()))}", file=sys.stderr)
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def abandon_output() -> None:
    """Has Python not fail when it flushes standard output once more as it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):  # a stream without a descriptor, as under a test
        pass
    finally:
        os.close(null)
