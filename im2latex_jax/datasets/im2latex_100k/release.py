"""The text files of an im2latex-100k release: which formula belongs to which picture."""

import dataclasses
import pathlib
import shutil
import tarfile
import tempfile
import zlib

from im2latex_jax.datasets.preparation import Entry
from im2latex_jax.errors import Im2latexError

FORMULAS = "im2latex_formulas.lst"
LISTS = {
    "train": "im2latex_train.lst",
    "validation": "im2latex_validate.lst",
    "test": "im2latex_test.lst",
}
IMAGES = "formula_images"


class ReleaseError(Im2latexError):
    """A release lacks a file, or its files do not fit together."""


@dataclasses.dataclass(frozen=True)
class Files:
    """Where the files of a release lie: the two kinds of lists, and the folder of pictures."""

    formulas: pathlib.Path
    lists: dict[str, pathlib.Path]
    images: pathlib.Path


def find(folder: pathlib.Path) -> Files:
    """The files of a release that was unpacked into `folder`.

    Raises:
      ReleaseError: the folder or a file in it is missing.
    """
    if not folder.is_dir():
        raise ReleaseError(f"{folder}: there is no such folder; name the one that holds {FORMULAS}")
    files = Files(
        folder / FORMULAS,
        {split: folder / name for split, name in LISTS.items()},
        folder / IMAGES,
    )
    for path in (files.formulas, *files.lists.values()):
        if not path.is_file():
            raise ReleaseError(f"{path}: file missing; it is part of the im2latex-100k release")
    if not files.images.is_dir():
        raise ReleaseError(f"{files.images}: folder missing; unpack {IMAGES}.tar.gz there")
    return files


def unpack_images(archive: pathlib.Path) -> pathlib.Path:
    """Unpacks the pictures of `formula_images.tar.gz` into a folder beside it.

    The folder appears when all pictures are there; if it is there already, nothing is done.

    Raises:
      ReleaseError: the archive is damaged.
    """
    folder = archive.with_name(f"{archive.name}.unpacked")
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=archive.parent) as partial:
        images = pathlib.Path(partial) / IMAGES
        images.mkdir()
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    if member.isfile() and (content := tar.extractfile(member)):
                        # The bare name: a member cannot be written outside the folder.
                        with (images / pathlib.PurePosixPath(member.name).name).open("wb") as file:
                            shutil.copyfileobj(content, file)
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise ReleaseError(
                f"{archive}: damaged archive ({error}); delete it and run again"
            ) from None
        images.rename(folder)
    return folder


def read(files: Files) -> dict[str, list[Entry]]:
    """The entries of each split, in the order of the lists.

    Raises:
      ReleaseError: a list is empty or has a line that is not `formula_index image_name
        render_type`, an index lies beyond the formulas, or not one picture of a list exists. The
        message names file and line.
    """
    formulas = _read_formulas(files.formulas)
    return {split: _read_list(path, formulas, files) for split, path in files.lists.items()}


def _read_formulas(path: pathlib.Path) -> list[str]:
    # Latin-1 gives every byte a meaning. Formulas hold carriage returns and other characters that
    # Python takes for line ends: only "\n" separates them.
    formulas = path.read_bytes().decode("latin-1").split("\n")
    if not formulas[-1]:
        formulas.pop()
    if not formulas:
        raise ReleaseError(f"{path}: the file is empty; it should hold a formula a line")
    return formulas


def _read_list(path: pathlib.Path, formulas: list[str], files: Files) -> list[Entry]:
    entries = []
    for number, line in enumerate(path.read_bytes().decode("latin-1").split("\n"), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 3 or not fields[0].isascii() or not fields[0].isdigit():
            raise ReleaseError(
                f"{path}, line {number}: expected 'formula_index image_name render_type', "
                f"found {line[:80]!r}"
            )
        index, name = int(fields[0]), fields[1]
        if index >= len(formulas):
            raise ReleaseError(
                f"{path}, line {number}: formula index {index} is out of range; "
                f"{files.formulas} has {len(formulas)} formulas: do both belong together?"
            )
        entries.append(Entry(name, formulas[index], files.images / f"{name}.png", number))
    if not entries:
        raise ReleaseError(f"{path}: the file lists no picture")
    if not any(entry.image.is_file() for entry in entries):
        first = entries[0]
        raise ReleaseError(
            f"{path}, line {first.line}: no picture {first.image}, nor any other that the list "
            "names: do list and pictures belong together?"
        )
    return entries
