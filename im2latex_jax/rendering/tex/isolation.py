"""Hides the system from a program with bubblewrap, where that is installed and works.

The program runs in namespaces of its own: it sees its own installation and its two folders, no
other file, no network and no other process. IM2LATEX_SANDBOX in the environment says how much that
matters: `auto` (the default) does without where bubblewrap is not to be had, `require` makes that
an error, `off` does not use it.
"""

import functools
import os
import pathlib
import shutil
import signal
import subprocess
from collections.abc import Sequence

from im2latex_jax.errors import Im2latexError

VARIABLE = "IM2LATEX_SANDBOX"

# Where programs, libraries and TeX lie. What is missing is left out.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
    *("/etc/fonts", "/etc/texmf", "/var/lib/texmf", "/nix/store", "/gnu/store"),
)
_TEX_FOLDERS = ("TEXMFROOT", "TEXMFDIST", "TEXMFLOCAL", "TEXMFSYSVAR", "TEXMFSYSCONFIG")
_BWRAP = (
    "bwrap",
    # All namespaces: processes, network, users where allowed ...
    *("--unshare-all", "--die-with-parent", "--new-session"),
    *("--cap-drop", "ALL", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),
)
_INSIDE = "/im2latex"  # where the run's folder lies for the program
# What a drawing needs: if these are found within, so is the rest.
_PROBE = (
    "latex -version && dvipng --version && kpsewhich -engine=pdftex latex.fmt && kpsewhich "
    "article.cls amsmath.sty amssymb.sty cmr10.tfm && kpsewhich -format=map psfonts.map"
)


class SandboxError(Im2latexError):
    """Isolation is asked for, and cannot be had."""


def prefix(readable: pathlib.Path, writable: pathlib.Path) -> list[str]:
    """What stands before a command so that it runs isolated; nothing where that is impossible.

    Args:
      readable: the folder of what the program may read, beside its installation.
      writable: the folder where it works.

    Raises:
      SandboxError: isolation is required and does not work, or the variable has another value.
    """
    if not active():
        return []
    return [
        *_isolated(_folders()),
        *("--ro-bind", str(readable), f"{_INSIDE}/in"),
        *("--bind", str(writable), f"{_INSIDE}/out"),
        *("--chdir", f"{_INSIDE}/out", "--"),
    ]


def status(returncode: int) -> int:
    """A program's exit status, negative for a signal, by that of its process.

    bubblewrap and shells tell of a signal by 128 and its number.
    """
    number = returncode - 128
    return -number if number in {s.value for s in signal.Signals} else returncode


def active() -> bool:
    """Whether programs run isolated. Raises as `prefix`."""
    mode = os.environ.get(VARIABLE, "auto")
    if mode not in ("auto", "require", "off"):
        raise SandboxError(f"{VARIABLE}={mode}: choose auto, require or off")
    if mode == "off":
        return False
    works = _works()
    if mode == "require" and not works:
        raise SandboxError(
            f"{VARIABLE}=require, and bubblewrap does not work here: install it (Debian: apt-get "
            "install bubblewrap) and allow user namespaces, or set it to auto"
        )
    return works


def _isolated(folders: Sequence[str]) -> list[str]:
    binds = [part for folder in folders for part in ("--ro-bind-try", folder, folder)]
    return [*_BWRAP, *binds]


@functools.cache
def _works() -> bool:
    """Whether bubblewrap is there and TeX is found within; tried once a process."""
    if shutil.which("bwrap") is None:
        return False
    try:
        tried = subprocess.run(
            [*_isolated(_folders()), "--", "/bin/sh", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


@functools.cache
def _folders() -> tuple[str, ...]:
    """All folders that a program may see, those of its TeX installation among them."""
    found = list(_SYSTEM)
    program = shutil.which("latex")
    if program is not None:
        found += [os.path.dirname(program), os.path.dirname(os.path.realpath(program))]
    for variable in _TEX_FOLDERS if shutil.which("kpsewhich") else ():
        told = subprocess.run(
            ["kpsewhich", f"-var-value={variable}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        found.append(told.stdout.strip())
    folders = dict.fromkeys(os.path.normpath(folder) for folder in found if folder[:1] == "/")
    return tuple(folder for folder in folders if folder != "/")
