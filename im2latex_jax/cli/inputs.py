"""The images that a command's arguments stand for: files, folders, patterns, standard input."""

import dataclasses
import glob
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from im2latex_jax.errors import Im2latexError

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".dib", ".ppm", ".pgm"),
    *(".pbm", ".jp2", ".avif"),
)
# What `predict --render` writes; not read as an image of a folder.
DRAWN_SUFFIX = ".predicted.png"
STANDARD_INPUT = "-"

_URL = re.compile(r"(?:(?:https?|ftps?|s3|gs|file)://|data:)", re.IGNORECASE)
_SHOWN_CHARACTERS = 100  # of a URL, in a message


@dataclasses.dataclass(frozen=True)
class Input:
    """An image to read, or what is wrong with an argument.

    Attributes:
      name: for people, and in the answer.
      source: see `images.read`; of standard input, its name.
      problem: why there is nothing to read, in one line, or None.
    """

    name: str
    source: Any = b""  # keeps the place of what has a problem
    problem: str | None = None


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Images in the order of the arguments, and what was left out of folders, a line each."""

    images: list[Input]
    notes: list[str]


def expand(arguments: Sequence[str], *, recursive: bool = False) -> Inputs:
    """Finds the images that arguments stand for; never raises for what is wrong with one.

    Args:
      arguments: paths of images, folders, patterns, or `-`.
      recursive: whether to read the sub-folders of folders too, hidden ones left out.
    """
    found = Inputs([], [])
    for argument in arguments:
        _expand(argument, recursive, found)
    return found


def _expand(argument: str, recursive: bool, found: Inputs) -> None:
    # `os.path` rather than `pathlib`, whose tests raise for names that cannot be.
    if os.path.isdir(argument):
        _expand_folder(argument, recursive, found)
    elif _URL.match(argument) and not os.path.lexists(argument):
        found.images.append(Input(argument, problem=_url_problem(argument)))
    elif glob.has_magic(argument) and not os.path.lexists(argument):
        names = sorted(glob.glob(argument, recursive=True))
        for name in names:
            if os.path.isdir(name):
                _expand_folder(name, recursive, found)
            else:
                found.images.append(Input(name, name))
        if not names:
            problem = f"{argument}: no file has a name like this"
            found.images.append(Input(argument, problem=problem))
    else:
        found.images.append(Input(argument, argument))


def _url_problem(url: str) -> str:
    shown = url if len(url) <= _SHOWN_CHARACTERS else f"{url[:_SHOWN_CHARACTERS]}..."
    if url.lower().startswith("file:"):
        return f"{shown}: is a URL: give the path alone, without file://"
    return (
        f"{shown}: is a URL, and only files are read: save the image first, or give it on standard "
        "input: curl -fsSL URL | im2latex predict -"
    )


def _expand_folder(folder: str, recursive: bool, found: Inputs) -> None:
    """Adds the images of a folder, by name, those of each of its sub-folders after its own."""
    count = len(found.images)
    num_left_out = 0
    for path, folders, names, problem in _walk(folder):
        if problem is not None:
            found.images.append(Input(path, problem=f"{path}: cannot be read: {problem}"))
            continue
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.endswith(DRAWN_SUFFIX):
                file = os.path.join(path, name)
                if _may_block(file):
                    found.notes.append(f"{file}: left out: it is a pipe or a device, not a file")
                else:
                    found.images.append(Input(file, file))
        if not recursive:
            num_left_out = len(folders)
            break
    hint = f"{num_left_out} sub-folder{'s' if num_left_out > 1 else ''} not read, which --recursive"
    if len(found.images) == count:
        more = f"; {hint} does" if num_left_out else ""
        problem = f"{folder}: no images in this folder{more}"
        found.images.append(Input(folder, problem=problem))
    elif num_left_out:
        found.notes.append(f"{folder}: {hint} reads too")


def _walk(folder: str) -> Iterator[tuple[str, list[str], list[str], str | None]]:
    """Path, sub-folders and files of a folder and all folders below; or what is wrong with it."""
    problems: list[OSError] = []
    for path, folders, names in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield path, folders, sorted(names), None
    for error in problems:
        yield str(error.filename or folder), [], [], error.strerror


def _may_block(path: str) -> bool:
    """Whether reading may wait without end: all but files, and what reading will complain about."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


class _StandardInput:
    """Standard input as a file with a name for messages; read when it comes to be its turn."""

    name = "standard input"

    def read(self, size: int = -1) -> bytes:
        return sys.stdin.buffer.read(size)


def opened(given: Input) -> Any:
    """The source of an image, see `images.read`, which reads no more than a file may have."""
    return _StandardInput() if given.source == STANDARD_INPUT else given.source


def from_clipboard() -> Any:
    """The image in the clipboard, or the path of the file that was copied.

    Raises:
      Im2latexError: there is none, or no clipboard.
    """
    from PIL import ImageGrab

    try:
        found: Any = ImageGrab.grabclipboard()
    except (NotImplementedError, OSError, ChildProcessError) as error:
        raise Im2latexError(f"the clipboard cannot be read here: {error}") from error
    if isinstance(found, list):  # files that were copied
        found = found[0] if found else None
    if found is None:
        raise Im2latexError("there is no picture in the clipboard")
    return found
