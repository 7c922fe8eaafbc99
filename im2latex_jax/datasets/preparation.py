"""Formulas that bring their own pictures: each becomes a record, or a reason why it is left out.

Workers run this: it imports neither TFDS nor JAX.
"""

import collections
import dataclasses
import functools
import itertools
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tqdm

from im2latex_jax import images
from im2latex_jax.latex.normalizer import NormalizeError, normalize
from im2latex_jax.rendering import mathtext
from im2latex_jax.runtime import workers

_CHUNK = 32  # pictures that a worker reads at a time

# Reads a picture's file as it is to be stored: uint8 [height, width], black on white, cropped.
Read = Callable[[pathlib.Path], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A raw formula, the file of the picture that shows it, and the line of a list that says so."""

    name: str
    formula: str
    image: pathlib.Path
    line: int


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is larger is left out: in pixels at the network's scale, and tokens."""

    max_height: int
    max_width: int
    max_tokens: int


class _RejectedError(Exception):
    """An entry is left out; the text is `kind: details`."""


def read(
    entries: Sequence[Entry], limits: Limits, read_picture: Read, num_workers: int
) -> Iterator[dict[str, Any] | str]:
    """For each entry its record, or the reason (`kind: details`) why it is left out."""
    read_chunk = functools.partial(_read_chunk, limits, read_picture)
    chunks = (entries[start : start + _CHUNK] for start in range(0, len(entries), _CHUNK))
    results = workers.ordered_map(read_chunk, chunks, num_workers, images.use_one_thread)
    return iter(
        tqdm.tqdm(
            itertools.chain.from_iterable(results),
            total=len(entries),
            desc="Reading pictures",
            unit="picture",
            disable=not sys.stderr.isatty(),
        )
    )


def _read_chunk(
    limits: Limits, read_picture: Read, entries: Sequence[Entry]
) -> list[dict[str, Any] | str]:
    results: list[dict[str, Any] | str] = []
    for entry in entries:
        try:
            results.append(_record(limits, read_picture, entry))
        except _RejectedError as error:
            results.append(str(error))
    return results


def _record(limits: Limits, read_picture: Read, entry: Entry) -> dict[str, Any]:
    formula = _normal_form(limits, entry.formula)
    if not entry.image.is_file():
        raise _RejectedError(f"missing picture: {entry.image.name}")
    try:
        picture = read_picture(entry.image)
    except images.BlankImageError as error:
        raise _RejectedError(f"blank picture: {error}") from None
    except images.ImageError as error:
        raise _RejectedError(f"broken picture: {error}") from None
    height, width = picture.shape
    if height > limits.max_height or width > limits.max_width:
        raise _RejectedError(f"oversized picture: {width} x {height} pixels")
    return {
        "image": mathtext.encode_png(picture),
        "formula": formula,
        "id": entry.name,
        "height": height,
        "width": width,
    }


def _normal_form(limits: Limits, raw: str) -> str:
    try:
        formula = normalize(raw)
    except NormalizeError as error:
        raise _RejectedError(f"unreadable formula: {error}") from None
    length = len(formula.split())
    if not length:
        raise _RejectedError("empty formula: nothing is left of it in the normal form")
    if length > limits.max_tokens:
        raise _RejectedError(f"long formula: {length} tokens")
    return formula


def list_rejected(
    folder: pathlib.Path, split: str, total: int, rejected: Sequence[tuple[Entry, str]]
) -> str:
    """Adds the rejected ones of `total` entries to `rejected.tsv` (split, line, image, reason).

    Args:
      folder: of the records.
      split: that the entries are for; "" where the splits are made of what is left.
      total: how many entries there are.
      rejected: each with its reason, `kind: details`.

    Returns:
      How many of which kind, for people; "" where none was rejected.
    """
    path = folder / "rejected.tsv"
    new = not path.exists()
    with path.open("a", encoding="utf-8") as file:
        if new:
            file.write("split\tline\timage\treason\n")
        for entry, reason in rejected:
            file.write(f"{split}\t{entry.line}\t{entry.name}\t{' '.join(reason.split())}\n")
    kinds = collections.Counter(reason.split(":")[0] for _, reason in rejected)
    if not kinds:
        return ""
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return (
        f"{kinds.total()} of {total} entries{f' for {split}' if split else ''} left out ({counts})"
    )
