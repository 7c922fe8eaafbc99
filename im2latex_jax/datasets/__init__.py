"""Data sets of pictures and formulas: built once with TFDS into ArrayRecord, then read at random.

TensorFlow is not needed: see `load`.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from im2latex_jax.errors import Im2latexError

if TYPE_CHECKING:
    from im2latex_jax.datasets.records import Split

NAMES = ("synthetic",)


def load(name: str, data_dir: str | os.PathLike, **builder_kwargs: Any) -> "dict[str, Split]":
    """Opens a data set, building it first where `data_dir` does not hold it yet.

    Args:
      name: one of `NAMES`.
      data_dir: folder for the records; made if missing.
      **builder_kwargs: for `synthetic`, the fields of `SyntheticConfig` and `num_workers`.

    Returns:
      For each split (`train`, `validation`, `test`) its records, see `records.Split`.

    Raises:
      Im2latexError: an unknown name or setting, or what the builder found wrong with its input.
    """
    if name != "synthetic":
        raise Im2latexError(f"unknown data set {name!r}: choose one of {', '.join(NAMES)}")
    # TFDS takes a second to import.
    from im2latex_jax.datasets import synthetic

    num_workers = builder_kwargs.pop("num_workers", None)
    try:
        config = synthetic.SyntheticConfig(**builder_kwargs)
    except TypeError as error:
        raise Im2latexError(f"synthetic: {error}") from None
    return _build(synthetic.Synthetic, data_dir, config=config, num_workers=num_workers)


def _build(builder_class, data_dir: str | os.PathLike, **builder_kwargs: Any) -> "dict[str, Split]":
    """Prepares a builder's data set, unless that was done before, and opens its splits."""
    from im2latex_jax.datasets.records import Split

    with _quiet_tfds():
        builder = builder_class(data_dir=os.fspath(data_dir), **builder_kwargs)
        builder.download_and_prepare(file_format="array_record")
    return {name: Split(builder.data_dir, name) for name in builder.info.splits}


@contextlib.contextmanager
def _quiet_tfds() -> Iterator[None]:
    """Keeps TFDS's own messages and bars off the terminal: the builders show their progress."""
    import tensorflow_datasets as tfds
    from absl import logging

    tfds.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)
