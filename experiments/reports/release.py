"""Measures a model on everything that its release promises: one JSON file and one HTML page.

    python -m experiments.reports.release --data FOLDER --out DIR [--checkpoint PATH]
        [--katex FOLDER] [--mathjax FOLDER]

FOLDER holds `im2latex-100k/val.formulas.norm.txt` (the official validation lines of im2latex-100k,
of which the first thousand are never trained on) and `im2latex-100k-sample/` (pages in the layout
of the release). What is missing is left out, and the report says so. The sets:

- the first thousand validation formulas, drawn plainly;
- original pages of the validation and of the test split, and their formulas drawn plainly;
- some of the validation formulas in ten fonts and in five resolutions;
- fifty textbook formulas (`textbook_formulas.tsv`), drawn as no training picture is: in mathtext's
  fonts, and by KaTeX and MathJax in a browser (`npm install katex mathjax@3`).

DIR gets `report.json`, `index.html`, `figures.md` (a table of the sets) and `failures.png` (wrong
answers of the first set).
"""

import argparse
import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from absl import logging

from experiments import command_line
from im2latex_jax.datasets.im2latex_100k import release
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation.cases import (
    Case,
    EvaluationSet,
    EvaluationSetError,
    draw,
    from_formulas,
    from_pictures,
    normal_tokens,
)
from im2latex_jax.rendering import browser, mathtext
from im2latex_jax.rendering.browser import BrowserStyle
from im2latex_jax.rendering.styles import FAMILIES, RenderStyle
from im2latex_jax.rendering.tex import sandbox
from im2latex_jax.rendering.tex.render import render_formulas

if TYPE_CHECKING:
    from im2latex_jax.evaluation.scoring import Scored, Scores

TEXTBOOK = pathlib.Path(__file__).with_name("textbook_formulas.tsv")
# Ten typefaces beside plain Computer Modern, and five resolutions in dpi.
FONTS = tuple(FAMILIES)[1:11]
RESOLUTIONS = (80, 120, 150, 200, 300)
MATHTEXT_FONTS = ("stix", "stixsans", "dejavusans", "dejavuserif")
NUM_FAILURES = 10
FAILURE_LENGTH = 110  # characters of a formula that `failures.png` has room for


@dataclasses.dataclass(frozen=True)
class Plan:
    """A set to measure on.

    Attributes:
      name: in few words.
      note: how its pictures came to be.
      build: makes it; raises Im2latexError where something is missing.
      shown: how many of the worst, the best and random examples the page shows.
    """

    name: str
    note: str
    build: Callable[[], EvaluationSet]
    shown: tuple[int, int, int] = (2, 2, 4)


def plans(data: pathlib.Path, num_plain: int, num_styled: int) -> Iterator[Plan]:
    """The sets that come from the data; the first is the one that heads the report."""
    lines = data / "im2latex-100k" / "val.formulas.norm.txt"
    yield Plan(
        "validation, plain",
        f"the first {num_plain:,} validation formulas, Computer Modern, 100 dpi",
        lambda: from_formulas(lines, limit=num_plain),
        shown=(25, 15, 40),
    )
    for split in ("validation", "test"):
        yield Plan(
            f"original {split} pages",
            "whole pages of im2latex-100k, 200 dpi",
            lambda split=split: original_pages(data / "im2latex-100k-sample", split),  # type: ignore[misc]
            shown=(8, 6, 8),
        )
        yield Plan(
            f"{split} pages, redrawn",
            "the formulas of those pages, drawn as the training's: what the formulas cost, and "
            "what the pages",
            lambda split=split: redrawn(original_pages(data / "im2latex-100k-sample", split)),  # type: ignore[misc]
        )
    styles = [(font, RenderStyle(family=font)) for font in FONTS]
    styles += [(f"{dpi} dpi", RenderStyle(dpi=dpi)) for dpi in RESOLUTIONS]
    for name, style in styles:
        yield Plan(
            f"validation, {name}",
            f"the first {num_styled:,}, at {style.dpi} dpi",
            lambda style=style: drawn_in_style(lines, num_styled, style),  # type: ignore[misc]
        )


def textbook_plans(packages: dict[str, str | None]) -> Iterator[Plan]:
    """The textbook formulas in each style; `packages` has the folders of `rendering.browser`."""
    names, formulas = zip(*read_textbook(), strict=True)

    def build(draw: Callable[[], Iterable]) -> Callable[[], EvaluationSet]:
        return lambda: from_pictures(names, formulas, draw())

    everything = (0, 0, len(formulas))
    for font in MATHTEXT_FONTS:
        yield Plan(
            f"textbook, mathtext {font}",
            "matplotlib's mathtext at 100 dpi, which has no matrices",
            build(lambda font=font: draw_mathtext(formulas, font)),  # type: ignore[misc]
            everything,
        )
    for engine, folder in packages.items():
        yield Plan(
            f"textbook, {engine}",
            "from a web page in Chromium, two pixels for one of the page's",
            build(
                lambda engine=engine, folder=folder: draw_in_browser(  # type: ignore[misc]
                    engine, folder, formulas
                )
            ),
            everything,
        )


def original_pages(folder: pathlib.Path, split: str) -> EvaluationSet:
    """The pages of one split of a release; those of empty formulas are left out."""
    entries = release.read(release.find(folder))[split]
    cases = [Case(e.name, e.image, normal_tokens(e.formula)) for e in entries]
    return EvaluationSet(
        [case for case in cases if case.truth],
        [f"{case.name}: the formula is empty" for case in cases if not case.truth],
    )


def redrawn(found: EvaluationSet) -> EvaluationSet:
    """The formulas of a set in pictures of our own, Computer Modern at 100 dpi."""
    return draw([case.name for case in found.cases], [" ".join(case.truth) for case in found.cases])


def drawn_in_style(lines: pathlib.Path, count: int, style: RenderStyle) -> EvaluationSet:
    """The first formulas of a file with one a line, drawn by TeX."""
    try:
        with lines.open(encoding="utf-8") as file:
            formulas = [line.rstrip("\n") for _, line in zip(range(count), file, strict=False)]
    except OSError as error:
        raise EvaluationSetError(f"{lines}: cannot be read: {error.strerror}") from error
    names = [f"{lines}:{number}" for number in range(1, len(formulas) + 1)]
    drawn = render_formulas(formulas, style)
    return from_pictures(names, formulas, ((result.png, result.reason) for result in drawn))


def read_textbook() -> list[tuple[str, str]]:
    """Names and formulas of the textbook check."""
    rows = (line.split("\t") for line in TEXTBOOK.read_text("utf-8").splitlines())
    return [(name, formula) for name, formula in rows]


def draw_mathtext(formulas: Sequence[str], font: str) -> Iterator[tuple[bytes | None, str | None]]:
    """Each formula's picture in one of mathtext's fonts, or the reason why there is none."""
    for formula in formulas:
        try:
            yield mathtext.render(formula, font), None
        except mathtext.MathtextError as error:
            yield None, str(error)


def draw_in_browser(
    engine: str, package: str | None, formulas: Sequence[str], style: BrowserStyle | None = None
) -> Iterator[tuple[bytes | None, str | None]]:
    """Each formula's picture from a web page, or the reason why there is none."""
    for image, reason in browser.draw(
        engine, package, formulas, [style or BrowserStyle()] * len(formulas)
    ):
        if image is None:
            yield None, reason
        else:
            yield cv2.imencode(".png", image[:, :, ::-1])[1].tobytes(), None


def measure(plans: Iterable[Plan], recognizer, out: pathlib.Path, subtitle: str) -> None:
    """Reads and scores every set; writes the files of the report.

    Raises:
      Im2latexError: there is no set to measure on, or the report cannot be written.
    """
    from im2latex_jax.evaluation import scoring
    from im2latex_jax.evaluation.report import page

    sections, skipped = [], {}
    for plan in plans:
        try:
            found = plan.build()
            if not found.cases:
                raise EvaluationSetError(f"none of its formulas can be drawn: {found.left_out[0]}")
        except Im2latexError as error:
            print(f"{plan.name}: left out: {error}", file=sys.stderr, flush=True)
            skipped[plan.name] = str(error)
            continue
        answers = list(recognizer.stream(case.picture for case in found.cases))
        scores = scoring.score(found.cases, answers, pictures=can_draw())
        scores.figures["left_out"] = found.left_out
        sections.append(page.Section(plan.name, scores, *plan.shown, note=plan.note))
        print(line(plan.name, scores.figures), flush=True)
    if not sections:
        raise EvaluationSetError("none of the sets can be had: see above")
    page.write(out, sections, subtitle=subtitle, skipped=skipped)
    figures = {section.name: section.scores.figures for section in sections}
    report = {"subtitle": subtitle, "sets": figures, "skipped": skipped}
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (out / "figures.md").write_text(table(figures), encoding="utf-8")
    draw_failures(sections[0].scores, out / "failures.png")


def table(sets: Mapping[str, Mapping]) -> str:
    """Markdown: a row a set, its main figures with their 95 % intervals."""

    def cell(figures: Mapping, form: str, *names: str) -> str:
        value, interval = figures, figures["intervals"]
        for name in names:
            value = value[name]
            if value is None:  # nothing was drawn
                return ""
            interval = interval[name]
        return f"{value:{form}} ({interval[0]:{form}} to {interval[1]:{form}})"

    rows = [
        "| set | formulas | BLEU | exact | canonical | picture | distance |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, figures in sets.items():
        cells = [
            cell(figures, ".1f", "bleu"),
            cell(figures, ".3f", "exact_match"),
            cell(figures, ".3f", "canonical", "exact_match"),
            cell(figures, ".3f", "pictures", "near_match"),
            cell(figures, ".2f", "token_edit_distance"),
        ]
        rows.append(f"| {name} | {figures['num_examples']:,} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def draw_failures(scores: "Scores", path: pathlib.Path) -> None:
    """Wrong answers, evenly from the nearest miss to the farthest; no file where all are right."""
    from rapidfuzz.distance import Levenshtein

    from im2latex_jax.training import plots

    def distance(example: "Scored") -> float:
        pair = (example.canonical_prediction, example.canonical_truth)
        return Levenshtein.normalized_distance(*pair)

    wrong = [
        (example.answer.ink, " ".join(example.case.truth), " ".join(example.prediction))
        for example in sorted(scores.examples, key=distance)
        if not example.canonical and example.answer.ink is not None
    ]
    shown = [row for row in wrong if len(row[1]) <= FAILURE_LENGTH]
    if shown:
        places = np.linspace(0, len(shown) - 1, min(NUM_FAILURES, len(shown))).astype(int)
        title = f"{len(places)} of {len(wrong)} wrong answers (black: truth, red: answer)"
        plots.samples([shown[place] for place in places], path, title)


def can_draw() -> bool:
    """Whether TeX is here for the picture metrics."""
    try:
        sandbox.require_programs()
    except sandbox.MissingProgramError:
        return False
    return True


def line(name: str, figures: dict) -> str:
    """The figures of one set in a line."""
    drawn = figures["pictures"]
    same = "" if drawn is None else f"  same picture {drawn['exact_match']:.3f}"
    return (
        f"{name:<30}{figures['num_examples']:>6}  BLEU {figures['bleu']:6.2f}  "
        f"exact {figures['exact_match']:.3f}  canonical {figures['canonical_exact_match']:.3f}"
        f"{same}  distance {figures['token_edit_distance']:.2f}"
    )


def arguments() -> argparse.Namespace:
    parser = command_line.parser("reports.release", __doc__)
    add = parser.add_argument
    add("--data", type=pathlib.Path, required=True, help="folder of the data")
    add("--out", type=pathlib.Path, required=True, help="folder of the report")
    add("--checkpoint", help="the model; default: that of the package")
    add("--katex", help="folder of the npm package katex")
    add("--mathjax", help="folder of the npm package mathjax, version 3")
    add("--num_plain", type=int, default=1000, help="validation formulas drawn plainly")
    add("--num_styled", type=int, default=200, help="of these in each font and resolution")
    add("--batch_size", type=int, default=16, help="pictures read at a time")
    add("--beam_size", type=int, default=1, help="hypotheses of the search")
    return parser.parse_args()


def main() -> None:
    parsed = arguments()
    logging.set_verbosity(logging.ERROR)  # JAX tells of devices that are not there
    from im2latex_jax.recognizer import Recognizer
    from im2latex_jax.runtime import compilation

    compilation.enable_cache()
    packages = {"katex": parsed.katex, "mathjax": parsed.mathjax}
    try:
        recognizer = Recognizer.load(
            parsed.checkpoint, batch_size=parsed.batch_size, beam_size=parsed.beam_size
        )
        chosen = [
            *plans(parsed.data, parsed.num_plain, parsed.num_styled),
            *textbook_plans(packages),
        ]
        model = parsed.checkpoint or "the weights of the package"
        subtitle = f"{model}, beam size {parsed.beam_size}"
        measure(chosen, recognizer, parsed.out, subtitle)
    except Im2latexError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
