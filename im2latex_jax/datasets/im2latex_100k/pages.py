"""What a worker process does for im2latex-100k; imports neither TFDS nor JAX."""

import dataclasses
from typing import Any

import cv2

from im2latex_jax import images
from im2latex_jax.datasets.im2latex_100k.release import Entry
from im2latex_jax.latex.normalizer import NormalizeError, normalize
from im2latex_jax.rendering import mathtext


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is left out: see the fields of the same names in `builder.Im2latex100kConfig`."""

    max_height: int
    max_width: int
    max_tokens: int


class _RejectedError(Exception):
    """An entry is left out; the text is `kind: details`."""


def prepare_worker() -> None:
    """Sets a worker process up: OpenCV must not start threads, the workers have every processor."""
    cv2.setNumThreads(1)


def read_chunk(limits: Limits, entries: list[Entry]) -> list[dict[str, Any] | str]:
    """For each entry its record, or the reason (`kind: details`) why it is left out."""
    results: list[dict[str, Any] | str] = []
    for entry in entries:
        try:
            results.append(_record(limits, entry))
        except _RejectedError as error:
            results.append(str(error))
    return results


def _record(limits: Limits, entry: Entry) -> dict[str, Any]:
    formula = _normal_form(limits, entry.formula)
    if not entry.image.is_file():
        raise _RejectedError(f"missing picture: {entry.image.name}")
    try:
        page = images.to_ink(images.read(entry.image))
        picture = 255 - images.halve(images.crop(page))
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
