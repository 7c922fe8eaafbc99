"""Parameters as a safetensors file: names of the tree joined by slashes. Nothing unpickles."""

import os
import struct

import flax.traverse_util
import jax
import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import files, safe_text, untrusted

DTYPES = ("F16", "F32")  # as safetensors names them
MAX_FILE_BYTES = 16 << 30
MAX_HEADER_BYTES = 10 << 20
_MAX_NAME = 200  # characters of an array's name, in a message


class WeightsError(Im2latexError):
    """A file of weights is broken or does not fit the network."""


def save(path: str | os.PathLike[str], params, dtype: npt.DTypeLike = np.float32) -> None:
    """Writes a tree of arrays as `dtype`; the file appears whole or not at all."""
    flat = flax.traverse_util.flatten_dict(params, sep="/")
    arrays = {name: np.ascontiguousarray(array, dtype) for name, array in flat.items()}
    with files.replacing(path) as part:
        # not `save_file`, whose files nobody else may read
        part.write_bytes(safetensors.numpy.save(arrays))


def load(path: str | os.PathLike[str], like):
    """Reads a tree of float32 arrays of the names and shapes of `like`.

    Names, shapes and types are compared before any array is read.

    Raises:
      WeightsError: if the file cannot be read, holds other names, shapes or types, or a number that
        is not finite.
    """
    expected = flax.traverse_util.flatten_dict(like, sep="/")
    try:
        with untrusted.open_file(path, MAX_FILE_BYTES) as file:
            (header_bytes,) = struct.unpack("<Q", file.read(8))
        if header_bytes > MAX_HEADER_BYTES:
            raise WeightsError(f"{path}: cannot read the weights: the header is too large")
        with safetensors.safe_open(path, framework="numpy") as opened:
            _compare(path, opened, expected)
            flat = {name: opened.get_tensor(name).astype(np.float32) for name in expected}
    except untrusted.UntrustedFileError as error:
        raise WeightsError(str(error)) from error
    except (OSError, struct.error, safetensors.SafetensorError) as error:
        reason = safe_text.printable(" ".join(str(error).split())[:_MAX_NAME])
        raise WeightsError(f"{path}: cannot read the weights: {reason}") from error
    for name, array in flat.items():
        if not np.isfinite(array).all():
            raise WeightsError(f"{path}: {name} holds numbers that are not finite: it is damaged")
    return jax.tree.map(jax.numpy.asarray, flax.traverse_util.unflatten_dict(flat, sep="/"))


def _compare(path: str | os.PathLike[str], opened, expected: dict) -> None:
    """Raises `WeightsError` if the arrays of an open file are not those that are expected."""
    for name in sorted({*opened.keys()} ^ expected.keys()):
        where = "missing from the file" if name in expected else "only in the file"
        shown = safe_text.printable(name[:_MAX_NAME])
        raise WeightsError(f"{path}: the weights are of another network: {shown} is {where}")
    for name, array in expected.items():
        found = opened.get_slice(name)
        if tuple(found.get_shape()) != array.shape:
            raise WeightsError(
                f"{path}: the weights are of another network: {name} has the shape "
                f"{tuple(found.get_shape())}, not {array.shape}"
            )
        if found.get_dtype() not in DTYPES:
            raise WeightsError(
                f"{path}: {name} holds numbers of type {found.get_dtype()}: "
                f"{' and '.join(DTYPES)} are read"
            )
