"""What a recognizer is measured on: pictures whose formulas are known.

From a table of pictures and formulas, a split of a data set, or a list of formulas to be drawn.
"""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterable, Sequence

from im2latex_jax import images
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
        return normalize(formula).split(" ")
    except NormalizeError:
        return lexer.tokenize(formula)


def from_pairs(path: str | os.PathLike, limit: int | None = None) -> EvaluationSet:
    """The pairs of a file with `image path<TAB>formula` a line; paths are relative to the file.

    With `limit`, the first pairs only.

    Raises:
      EvaluationSetError: the file cannot be read, or a line is not of this form.
    """
    path = pathlib.Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise EvaluationSetError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise EvaluationSetError(f"{path}: is not UTF-8 text: {error.reason}") from error
    cases = [
        _pair(path, number, line)
        for number, line in enumerate(lines, start=1)
        if line and not line.isspace()
    ]
    if not cases:
        raise EvaluationSetError(
            f"{path}: is empty: it should hold 'image path<TAB>formula' a line"
        )
    return EvaluationSet(cases[:limit])


def _pair(path: pathlib.Path, number: int, line: str) -> Case:
    name, tab, formula = line.partition("\t")
    if not tab or not name.strip():
        raise EvaluationSetError(f"{path}:{number}: is not 'image path<TAB>formula'")
    try:
        return Case(name, path.parent / name, normal_tokens(formula))
    except lexer.LexError as error:
        raise EvaluationSetError(f"{path}:{number}: {error}") from error


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
    from im2latex_jax.rendering.folder import render_lines
    from im2latex_jax.rendering.formula_lines import FormulaLine
    from im2latex_jax.rendering.styles import RenderStyle

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
