"""Data sets of pictures and formulas: built once with TFDS into ArrayRecord, then read at random.

TensorFlow is not needed: see `load`.
"""

import contextlib
import dataclasses
import io
import logging
import math
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import disk_errors, files, locks

if TYPE_CHECKING:
    from im2latex_jax.datasets.records import Split

NAMES = ("synthetic", "im2latex_100k", "corpus", "pairs", "mixture")


def load(
    name: str, data_dir: str | os.PathLike, *, on_corrupt: str = "fail", **settings: Any
) -> "dict[str, Split]":
    """Opens a data set, building it first where `data_dir` does not hold it yet.

    Args:
      name: one of `NAMES`.
      data_dir: folder for the records; made if missing.
      on_corrupt: what a damaged record does: "fail", or "skip" for being left out.
      **settings: the fields of `SyntheticConfig`, `Im2latex100kConfig`, `CorpusConfig`,
        `PairsConfig` or `MixtureConfig`, and the builder's other arguments (`num_workers`).

    Returns:
      For each split (`train`, `validation`, `test`) its records, see `records.Split`.

    Raises:
      Im2latexError: an unknown name or setting, a folder that cannot be written, or what the
        builder found wrong with its input.
    """
    # TFDS takes a second to import.
    match name:
        case "synthetic":
            from im2latex_jax.datasets.synthetic.builder import Synthetic as builder_class
            from im2latex_jax.datasets.synthetic.builder import SyntheticConfig as config_class
        case "im2latex_100k":
            from im2latex_jax.datasets.im2latex_100k.builder import Im2latex100k as builder_class
            from im2latex_jax.datasets.im2latex_100k.builder import (
                Im2latex100kConfig as config_class,
            )
        case "corpus":
            from im2latex_jax.datasets.corpus.builder import Corpus as builder_class
            from im2latex_jax.datasets.corpus.builder import CorpusConfig as config_class
        case "pairs":
            from im2latex_jax.datasets.pairs.builder import Pairs as builder_class
            from im2latex_jax.datasets.pairs.builder import PairsConfig as config_class
        case "mixture":
            from im2latex_jax.datasets.mixture import (  # type: ignore[assignment]
                MixtureConfig as config_class,
            )
        case _:
            raise Im2latexError(f"unknown data set {name!r}: choose one of {', '.join(NAMES)}")
    known = {field.name for field in dataclasses.fields(config_class)}
    unknown = settings.keys() - known - {"num_workers"}
    if unknown:
        raise Im2latexError(
            f"data set {name} has no setting {', '.join(sorted(unknown))}: "
            f"it has {', '.join(sorted(known))}"
        )
    if on_corrupt not in ("fail", "skip"):
        raise Im2latexError(f"config.dataset.on_corrupt is {on_corrupt!r}: use 'fail' or 'skip'")
    config = config_class(**{key: settings[key] for key in settings.keys() & known})
    splits: Any
    if name == "mixture":
        from im2latex_jax.datasets import mixture

        splits = mixture.load(config, data_dir)
    else:
        num_workers = settings.get("num_workers")
        splits = build(builder_class, data_dir, config=config, num_workers=num_workers)
    for split in splits.values():
        split.skip_corrupt = on_corrupt == "skip"
    return splits


def build(builder_class, data_dir: str | os.PathLike, **arguments: Any) -> "dict[str, Split]":
    """Prepares a builder's data set, unless that was done before, and opens its splits.

    Of several processes one builds while the others wait for it. Whoever builds also measures the
    records, see `statistics`.

    Args:
      builder_class: a TFDS builder of this package.
      data_dir: folder for the records; made if missing.
      **arguments: of the builder.

    Raises:
      Im2latexError: `data_dir` cannot be written, or the builder found something wrong.
    """
    from im2latex_jax.datasets.records import Split

    try:
        with _quiet_tfds(), _same_bytes():
            builder = builder_class(data_dir=os.fspath(data_dir), **arguments)
            if not builder.is_prepared():
                place = pathlib.Path(builder.data_dir)
                busy = f"{place}: another process builds this data set"
                with locks.held(
                    place.with_name(f"{place.name}.lock"),
                    busy,
                    patience=math.inf,
                    remark=f"{busy}: waiting for its end",
                ):
                    builder = _prepared(builder_class, data_dir, arguments)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Im2latexError(f"{data_dir}: cannot build the data set there: {reason}") from error
    except RuntimeError as error:
        refused = disk_errors.reason(error)  # so ArrayRecord's writer reports a full disk
        if refused is None:
            raise
        raise Im2latexError(f"{data_dir}: cannot build the data set there: {refused}") from error
    return {name: Split(builder.data_dir, name) for name in builder.info.splits}


def _prepared(builder_class, data_dir: str | os.PathLike, arguments: Mapping[str, Any]) -> Any:
    """The builder, its data set built and measured; to be called by one process at a time."""
    from im2latex_jax.datasets import statistics
    from im2latex_jax.datasets.records import Split

    builder = builder_class(data_dir=os.fspath(data_dir), **arguments)
    if not builder.is_prepared():  # else by the process that was waited for
        # What a build left that was killed.
        for folder in pathlib.Path(builder.data_dir).parent.glob("incomplete.*"):
            shutil.rmtree(folder)
        builder.download_and_prepare(file_format="array_record")
        files.sync_tree(builder.data_dir)
        for name in builder.info.splits:
            statistics.load(Split(builder.data_dir, name), arguments.get("num_workers"))
    return builder


@contextlib.contextmanager
def _same_bytes() -> Iterator[None]:
    """Makes TFDS write the same bytes for the same records.

    It leaves the order of a record's features to protobuf, which changes it from process to process
    unless it is asked not to.
    """
    from tensorflow_datasets.core.example_serializer import ExampleSerializer

    def serialize(self: Any, example: Any) -> bytes:
        return self.get_tf_example(example).SerializeToString(deterministic=True)

    original = ExampleSerializer.serialize_example
    ExampleSerializer.serialize_example = serialize  # type: ignore[method-assign]
    try:
        yield
    finally:
        ExampleSerializer.serialize_example = original  # type: ignore[method-assign]


@contextlib.contextmanager
def _quiet_tfds() -> Iterator[None]:
    """Keeps TFDS's own messages and bars off the terminal: the builders show their progress."""
    import tensorflow_datasets as tfds

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    tfds.disable_progress_bar()
    logger = logging.getLogger("absl")
    logger.addFilter(is_error)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.removeFilter(is_error)
