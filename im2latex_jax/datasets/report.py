"""What a finished data set holds: figures as a table, and a page of its examples as a picture."""

import collections
import dataclasses
import os
import pathlib
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from im2latex_jax import images
from im2latex_jax.errors import Im2latexError

if TYPE_CHECKING:
    from PIL import Image

    from im2latex_jax.datasets.records import Split

_DESCRIPTION = "dataset_info.json"  # TFDS writes it when a data set is finished
_MAX_DEPTH = 4  # folders between the one that is named and the records: name, config, version
_ORDER = {"train": 0, "validation": 1, "test": 2}
_QUANTILES = (5, 50, 95, 100)
_NUM_TOKENS = 20
# The page of examples: pixels, except where said otherwise.
_COLUMNS, _COLUMN_WIDTH, _GAP = 2, 820, 16
_FONT_SIZE, _LINE_HEIGHT, _LINES = 11, 14, 2


class ReportError(Im2latexError):
    """A folder holds no finished data set, or a damaged one."""


@dataclasses.dataclass(frozen=True)
class SplitStats:
    """Figures of one split.

    Attributes:
      formulas: how often each formula comes.
      tokens: how often each token comes.
      sizes: height and width in pixels, length in tokens, bytes of the picture; `[records, 4]`.
    """

    formulas: collections.Counter[str]
    tokens: collections.Counter[str]
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)


def find(folder: str | os.PathLike) -> pathlib.Path:
    """The folder of records in or below a folder.

    Raises:
      ReportError: there is none, or more than one.
    """
    root = pathlib.Path(folder)
    if not root.is_dir():
        raise ReportError(f"{root}: there is no such folder")
    patterns = ("*/" * depth + _DESCRIPTION for depth in range(_MAX_DEPTH))
    found = [path.parent for pattern in patterns for path in sorted(root.glob(pattern))]
    if not found:
        raise ReportError(
            f"{root}: holds no finished data set (no {_DESCRIPTION} there or below): "
            "build one first, or name the folder it was built in"
        )
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(root)) for path in found[:5])
        raise ReportError(f"{root}: holds {len(found)} data sets ({names}): name one of them")
    return found[0]


def measure(folder: str | os.PathLike) -> dict[str, SplitStats]:
    """Reads every record of a data set once, and counts.

    Raises:
      ReportError: as `find`; or the data set is damaged.
    """
    return {name: _measure(split) for name, split in _splits(find(folder)).items()}


def stats(folder: str | os.PathLike) -> str:
    """The figures of a data set as text of several lines.

    Raises:
      ReportError: as `measure`.
    """
    place = find(folder)
    return "\n".join([str(place), "", *_table(measure(place)), ""])


def show(
    folder: str | os.PathLike, path: str | os.PathLike, count: int = 40, split: str = "train"
) -> int:
    """Draws examples, evenly spread over a split, with their formulas; a PNG.

    Args:
      folder: of the data set.
      path: of the picture.
      count: examples at most.
      split: `train`, `validation` or `test`.

    Returns:
      The number of examples shown.

    Raises:
      ReportError: as `find`; the data set has no such split or is damaged; or the picture cannot be
        written.
    """
    if count < 1:
        raise ReportError(f"cannot show {count} examples: show at least one")
    records = open_split(folder, split)
    chosen = np.unique(np.linspace(0, len(records) - 1, count).round().astype(int))
    page = _page([_record(records, int(number)) for number in chosen])
    try:
        page.save(path, format="PNG")
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror or error}") from error
    return len(chosen)


def open_split(folder: str | os.PathLike, name: str) -> "Split":
    """The records of one split of a data set.

    Raises:
      ReportError: as `find`; or the data set has no such split, or is damaged.
    """
    splits = _splits(find(folder))
    if name not in splits:
        raise ReportError(f"{folder}: has no split {name!r}: choose {' or '.join(splits)}")
    return splits[name]


def _splits(place: pathlib.Path) -> "dict[str, Split]":
    import tensorflow_datasets as tfds

    from im2latex_jax.datasets.records import Split

    try:
        info = tfds.builder_from_directory(place).info
        names = sorted(info.splits, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
        splits = {name: Split(place, name) for name in names}
        for split in splits.values():
            len(split)  # opens its files
    except Exception as error:  # whatever TFDS and ArrayRecord make of damaged files
        reason = " ".join(str(error).split())[:200]
        raise ReportError(f"{place}: the data set is damaged: {reason}: build it again") from error
    expected = {"image", "formula", "id", "height", "width"}
    if not splits or set(info.features or ()) != expected:
        raise ReportError(f"{place}: is not a data set of im2latex_jax")
    return splits


def _record(split: "Split", number: int) -> dict:
    try:
        return split[number]
    except Exception as error:  # as above
        reason = " ".join(str(error).split())[:200]
        raise ReportError(
            f"{split}: record {number} is damaged: {reason}: build the data set again"
        ) from error


def _measure(split: "Split") -> SplitStats:
    formulas: collections.Counter[str] = collections.Counter()
    tokens: collections.Counter[str] = collections.Counter()
    sizes = np.zeros((len(split), 4), np.int64)
    for number in range(len(split)):
        record = _record(split, number)
        words = record["formula"].split()
        formulas[record["formula"]] += 1
        tokens.update(words)
        sizes[number] = record["height"], record["width"], len(words), len(record["image"])
    return SplitStats(formulas, tokens, sizes)


def _table(splits: Mapping[str, SplitStats]) -> list[str]:
    train = splits.get("train")
    rows: list[tuple[str, list[str]]] = [("", list(splits))]

    def add(name: str, values: list[str]) -> None:
        rows.append((name, values))

    parts = list(splits.values())
    add("formulas", [f"{len(part):,}" for part in parts])
    add("different formulas", [f"{len(part.formulas):,}" for part in parts])
    if train is not None:
        shared = [sum(n for f, n in p.formulas.items() if f in train.formulas) for p in parts]
        add("formulas also in train", [
            "" if part is train else f"{number:,}"
            for part, number in zip(parts, shared, strict=True)
        ])  # fmt: skip
    add("tokens", [f"{part.tokens.total():,}" for part in parts])
    add("different tokens", [f"{len(part.tokens):,}" for part in parts])
    if train is not None:
        add("tokens not in train", [
            "" if part is train else f"{len(part.tokens.keys() - train.tokens.keys()):,}"
            for part in parts
        ])  # fmt: skip
    names = ("height (pixels)", "width (pixels)", "length (tokens)", "picture (bytes)")
    for column, name in enumerate(names):
        add(name, [
            " / ".join(f"{value:.0f}" for value in np.percentile(part.sizes[:, column], _QUANTILES))
            for part in parts
        ])  # fmt: skip
    add("pictures (MB)", [f"{part.sizes[:, 3].sum() / 1e6:,.1f}" for part in parts])
    widths = [max(len(values[at]) for _, values in rows) for at in range(len(parts))]
    first = max(len(name) for name, _ in rows)
    lines = [
        "  ".join([
            name.ljust(first),
            *(value.rjust(width) for value, width in zip(values, widths, strict=True)),
        ]).rstrip()
        for name, values in rows
    ]  # fmt: skip
    lines += ["", "Of sizes and lengths: 5 % / median / 95 % / largest.", ""]
    total: collections.Counter[str] = sum((part.tokens for part in parts), collections.Counter())
    ranked = sorted(total.items(), key=lambda entry: (-entry[1], entry[0]))
    lines.append(f"The {min(_NUM_TOKENS, len(ranked))} commonest of {len(ranked):,} tokens:")
    common = "   ".join(f"{token} {number:,}" for token, number in ranked[:_NUM_TOKENS])
    once = sum(number == 1 for _, number in ranked)
    lines += textwrap.wrap(common, 96, break_long_words=False, break_on_hyphens=False)
    lines.append(f"{once:,} tokens come once only.")
    return lines


def _page(records: Sequence[dict]) -> "Image.Image":
    """A PIL image of pictures in columns, each over its formula; pictures keep their scale."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(
        f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSansMono.ttf", _FONT_SIZE
    )
    characters = int(_COLUMN_WIDTH / font.getlength("x"))
    cells = []
    for record in records:
        picture = Image.fromarray(images.read(record["image"]))
        if picture.width > _COLUMN_WIDTH:
            height = max(1, round(picture.height * _COLUMN_WIDTH / picture.width))
            picture = picture.resize((_COLUMN_WIDTH, height), Image.Resampling.BOX)
        text = textwrap.wrap(
            record["formula"], characters, max_lines=_LINES, placeholder=" ...",
            break_on_hyphens=False,
        )  # fmt: skip
        cells.append((picture, text))
    rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
    heights = [
        max(picture.height + 4 + _LINE_HEIGHT * len(text) for picture, text in row) + 2 * _GAP
        for row in rows
    ]
    page = Image.new("L", (_COLUMNS * (_COLUMN_WIDTH + 2 * _GAP), sum(heights)), 255)
    draw = ImageDraw.Draw(page)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, (picture, text) in enumerate(row):
            left = _GAP + column * (_COLUMN_WIDTH + 2 * _GAP)
            page.paste(picture, (left, top + _GAP))
            below = top + _GAP + picture.height + 4
            for number, line in enumerate(text):
                draw.text((left, below + number * _LINE_HEIGHT), line, fill=110, font=font)
        top += height
        draw.line([(0, top), (page.width, top)], fill=225)
    return page
