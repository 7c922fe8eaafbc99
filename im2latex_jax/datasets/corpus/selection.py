"""Which formulas of the sources come into which split: pure text, no pictures."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from im2latex_jax.datasets.corpus.sources import Line, Reason, Source
from im2latex_jax.latex.canonical import canonicalize
from im2latex_jax.latex.normalizer import NormalizeError, normalize
from im2latex_jax.runtime import workers

SPLITS = ("train", "validation", "test")
# A formula that stands in several splits stays in the first of these. The evaluation splits then
# do not depend on the training formulas, and lose none of the common ones.
_PRECEDENCE = ("test", "validation", "train")
_CHUNK = 500  # lines that a worker reads at a time


@dataclasses.dataclass(frozen=True)
class Rules:
    """How formulas are chosen: see the fields of the same names in `builder.CorpusConfig`."""

    seed: int
    validation_share: float
    test_share: float
    canonical: bool
    min_tokens: int
    max_tokens: int
    keep_repeated: bool = False


class Candidate(NamedTuple):
    """A formula that may become a record.

    Attributes:
      source: number of its file.
      line: its number in the file, from 1.
      group: as the file has it; "" where there are no groups.
      formula: in the form that the records hold.
      digest: of its canonical form, 16 bytes.
    """

    source: int
    line: int
    group: str
    formula: str
    digest: bytes


class Rejected(NamedTuple):
    """A line that is left out. `source` and `line` as in `Candidate`."""

    source: int
    line: int
    reason: Reason


def digest(canonical: str) -> bytes:
    """What stands for a canonical form where many are kept: 16 bytes."""
    return hashlib.blake2b(canonical.encode(), digest_size=16).digest()


def split_of(group: str, rules: Rules) -> str:
    """The split that a whole group belongs to: a hash, so that no other group matters."""
    hashed = hashlib.blake2b(f"{rules.seed}\0{group}".encode(), digest_size=8).digest()
    place = int.from_bytes(hashed) / 2**64
    if place < rules.test_share:
        return "test"
    return "validation" if place < rules.test_share + rules.validation_share else "train"


def read(
    sources: Sequence[Source], rules: Rules, num_workers: int, initializer: Callable[[], None]
) -> Iterator[Candidate | Rejected]:
    """Every line of the sources, in order: normalized and measured, or the reason why not."""
    chunks = _chunks(
        (number, line) for number, source in enumerate(sources) for line in source.lines()
    )
    prepare = functools.partial(prepare_chunk, rules)
    for results in workers.ordered_map(prepare, chunks, num_workers, initializer):
        yield from results


def _chunks(lines: Iterable[tuple[int, Line]]) -> Iterator[list[tuple[int, Line]]]:
    chunk = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def prepare_chunk(rules: Rules, lines: Sequence[tuple[int, Line]]) -> list[Candidate | Rejected]:
    """What a worker does: normal and canonical form of each line (number of its source, line)."""
    return [_prepare(rules, source, line) for source, line in lines]


def _prepare(rules: Rules, source: int, line: Line) -> Candidate | Rejected:
    def rejected(kind: str, detail: str) -> Rejected:
        return Rejected(source, line.number, Reason(kind, detail))

    if line.reason is not None:
        return Rejected(source, line.number, line.reason)
    try:
        normal = normalize(line.formula)
        canonical = canonicalize(normal)
        formula = canonical if rules.canonical else normal
        length = formula.count(" ") + 1
        if length < rules.min_tokens:
            return rejected("too few tokens", f"{length} tokens")
        if length > rules.max_tokens:
            return rejected("too many tokens", f"{length} tokens")
    except NormalizeError as error:
        return rejected("not normalized", str(error))
    return Candidate(source, line.number, line.group, formula, digest(canonical))


def excluded_digests(formulas: Iterable[str]) -> tuple[set[bytes], int]:
    """The canonical forms of an evaluation set's formulas, and how many were refused.

    A formula that is refused here is refused in the sources too: it cannot come in.
    """
    digests, refused = set(), 0
    for formula in formulas:
        try:
            digests.add(digest(canonicalize(formula)))
        except NormalizeError:
            refused += 1
    return digests, refused


def choose(
    candidates: Sequence[Candidate], excluded: set[bytes], rules: Rules
) -> tuple[dict[str, list[Candidate]], list[tuple[str, Rejected]]]:
    """Deals candidates out to the splits, every formula at most once (see `keep_repeated`).

    Of several formulas with one canonical form stays the one whose split comes first in
    `_PRECEDENCE`, and in a split the first one. Without groups each formula is its own group.

    Returns:
      For each split its candidates, in the order given; and those left out with their split.
    """
    dealt: dict[str, list[Candidate]] = {split: [] for split in SPLITS}
    for candidate in candidates:
        dealt[split_of(candidate.group or candidate.digest.hex(), rules)].append(candidate)
    chosen: dict[str, list[Candidate]] = {split: [] for split in SPLITS}
    rejected = []
    owners: dict[bytes, str] = {}
    for split in _PRECEDENCE:
        for candidate in dealt[split]:
            owner = owners.get(candidate.digest)
            if candidate.digest in excluded:
                reason = Reason("excluded", "stands in a list of formulas to exclude")
            elif owner is None or (rules.keep_repeated and owner == split):
                owners[candidate.digest] = split
                chosen[split].append(candidate)
                continue
            elif owner == split:
                reason = Reason("duplicate", f"of another formula in {split}")
            else:
                reason = Reason("duplicate in another split", f"of a formula in {owner}")
            rejected.append((split, Rejected(candidate.source, candidate.line, reason)))
    return chosen, rejected
