"""The data card: what was read, what was left out and why, and what the records look like."""

import array
import collections
import io
import json
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from im2latex_jax import __version__
from im2latex_jax.datasets.corpus.drawing import code_digest
from im2latex_jax.datasets.corpus.selection import SPLITS, Candidate, Rejected
from im2latex_jax.datasets.corpus.sources import Reason, Source

# The stages in their order, and the kinds of reason for which each leaves formulas out.
STAGES = {
    "readable": (
        *("line too long", "wrong encoding", "empty line", "control character", "missing column"),
    ),
    "normalized": ("not normalized",),
    "within the token limits": ("too few tokens", "too many tokens"),
    "not excluded": ("excluded",),
    "without duplicates": ("duplicate", "duplicate in another split"),
    "drawn": ("not drawn",),
    "within the size limits": ("too high", "too wide"),
}
_NUM_REASONS = 30
_NUM_TOKENS = 40
_COLUMNS = ("height", "width", "tokens", "png_bytes")
_QUANTILES = (0, 5, 50, 95, 100)


def describe(source: Source) -> dict[str, Any]:
    """What the card says of a source that was read to its end."""
    description: dict[str, Any] = {
        "sha256": source.digest().hex(),
        "lines": source.num_lines,
        "of_the_wanted_kinds": source.num_wanted,
    }
    if source.remark:
        description["remark"] = "line ends are mixed"
    return description


class _Rejections:
    """Lines that were left out, in about 20 bytes each: there may be as many as there are formulas.

    Their reasons are few, or alike.
    """

    def __init__(self) -> None:
        # Source, line, number of the reason (with the split), in the order in which they came.
        self._rows = array.array("q")
        self._reasons: dict[tuple[str, Reason], int] = {}

    def add(self, rejected: Rejected, split: str) -> None:
        number = self._reasons.setdefault((split, rejected.reason), len(self._reasons))
        self._rows.extend((rejected.source, rejected.line, number))

    def merge(self, other: "_Rejections") -> None:
        numbers = [self._reasons.setdefault(x, len(self._reasons)) for x in other._reasons]
        rows = other._table().copy()
        rows[:, 2] = np.asarray(numbers, np.int64)[rows[:, 2]]
        self._rows.frombytes(rows.tobytes())

    def _table(self) -> np.ndarray:
        """[N, 3]: source, line, number of the reason."""
        return np.frombuffer(self._rows, np.int64).reshape(-1, 3)

    def counts(self) -> list[tuple[Reason, int]]:
        """How many lines were left out for each reason."""
        counts = np.bincount(self._table()[:, 2], minlength=len(self._reasons))
        return [(reason, int(n)) for (_, reason), n in zip(self._reasons, counts, strict=True)]

    def kinds(self) -> collections.Counter[str]:
        """How many lines were left out for each kind of reason."""
        kinds: collections.Counter[str] = collections.Counter()
        for reason, count in self.counts():
            kinds[reason.kind] += count
        return kinds

    def sorted(self) -> Iterator[tuple[int, int, str, Reason]]:
        """Source, line, split and reason of each, by source and line."""
        table = self._table()
        reasons = list(self._reasons)
        for row in np.lexsort((table[:, 1], table[:, 0])):
            source, line, number = table[row].tolist()
            yield source, line, *reasons[number]


class _Distribution:
    """How often each of some whole numbers comes: in the memory of the different ones."""

    def __init__(self) -> None:
        self._counts: collections.Counter[int] = collections.Counter()

    def add(self, value: int) -> None:
        self._counts[value] += 1

    def merge(self, other: "_Distribution") -> None:
        self._counts.update(other._counts)

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """The different numbers, ascending, and how often each comes."""
        values, counts = np.asarray(sorted(self._counts.items()), np.int64).T
        return values, counts

    def total(self) -> int:
        """The sum."""
        return sum(value * count for value, count in self._counts.items())

    def percentiles(self, quantiles: Sequence[int]) -> np.ndarray:
        """As `np.percentile` of all the numbers."""
        values, counts = self.table()
        ends = np.cumsum(counts)
        places = np.asarray(quantiles) / 100 * (ends[-1] - 1)
        low, high = (
            values[np.searchsorted(ends, edge(places).astype(np.int64), side="right")]
            for edge in (np.floor, np.ceil)
        )
        return low + (high - low) * (places - np.floor(places))


class Tally:
    """Counts while a data set is built, and writes its card.

    Attributes:
      names: of the sources.
      kept: number of records of each split.
    """

    def __init__(self, settings: Mapping[str, Any], names: Sequence[str]):
        self.names = list(names)
        self.kept = collections.Counter[str]()
        self._settings = dict(settings)
        self._rejected = _Rejections()
        self._sources: dict[int, dict[str, Any]] = {}
        self._exclusions = {"formulas": 0, "not_readable": 0}
        self._sizes = {split: {name: _Distribution() for name in _COLUMNS} for split in SPLITS}
        self._groups: dict[str, set[str]] = {split: set() for split in SPLITS}
        self._tokens: dict[str, collections.Counter[str]] = {
            split: collections.Counter() for split in SPLITS
        }

    def read(self, number: int, description: dict[str, Any]) -> None:
        """Takes down what `describe` says of a source."""
        self._sources[number] = {"file": self.names[number], **description}

    def exclude(self, num_excluded: int, num_refused: int) -> None:
        """Takes down how many formulas of the lists to exclude were read, and were not."""
        self._exclusions = {"formulas": num_excluded, "not_readable": num_refused}

    def reject(self, rejected: Rejected, split: str = "") -> None:
        """Counts a line that is left out."""
        self._rejected.add(rejected, split)

    def keep(self, split: str, candidate: Candidate, size: tuple[int, int, int]) -> None:
        """Counts a record; `size` is that of its picture (see `Picture`)."""
        tokens = candidate.formula.split(" ")
        self.kept[split] += 1
        self._tokens[split].update(tokens)
        height, width, num_bytes = size
        sizes = (height, width, len(tokens), num_bytes)
        for name, value in zip(_COLUMNS, sizes, strict=True):
            self._sizes[split][name].add(value)
        if candidate.group:
            self._groups[split].add(candidate.group)

    def merge(self, other: "Tally") -> None:
        """Adds what another tally of the same build has counted."""
        self.kept.update(other.kept)
        self._rejected.merge(other._rejected)
        self._sources |= other._sources
        self._exclusions = {
            name: count + other._exclusions[name] for name, count in self._exclusions.items()
        }
        for split in SPLITS:
            for name, sizes in self._sizes[split].items():
                sizes.merge(other._sizes[split][name])
            self._groups[split] |= other._groups[split]
            self._tokens[split].update(other._tokens[split])

    def summary(self) -> str:
        """In one line: how much is kept and why the rest is not."""
        kinds = self._rejected.kinds()
        total = sum(source["of_the_wanted_kinds"] for source in self._sources.values())
        left_out = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        kept = sum(self.kept.values())
        return f"{kept:,} of {total:,} formulas drawn and kept" + (
            f"; left out: {left_out}" if left_out else ""
        )

    def stages(self) -> list[tuple[str, int, dict[str, int]]]:
        """For each stage what passed it, and how many were left out for which kind of reason."""
        kinds = self._rejected.kinds()
        count = sum(source["of_the_wanted_kinds"] for source in self._sources.values())
        stages: list[tuple[str, int, dict[str, int]]] = [("formulas read", count, {})]
        for stage, reasons in STAGES.items():
            left_out = {reason: kinds[reason] for reason in reasons if kinds[reason]}
            count -= sum(left_out.values())
            stages.append((stage, count, left_out))
        return stages

    def card(self) -> dict[str, Any]:
        """Everything that `card.json` holds."""
        details: collections.Counter[tuple[str, str]] = collections.Counter()
        for reason, count in self._rejected.counts():
            if reason.kind in ("not normalized", "not drawn"):
                details[reason.kind, re.sub(r"\d+", "N", reason.detail)] += count
        return {
            "im2latex_jax": __version__,
            "code": code_digest(),
            "settings": self._settings,
            "sources": [self._sources[number] for number in sorted(self._sources)],
            "excluded": self._exclusions,
            "stages": [
                {"stage": stage, "formulas": count, "left_out": left_out}
                for stage, count, left_out in self.stages()
            ],
            "reasons": [
                {"kind": kind, "reason": detail, "formulas": count}
                for (kind, detail), count in _by_count(details)[:_NUM_REASONS]
            ],
            "splits": {split: self._split(split) for split in SPLITS},
        }

    def _split(self, split: str) -> dict[str, Any]:
        sizes = self._sizes[split]
        return {
            "formulas": self.kept[split],
            "groups": len(self._groups[split]),
            "distinct_tokens": len(self._tokens[split]),
            "tokens_not_in_train": len(self._tokens[split].keys() - self._tokens["train"].keys()),
            **{
                name: dict(
                    zip(
                        [f"p{quantile}" for quantile in _QUANTILES],
                        values.percentiles(_QUANTILES).round(1).tolist(),
                        strict=True,
                    )
                )
                for name, values in sizes.items()
            },
            "total_png_bytes": sizes["png_bytes"].total(),
        }

    def write(self, folder: pathlib.Path) -> None:
        """Writes README.md, card.json, card.png, tokens.tsv and rejected.tsv."""
        content = self.card()
        _write(folder / "card.json", json.dumps(content, indent=2) + "\n")
        _write(folder / "README.md", self._readme(content))
        tokens = sum(self._tokens.values(), collections.Counter())
        rows = [f"{token}\t{count}\n" for token, count in _by_count(tokens)]
        _write(folder / "tokens.tsv", "token\tcount\n" + "".join(rows))
        with (folder / "rejected.tsv").open("wb") as file:
            file.write(b"file\tline\tsplit\tkind\treason\n")
            for source, line, split, reason in self._rejected.sorted():
                detail = " ".join(reason.detail.split())
                row = f"{self.names[source]}\t{line}\t{split}\t{reason.kind}\t{detail}\n"
                file.write(row.encode("utf-8", "backslashreplace"))
        self._draw(folder / "card.png")

    def _readme(self, content: dict[str, Any]) -> str:
        lines = ["# Data card", "", f"{self.summary()}.", "", "![sizes, lengths, tokens](card.png)"]
        lines += ["", "## Sources", "", "| file | lines | of the wanted kinds |", "|---|--:|--:|"]
        for source in content["sources"]:
            name, total, wanted = source["file"], source["lines"], source["of_the_wanted_kinds"]
            lines.append(f"| {name} | {total:,} | {wanted:,} |")
        excluded = content["excluded"]
        lines += [
            "",
            f"Lists to exclude: {excluded['formulas']:,} different formulas in canonical form "
            f"({excluded['not_readable']:,} more cannot be read, here or in the sources).",
        ]
        lines += ["", "## Stages", "", "| stage | formulas | left out |", "|---|--:|---|"]
        for stage, count, left_out in self.stages():
            reasons = ", ".join(f"{number:,} {kind}" for kind, number in left_out.items())
            lines.append(f"| {stage} | {count:,} | {reasons} |")
        lines += [
            "",
            "Every line that was left out is in `rejected.tsv`. The commonest reasons:",
            "",
        ]
        lines += ["| formulas | kind | reason |", "|--:|---|---|"]
        for reason in content["reasons"]:
            detail = _cell(reason["reason"])
            lines.append(f"| {reason['formulas']:,} | {reason['kind']} | {detail} |")
        lines += ["", "## Splits", "", "| | " + " | ".join(SPLITS) + " |", "|---|--:|--:|--:|"]
        splits = [content["splits"][split] for split in SPLITS]
        for name in ("formulas", "groups", "distinct_tokens", "tokens_not_in_train"):
            cells = (f"{split[name]:,}" for split in splits)
            lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
        for name in ("height", "width", "tokens", "png_bytes"):
            cells = (" / ".join(f"{value:g}" for value in split[name].values()) for split in splits)
            lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
        lines += ["", "Of sizes and lengths: smallest / 5 % / median / 95 % / largest."]
        lines += ["", "## Tokens", "", f"The {_NUM_TOKENS} commonest; all are in `tokens.tsv`.", ""]
        tokens = sum(self._tokens.values(), collections.Counter())
        lines.append(
            ", ".join(f"`{token}` {count:,}" for token, count in _by_count(tokens)[:_NUM_TOKENS])
        )
        lines += ["", "## Settings", "", "| setting | value |", "|---|---|"]
        lines += [f"| {name} | {_cell(str(v))} |" for name, v in content["settings"].items()]
        lines += ["", f"Made by im2latex_jax {__version__} (code {content['code']})."]
        return "\n".join([*lines, ""])

    def _draw(self, path: pathlib.Path) -> None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 7), layout="constrained")
        axes = figure.subplots(2, 2)
        names = ("height (pixels)", "width (pixels)", "length (tokens)")
        for plot, name, column in zip(axes.flat, names, _COLUMNS, strict=False):
            tables = {split: self._sizes[split][column].table() for split in SPLITS}
            edges = np.linspace(0, max(values[-1] for values, _ in tables.values()) + 1, 61)
            for split, (values, counts) in tables.items():
                weights = counts * (100 / self.kept[split])
                plot.hist(values, edges, weights=weights, histtype="step", label=split)
            plot.set_xlabel(name)
            plot.set_ylabel("formulas (%)")
            plot.grid(alpha=0.3)
        axes[0, 0].legend()
        ranked = sorted(self._tokens["train"].values(), reverse=True)
        axes[1, 1].loglog(range(1, len(ranked) + 1), ranked)
        axes[1, 1].set_xlabel("rank of the token in train")
        axes[1, 1].set_ylabel("count")
        axes[1, 1].grid(alpha=0.3)
        figure.suptitle(
            ", ".join(f"{self.kept[split]:,} {split}" for split in SPLITS) + " formulas"
        )
        # No version of matplotlib in the file: the same data give the same bytes.
        png = io.BytesIO()
        figure.savefig(png, dpi=100, metadata={"Software": None})
        path.write_bytes(png.getvalue())


def _by_count(counter: collections.Counter) -> list[tuple[Any, int]]:
    """Entries, the most frequent first, in a fixed order where they are equal."""
    return sorted(counter.items(), key=lambda entry: (-entry[1], entry[0]))


def _cell(text: str) -> str:
    """Text as a cell of a Markdown table."""
    text = " ".join(text.split()).replace("|", "\\|").replace("`", "'")
    return f"`{text[:150]}`" if text else ""


def _write(path: pathlib.Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
