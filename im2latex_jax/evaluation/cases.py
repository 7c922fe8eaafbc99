"""What a recognizer is measured on: pictures whose formulas are known.

From a table of pictures and formulas, a split of a data set, or a list of formulas to be drawn.
"""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterable, Sequence

from im2latex_jax import images
from im2latex_jax.datasets.pairs import pair_files
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex import lexer
from im2latex_jax.latex.normalizer import NormalizeError, normalize


class EvaluationSetError(Im2latexError):
    """There is nothing to measure on; the message says what is wrong where."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A picture, and the tokens of the formula that it shows.

    Attributes:
      name: for people: the picture's file, or where the formula stands.
      picture: see `images.read`.
      truth: in the normal form; as it was written where that cannot be had.
    """

    name: str
    picture: images.Source
    truth: list[str]


@dataclasses.dataclass(frozen=True)
class EvaluationSet:
    """Cases, and for each formula without a picture one line that says why."""

    cases: list[Case]
    left_out: list[str] = dataclasses.field(default_factory=list)


def normal_tokens(formula: str) -> list[str]:
    """The tokens of the normal form, or of the formula as it is where that cannot be had.

    Raises:
      LexError: it does not consist of tokens.
    """
    try:
        return [token for token in normalize(formula).split(" ") if token]
    except NormalizeError:
        return lexer.tokenize(formula)


def from_pairs(path: str | os.PathLike, limit: int | None = None) -> EvaluationSet:
    """The pairs of a file (see `pairs`), or the first `limit` of them.

    Raises:
      Im2latexError: the file cannot be read, a line is not of its form, or a formula does not
        consist of tokens.
    """
    return EvaluationSet([_case(path, pair) for pair in pair_files.read(path)][:limit])


def _case(path: str | os.PathLike, pair: pair_files.Pair) -> Case:
    try:
        truth = normal_tokens(pair.formula)
    except lexer.LexError as error:
        raise EvaluationSetError(f"{path}:{pair.line}: {error}") from error
    if not truth:
        raise EvaluationSetError(f"{path}:{pair.line}: the formula is empty: remove the line")
    return Case(pair.name, pair.image, truth)


def from_split(folder: str | os.PathLike, name: str, limit: int | None = None) -> EvaluationSet:
    """The records of a finished data set's split, or the first `limit` of them.

    Raises:
      Im2latexError: there is no such data set or split.
    """
    from im2latex_jax.datasets import report

    split = report.open_split(folder, name)
    numbers = range(len(split) if limit is None else min(limit, len(split)))
    records = (split[number] for number in numbers)
    return EvaluationSet([Case(r["id"], r["image"], normal_tokens(r["formula"])) for r in records])


def from_formulas(
    path: str | os.PathLike,
    *,
    engine: str = "latex",
    dpi: int | None = None,
    column: str | None = None,
    limit: int | None = None,
    jobs: int | None = None,
) -> EvaluationSet:
    """The formulas of a file, drawn.

    Args:
      path: text with a formula a line, or a table of columns between tabs; may be packed (xz, gz,
        bz2).
      engine: `latex`, or `mathtext`, which needs no TeX and draws fewer formulas.
      dpi: pixels an inch; by default 100.
      column: of the formulas: a number from 0, or a name in the first line. By default the last
        one of a `.tsv` file, and the whole line of any other.
      limit: lines read at most.
      jobs: batches drawn at a time; by default the number of processor cores.

    Raises:
      Im2latexError: the file cannot be read, nothing of it can be drawn, or TeX is missing.
    """
    lines = _lines(pathlib.Path(path), column, limit)
    places = [f"{path}:{number}" for number, _, problem in lines if problem is None]
    formulas = [formula for _, formula, problem in lines if problem is None]
    left_out = [f"{path}:{number}: {problem}" for number, _, problem in lines if problem]
    drawn = draw(places, formulas, engine=engine, dpi=dpi, jobs=jobs)
    if not drawn.cases:
        reasons = [*left_out, *drawn.left_out]
        raise EvaluationSetError(f"{path}: nothing can be drawn; the first reason: {reasons[0]}")
    return EvaluationSet(drawn.cases, [*left_out, *drawn.left_out])


def draw(
    names: Sequence[str],
    formulas: Sequence[str],
    *,
    engine: str = "latex",
    dpi: int | None = None,
    jobs: int | None = None,
) -> EvaluationSet:
    """Formulas drawn as the training's plain pictures are; see `from_formulas`.

    Raises:
      Im2latexError: an unknown engine, or TeX is missing.
    """
    from im2latex_jax.latex.files import FormulaLine
    from im2latex_jax.rendering.styles import RenderStyle
    from im2latex_jax.rendering.to_folder import render_lines

    style = RenderStyle() if dpi is None else RenderStyle(dpi=dpi)
    lines = [FormulaLine(formula) for formula in formulas]
    pictures = render_lines(lines, engine, style, jobs, progress=True)
    return from_pictures(names, formulas, pictures)


def from_pictures(
    names: Sequence[str],
    formulas: Sequence[str],
    pictures: Iterable[tuple[bytes | None, str | None]],
) -> EvaluationSet:
    """Formulas, each with its picture (the bytes of a file) or the reason why there is none."""
    cases, left_out = [], []
    for name, formula, (png, reason) in zip(names, formulas, pictures, strict=True):
        if png is None:
            left_out.append(f"{name}: {reason}")
        else:
            cases.append(Case(name, png, normal_tokens(formula)))
    return EvaluationSet(cases, left_out)


def _lines(
    path: pathlib.Path, column: str | None, limit: int | None
) -> list[tuple[int, str, str | None]]:
    """Number, formula, and what is wrong with it, of each line."""
    from im2latex_jax.datasets.corpus.sources import Columns, Source

    last = column is None and ".tsv" in path.suffixes
    found = []
    lines = Source(path, Columns(formula=column or "")).lines()
    for line in itertools.islice(lines, limit):
        formula = line.formula.rpartition("\t")[2] if last else line.formula
        problem = " ".join(line.reason) if line.reason is not None else None
        found.append((line.number, formula, problem))
    return found
