"""Damage to a data set, as a bad disk does it."""

import pathlib
from collections.abc import Container

from im2latex_jax.datasets.records import Split
from im2latex_jax.errors import CorruptRecordError


def damage_one(
    split: Split, wanted: Container[int] | None = None
) -> tuple[int, pathlib.Path, bytes]:
    """Changes bytes of a split's file until exactly one record, of those wanted, cannot be read.

    Returns:
      The record's number, the file, and what it held before.
    """
    path = pathlib.Path(split.place(0).rpartition(":")[0])
    content = path.read_bytes()
    for start in range(len(content) // 20, len(content) // 2, 487):
        path.write_bytes(content[:start] + bytes(8) + content[start + 8 :])
        broken = unreadable(split)
        if len(broken) == 1 and (wanted is None or broken[0] in wanted):
            return broken[0], path, content
    raise AssertionError(f"no damage to {path} broke a single record")


def unreadable(split: Split) -> list[int]:
    """Numbers of the records that cannot be read from the disk now."""
    fresh = Split(split.directory, split.name)
    broken = []
    for number in range(len(fresh)):
        try:
            fresh[number]
        except CorruptRecordError:
            broken.append(number)
    return broken
