"""Parameters as a safetensors file: names of the tree joined by slashes. Nothing unpickles."""

import os

import flax.traverse_util
import jax
import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import files


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

    Raises:
      WeightsError: if the file cannot be read, or holds other names or shapes.
    """
    try:
        flat = safetensors.numpy.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(f"{path}: cannot read the weights: {error}") from error
    expected = flax.traverse_util.flatten_dict(like, sep="/")
    for name in sorted(flat.keys() ^ expected.keys()):
        where = "only in the file" if name in flat else "missing from the file"
        raise WeightsError(f"{path}: the weights are of another network: {name} is {where}")
    for name, array in flat.items():
        if array.shape != expected[name].shape:
            raise WeightsError(
                f"{path}: the weights are of another network: {name} has the shape "
                f"{array.shape}, not {expected[name].shape}"
            )
    flat = {name: array.astype(np.float32) for name, array in flat.items()}
    return jax.tree.map(jax.numpy.asarray, flax.traverse_util.unflatten_dict(flat, sep="/"))
