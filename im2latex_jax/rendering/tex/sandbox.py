"""Runs a TeX program on untrusted input: bounded time and memory, no shell, no foreign files."""

import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
from collections.abc import Sequence

from im2latex_jax.errors import Im2latexError

# Limits are set by the shell that becomes the program: code between fork and exec (preexec_fn) can
# deadlock in a process with threads. Systems that cannot limit address space (macOS) go without.
_LIMITED = (
    'ulimit -c 0 && ulimit -S -t "$1" && ulimit -H -t "$2" && ulimit -f "$3" || exit 126; '
    'ulimit -v "$4" 2>/dev/null || :; shift 4; exec "$@"'
)
_SIGNALS = {signal.SIGXCPU: "processor time", signal.SIGXFSZ: "file size"}


_MIN_FREE_BYTES = 16 << 20


class DiskFullError(Im2latexError):
    """No space is left to work in."""


class MissingProgramError(Im2latexError):
    """A TeX program is not installed; the message names the packages that hold it."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one run may use. The wall-clock limit only catches a program that hangs."""

    cpu_seconds: int
    wall_seconds: float
    memory_mib: int = 1024
    file_mib: int = 128


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run: exit status (negative: the signal that ended it), all that it printed, and
    the limit that it ran into, if any."""

    status: int
    output: str
    exceeded: str | None

    @property
    def last_line(self) -> str:
        return self.output.strip().rpartition("\n")[2].strip()


def require_programs(programs: Sequence[str] = ("latex", "dvipng")) -> None:
    """Raises `MissingProgramError` where a program is not found."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise MissingProgramError(
            f"{' and '.join(missing)} not found: install TeX (Debian: apt-get install "
            "texlive-latex-recommended texlive-fonts-recommended cm-super dvipng), or draw with "
            "mathtext"
        )


def environment(folder: pathlib.Path) -> dict[str, str]:
    """The variables that a TeX program is given, and no others.

    `openin_any` and `openout_any` in paranoid mode forbid absolute paths, parent folders and hidden
    files; fonts are never made on the fly, which would start other programs.
    """
    private = str(folder)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": private,
        "TMPDIR": private,
        "TEXMFHOME": private,
        "TEXMFVAR": private,
        "TEXMFCONFIG": private,
        "openin_any": "p",
        "openout_any": "p",
        "shell_escape": "f",
        "MKTEXPK": "0",
        "MKTEXTFM": "0",
        "MKTEXMF": "0",
        "MKTEXTEX": "0",
        # Long lines, so that what we look for in the log is never broken in two.
        "max_print_line": "10000",
        "error_line": "254",
        "half_error_line": "238",
    }


def run(command: Sequence[str], folder: pathlib.Path, limits: Limits) -> Run:
    """Runs a program in a folder of its own under limits; what the program does raises nothing.

    Args:
      command: the program and its arguments.
      folder: its working folder, the only place where it may write.
      limits: see `Limits`.

    Raises:
      DiskFullError: the program failed and the disk is full, so that it is not to blame.
    """
    shell = [
        *("/bin/sh", "-c", _LIMITED, "sh"),
        str(limits.cpu_seconds),
        str(limits.cpu_seconds + 2),
        str(limits.file_mib * 2048),  # POSIX: blocks of 512 bytes
        str(limits.memory_mib * 1024),
    ]
    printed = folder / "printed.txt"
    exceeded = None
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [*shell, *command],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(limits.wall_seconds)
        except subprocess.TimeoutExpired:
            exceeded = "wall-clock time"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode != 0 and shutil.disk_usage(folder).free < _MIN_FREE_BYTES:
        raise DiskFullError(
            f"no space left in {folder.parent}: free some, or set TMPDIR to a folder with more"
        )
    if process.returncode < 0 and exceeded is None:
        exceeded = _SIGNALS.get(signal.Signals(-process.returncode))
    return Run(process.returncode, printed.read_text("utf-8", errors="replace"), exceeded)
