"""python -m experiments.tools.release_formulas --data FOLDER --out DIR

Gathers the formulas that the released model is trained on, for `configs/release.py`:

- `everyday-0.tsv`, `everyday-1.tsv`: everyday formulas of the grammar (`datasets.everyday`),
  respelled; short ones stand there several times, to be drawn in several looks.
- `papers-0.tsv` to `papers-3.tsv`: a random quarter each of `arxiv_formulas.tsv.xz` and
  `more_formulas.tsv.xz`, respelled (`latex.uniform_spelling`), each formula once in all of them.
- `official.tsv`: the official validation formulas of im2latex-100k from line 1,001 on, as they are.
- `held_out.txt`: what must not come in, by canonical form: the first 1,000 of those formulas,
  `not_to_train_on.txt`, all formulas of the sample of original pages, the textbook and the everyday
  formulas of the reports, and the truths of `../cases/truth.json` (beside FOLDER) of more than
  eight tokens.
- `vocabulary.json`: all tokens; formulas with tokens that are too rare have been left out.

A line is `group<TAB>kind<TAB>formula`.
"""

import argparse
import collections
import contextlib
import dataclasses
import functools
import json
import lzma
import pathlib
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence

import tqdm

from experiments import command_line
from im2latex_jax.datasets import everyday
from im2latex_jax.datasets.corpus.selection import digest
from im2latex_jax.datasets.im2latex_100k import release
from im2latex_jax.latex.canonical import canonicalize
from im2latex_jax.latex.normalizer import NormalizeError
from im2latex_jax.latex.safety import refusal
from im2latex_jax.latex.uniform_spelling import respell
from im2latex_jax.latex.vocabulary import SPECIAL_TOKENS, Vocabulary
from im2latex_jax.runtime import files, workers

HELD_OUT = 1_000  # official validation formulas that are never trained on
NUM_PAPERS = 4
NUM_EVERYDAY = 2
_CHUNK = 500
_MIN_CASE_TOKENS = 9  # shorter truths are symbols that no training set can do without
_EVERYDAY_SEED = 20_000
_FOLDER = pathlib.Path(__file__).parent.parent / "reports"
LISTS = ("textbook_formulas.tsv", "everyday_formulas.tsv")


@dataclasses.dataclass(frozen=True)
class Line:
    """A formula of the lists, with the group that must not be torn apart and where it is from."""

    group: str
    kind: str
    formula: str


@dataclasses.dataclass(frozen=True)
class Read:
    """A line as it is written, and a hash of its respelling, which tells formulas apart."""

    line: Line
    digest: bytes


def main() -> int:
    parser = command_line.parser("tools.release_formulas", __doc__)
    add = parser.add_argument
    add("--data", type=pathlib.Path, required=True, help="folder of the data")
    add("--out", type=pathlib.Path, required=True, help="folder for the lists")
    add("--num-everyday", type=int, default=120_000, help="of each everyday part")
    add("--max-repeats", type=int, default=24, help="of one everyday formula")
    add("--max-tokens", type=int, default=200)
    add("--min-count", type=int, default=12, help="rarer tokens, and their formulas, are left out")
    add("--num-workers", type=int, default=workers.available_cpus())
    counts = gather(parser.parse_args())
    print(", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())))
    return 0


def gather(settings: argparse.Namespace) -> collections.Counter[str]:
    """Writes the lists; returns how many formulas of each kind stand in them, and why not.

    The vocabulary comes from the everyday formulas and the first part of the papers; the other
    parts hold no other tokens.
    """
    out: pathlib.Path = settings.out
    out.mkdir(parents=True, exist_ok=True)
    held_out = list(held_out_formulas(settings.data))
    files.write_text(out / "held_out.txt", "\n".join(held_out) + "\n")
    counts = collections.Counter({"held out": len(held_out)})
    seen = {found for found in map(_digest, held_out) if found is not None}
    counts["held out, different"] = len(seen)

    def distinct(
        lines: Iterable[Line], times: collections.Counter[bytes], repeats: int
    ) -> list[Read]:
        """Those that may come in: none of `seen`, and each so often, counting `times`."""
        kept = []
        prepare = functools.partial(_prepare_chunk, settings.max_tokens)
        results = workers.ordered_map(prepare, _chunks(lines), settings.num_workers)
        for result in tqdm.tqdm(
            (one for chunk in results for one in chunk), disable=not sys.stderr.isatty()
        ):
            if isinstance(result, str):
                counts[f"left out: {result}"] += 1
            elif result.digest in seen or times[result.digest] == repeats:
                counts["left out: held out or there already"] += 1
            else:
                times[result.digest] += 1
                kept.append(result)
        return kept

    def once(lines: Iterable[Line]) -> list[Read]:
        times = collections.Counter[bytes]()
        kept = distinct(lines, times, 1)
        seen.update(times)
        return kept

    short_times = collections.Counter[bytes]()

    def everyday_part(part: int) -> list[Read]:
        numbers = range(part * settings.num_everyday, (part + 1) * settings.num_everyday)
        return distinct(everyday_lines(numbers), short_times, (part + 1) * settings.max_repeats)

    official = once(official_lines(settings.data))
    short = everyday_part(0)
    seen.update(short_times)
    first = once(paper_lines(settings.data, 0))
    frequency = collections.Counter[str]()
    for read in (*official, *short, *first):
        frequency.update(set(read.line.formula.split(" ")))
    frequent = {token for token, count in frequency.items() if count >= settings.min_count}
    # The official lines keep their rare tokens, which are read as <unk>.
    _write(out / "official.tsv", official, None, counts)
    _write(out / "everyday-0.tsv", short, frequent, counts)
    used = _write(out / "papers-0.tsv", first, frequent, counts)
    for read in (*official, *short):
        used.update(read.line.formula.split(" "))
    vocabulary = sorted(used & frequent, key=lambda token: (-frequency[token], token))
    Vocabulary((*SPECIAL_TOKENS, *vocabulary)).save(out / "vocabulary.json")
    # An everyday formula of an earlier part may come again, in the same split.
    seen.difference_update(short_times)
    for part in range(1, NUM_EVERYDAY):
        _write(out / f"everyday-{part}.tsv", everyday_part(part), set(vocabulary), counts)
    seen.update(short_times)
    for part in range(1, NUM_PAPERS):
        lines = once(paper_lines(settings.data, part))
        _write(out / f"papers-{part}.tsv", lines, set(vocabulary), counts)
    files.write_text(out / "counts.json", json.dumps(counts, indent=1, sort_keys=True) + "\n")
    return counts


def _write(
    path: pathlib.Path,
    reads: Sequence[Read],
    allowed: set[str] | None,
    counts: collections.Counter[str],
) -> set[str]:
    """Writes a list of formulas of allowed tokens; returns the tokens."""
    used: set[str] = set()
    rows = []
    for read in reads:
        tokens = set(read.line.formula.split(" "))
        if allowed is not None and not tokens <= allowed:
            counts["left out: rare tokens"] += 1
            continue
        used |= tokens
        counts[f"{path.stem}: {read.line.kind}"] += 1
        rows.append(f"{read.line.group}\t{read.line.kind}\t{read.line.formula}\n")
    files.write_text(path, "".join(rows))
    return used


def held_out_formulas(data: pathlib.Path) -> Iterator[str]:
    """Everything that must not come in, a formula a line."""
    yield from official_formulas(data)[:HELD_OUT]
    yield from (data / "not_to_train_on.txt").read_text("utf-8").splitlines()
    sample = data / "im2latex-100k-sample"
    if sample.is_dir():
        for entries in release.read(release.find(sample)).values():
            yield from (" ".join(entry.formula.split()) for entry in entries)
    for name in LISTS:
        for row in (_FOLDER / name).read_text("utf-8").splitlines():
            yield row.split("\t")[1]
    truths = data.parent / "cases" / "truth.json"
    if truths.is_file():
        for truth in sorted(set(json.loads(truths.read_text("utf-8")).values())):
            with contextlib.suppress(NormalizeError):
                if canonicalize(truth).count(" ") + 1 >= _MIN_CASE_TOKENS:
                    yield truth


def _digest(formula: str) -> bytes | None:
    """What is the same for all formulas that are respelled alike; None if one cannot be."""
    try:
        return digest(respell(formula))
    except NormalizeError:
        return None


def official_formulas(data: pathlib.Path) -> list[str]:
    """The official validation formulas."""
    return (data / "im2latex-100k" / "val.formulas.norm.txt").read_text("utf-8").splitlines()


def official_lines(data: pathlib.Path) -> Iterator[Line]:
    for number, formula in enumerate(official_formulas(data)[HELD_OUT:], start=HELD_OUT + 1):
        yield Line(f"im2latex-{number}", "official", formula)


def everyday_lines(numbers: Iterable[int]) -> Iterator[Line]:
    """Everyday formulas; without a group, a formula's repetitions come into one split."""
    for number in numbers:
        yield Line("", "everyday", everyday.generate(_EVERYDAY_SEED, number))


def paper_lines(data: pathlib.Path, part: int) -> Iterator[Line]:
    """The formulas of papers and school books, a random one of `NUM_PAPERS` parts."""
    for name in ("arxiv_formulas.tsv.xz", "more_formulas.tsv.xz"):
        with lzma.open(data / name, "rt", encoding="utf-8", newline="\n") as lines:
            for line in lines:
                columns = line.rstrip("\n").split("\t", 2)
                if len(columns) == 3 and zlib.crc32(line.encode()) % NUM_PAPERS == part:
                    yield Line(*columns)


def _chunks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _prepare_chunk(max_tokens: int, lines: Sequence[Line]) -> list[Read | str]:
    return [_prepare(max_tokens, line) for line in lines]


def _prepare(max_tokens: int, line: Line) -> Read | str:
    """The line as it is written, or why it is left out."""
    official = line.kind == "official"
    try:
        written = respell(line.formula)
    except NormalizeError:
        return "not readable, or layout by hand"
    found = digest(written)
    if official:
        written = line.formula
    if written.count(" ") + 1 > max_tokens:
        return "too many tokens"
    if not official and refusal(written):
        return "not drawable"
    return Read(dataclasses.replace(line, formula=written), found)


if __name__ == "__main__":
    sys.exit(main())
