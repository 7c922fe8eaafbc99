"""Runs a TeX program on untrusted input.

Every run has a folder of its own that is deleted after it: `in/` holds what the program is to read,
`out/` is its working folder. The program's search paths hold `in/` and its own installation, and
not `out/`, so that nothing that it writes can be found in the place of a package or a font. Its
time, memory and files are bounded, its environment is bare, and where the system has bubblewrap it
sees nothing of the file system but its own installation and that folder (see `isolation`).
"""

import dataclasses
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence

from im2latex_jax.errors import Im2latexError
from im2latex_jax.rendering.tex import isolation

# Limits are set by the shell that becomes the program: code between fork and exec (preexec_fn) can
# deadlock in a process with threads. Systems that cannot limit address space (macOS) go without.
_LIMITED = (
    'ulimit -c 0 && ulimit -S -t "$1" && ulimit -H -t "$2" && ulimit -f "$3" || exit 126; '
    'ulimit -v "$4" 2>/dev/null || :; shift 4; exec "$@"'
)
_SIGNALS = {signal.SIGXCPU: "processor time", signal.SIGXFSZ: "file size"}
_MIN_FREE_BYTES = 16 << 20
_POLL_SECONDS = 0.25
_IN, _OUT = "in", "out"


class DiskFullError(Im2latexError):
    """No space is left to work in."""


class MissingProgramError(Im2latexError):
    """A TeX program is not installed; the message names the packages that hold it."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one run may use.

    Attributes:
      cpu_seconds: processor time of the whole run.
      wall_seconds: catches a program that waits for something.
      stall_seconds: processor time between two signs of progress. Kept on Linux only.
      progress: the sign: a text that the program prints. There is no such limit before the first.
      memory_mib: address space.
      file_mib: of one file, its output among them.
    """

    cpu_seconds: int
    wall_seconds: float
    stall_seconds: float | None = None
    progress: str = ""
    memory_mib: int = 1024
    file_mib: int = 128


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
      status: exit status; negative: the signal that ended it.
      output: all that it printed.
      exceeded: the limit that it ran into, or None.
      files: what it left in its working folder: the content of each regular file by its name.
    """

    status: int
    output: str
    exceeded: str | None
    files: Mapping[str, bytes]

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


def environment() -> dict[str, str]:
    """The variables that a TeX program is given, and no others.

    `openin_any` and `openout_any` in paranoid mode forbid absolute paths, parent folders and hidden
    files. `TEXMFDOTDIR` stands in all search paths of TeX Live for the current folder;
    `TEXINPUTS` says the same for older ones. Fonts are never made on the fly, which would start
    other programs.
    """
    nowhere = f"../{_IN}/none"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": nowhere,
        "TMPDIR": nowhere,
        "TEXMFHOME": nowhere,
        "TEXMFVAR": nowhere,
        "TEXMFCONFIG": nowhere,
        "TEXMFDOTDIR": f"../{_IN}",
        "TEXINPUTS": f"../{_IN}:$TEXMF/tex/{{latex,generic,}}//",
        "TEXMFOUTPUT": nowhere,
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


def run(
    command: Sequence[str],
    limits: Limits,
    files: Mapping[str, bytes] | None = None,
    wanted: Sequence[str] = (),
) -> Run:
    """Runs a program in a fresh folder under limits; what the program does raises nothing.

    Args:
      command: the program and its arguments. It finds its input at `../in/NAME`.
      limits: see `Limits`.
      files: its input, by name.
      wanted: endings of the names of the files that are to come back.

    Raises:
      DiskFullError: the program failed and the disk is full, so that it is not to blame.
    """
    with tempfile.TemporaryDirectory(prefix="im2latex-") as name:
        folder = pathlib.Path(name)
        try:
            for part in (_IN, _OUT):
                (folder / part).mkdir()
            for file, content in (files or {}).items():
                (folder / _IN / file).write_bytes(content)
            (folder / _IN).chmod(0o555)
            status, exceeded = _run(command, limits, folder)
        finally:
            (folder / _IN).chmod(0o755)
        if status != 0 and shutil.disk_usage(folder).free < _MIN_FREE_BYTES:
            raise DiskFullError(
                f"no space left in {folder.parent}: free some, or set TMPDIR to a folder with more"
            )
        if status < 0 and exceeded is None:
            exceeded = _SIGNALS.get(signal.Signals(-status))
        printed = (folder / "printed.txt").read_text("utf-8", errors="replace")
        return Run(status, printed, exceeded, _regular_files(folder / _OUT, tuple(wanted)))


def _run(command: Sequence[str], limits: Limits, folder: pathlib.Path) -> tuple[int, str | None]:
    """Exit status (negative: a signal), and the limit for which the program was killed."""
    shell = [
        *("/bin/sh", "-c", _LIMITED, "sh"),
        str(limits.cpu_seconds),
        str(limits.cpu_seconds + 2),
        str(limits.file_mib * 2048),  # POSIX: blocks of 512 bytes
        str(limits.memory_mib * 1024),
    ]
    printed = folder / "printed.txt"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [*shell, *isolation.prefix(folder / _IN, folder / _OUT), *command],
            cwd=folder / _OUT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            exceeded = _watch(process, limits, printed)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return isolation.status(process.returncode), exceeded


def _watch(process: subprocess.Popen, limits: Limits, printed: pathlib.Path) -> str | None:
    """Waits for the program; returns the limit that it is over, or None where it has ended."""
    deadline = time.monotonic() + limits.wall_seconds
    sign, seen, used_before = limits.progress.encode(), 0, None
    while (left := deadline - time.monotonic()) > 0:
        try:
            process.wait(left if limits.stall_seconds is None else min(left, _POLL_SECONDS))
            return None
        except subprocess.TimeoutExpired:
            pass
        if limits.stall_seconds is None:
            continue
        with printed.open("rb") as output:
            output.seek(max(0, seen - len(sign)))
            new = output.read()
            seen = output.tell()
        used = _processor_seconds(process.pid)
        if sign in new:
            used_before = used
        elif used_before is not None and used - used_before > limits.stall_seconds:
            return "processor time"
    return "wall-clock time"


def _processor_seconds(pid: int) -> float:
    """Processor time of a process and its descendants; 0 where the system does not tell."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_processor_seconds(int(child)) for child in children)


def _regular_files(folder: pathlib.Path, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """Contents by name. Links and whatever else a program may have made are left alone."""
    found = {}
    for entry in os.scandir(folder):
        if entry.name.endswith(wanted) and stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            found[entry.name] = pathlib.Path(entry.path).read_bytes()
    return found
