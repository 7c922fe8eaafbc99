"""How many everyday formulas a model reads right: in six looks, and in images as users report them.

    python -m experiments.reports.everyday --out DIR [--checkpoint PATH]
        [--katex FOLDER] [--mathjax FOLDER] [--cases FOLDER]

The formulas are those of `everyday_formulas.tsv` (topic, formula), none of which is in the released
model's training data, by canonical form. They are drawn by TeX in Computer Modern (100 and 150 dpi)
and Times (200 dpi), and by KaTeX (device scale 1 and 2) and MathJax (light on dark, scale 1.5) in
headless Chromium. FOLDER of cases holds images and `truth.json`, which maps their paths to LaTeX.

Right means right as mathematics: see `im2latex_jax.evaluation.mathematics`. DIR gets `report.json`
with every answer, `figures.md` (tables of looks and topics) and `wrong.md` (what was misread).
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from absl import logging

from experiments import command_line
from experiments.reports.release import draw_in_browser
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation import bootstrap, mathematics
from im2latex_jax.rendering.browser import BrowserStyle
from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex.render import render_formulas

FORMULAS = pathlib.Path(__file__).with_name("everyday_formulas.tsv")
Drawn = Iterable[tuple[bytes | None, str | None]]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What was read in one image.

    Attributes:
      topic: of the formula; of a case, its folder.
      truth, read: LaTeX; `read` is "" where nothing could be read.
      confidence: of the model, 0 to 1.
      right: see `mathematics.same`.
    """

    topic: str
    truth: str
    read: str
    confidence: float
    right: bool


def read_formulas() -> list[tuple[str, str]]:
    """Topic and formula of each line of the list."""
    rows = (line.split("\t") for line in FORMULAS.read_text("utf-8").splitlines())
    return [(topic, formula) for topic, formula in rows]


def looks(katex: str | None, mathjax: str | None) -> dict[str, Callable[[Sequence[str]], Drawn]]:
    """How the formulas are drawn, by name."""

    def tex(style: RenderStyle) -> Callable[[Sequence[str]], Drawn]:
        return lambda formulas: ((r.png, r.reason) for r in render_formulas(formulas, style))

    def web(engine: str, package: str | None, style: BrowserStyle):
        return lambda formulas: draw_in_browser(engine, package, formulas, style)

    dark = BrowserStyle(ratio=1.5, ink="#e6e6e6", paper="#1e1e1e")
    return {
        "Computer Modern, 100 dpi": tex(RenderStyle()),
        "Computer Modern, 150 dpi": tex(RenderStyle(dpi=150)),
        "Times, 200 dpi": tex(RenderStyle(family="times", dpi=200)),
        "KaTeX, scale 1": web("katex", katex, BrowserStyle(ratio=1)),
        "KaTeX, scale 2": web("katex", katex, BrowserStyle(ratio=2)),
        "MathJax, dark, scale 1.5": web("mathjax", mathjax, dark),
    }


def read_cases(folder: pathlib.Path) -> list[tuple[str, pathlib.Path, str]]:
    """Folder, image and truth of each case.

    Raises:
      Im2latexError: there is no list of truths, or it cannot be read.
    """
    path = folder / "truth.json"
    try:
        truths = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Im2latexError(f"{path}: cannot be read: {error}") from error
    return [(name.split("/")[0], folder / name, truth) for name, truth in truths.items()]


def judge(recognizer, topics: Sequence[str], truths: Sequence[str], pictures) -> list[Answer]:
    """Reads images and compares with the truths."""
    answers = []
    for topic, truth, found in zip(topics, truths, recognizer.stream(pictures), strict=True):
        right = mathematics.same(found.latex, truth)
        answers.append(Answer(topic, truth, found.latex, round(found.confidence, 4), right))
    return answers


def measure(
    recognizer,
    drawers: dict[str, Callable[[Sequence[str]], Drawn]],
    cases: pathlib.Path | None,
) -> tuple[dict[str, list[Answer]], dict[str, str]]:
    """Answers by look, and why a look is missing or incomplete."""
    topics, formulas = zip(*read_formulas(), strict=True)
    answers: dict[str, list[Answer]] = {}
    skipped: dict[str, str] = {}
    for name, draw in drawers.items():
        try:
            drawn = list(draw(formulas))
        except Im2latexError as error:
            skipped[name] = str(error)
            continue
        kept = [number for number, (png, _) in enumerate(drawn) if png is not None]
        reasons = [f"{formulas[n]}: {reason}" for n, (_, reason) in enumerate(drawn) if reason]
        if reasons:
            skipped[f"{name}, {len(reasons)} formulas"] = "; ".join(reasons)
        answers[name] = judge(
            recognizer,
            [topics[number] for number in kept],
            [formulas[number] for number in kept],
            [drawn[number][0] for number in kept],
        )
        print(line(name, answers[name]), flush=True)
    if cases is not None:
        folders, paths, truths = zip(*read_cases(cases), strict=True)
        answers["cases"] = judge(recognizer, folders, truths, paths)
        print(line("cases", answers["cases"]), flush=True)
    return answers, skipped


def line(name: str, answers: Sequence[Answer]) -> str:
    """The figures of one look in a line."""
    right = sum(answer.right for answer in answers)
    return f"{name:<28}{right:>5} of {len(answers):>4}  {right / len(answers):.3f}"


def figures(answers: dict[str, list[Answer]]) -> Iterator[str]:
    """Markdown: a table of looks, and one of topics over all looks."""
    yield "| look | images | right as mathematics | 95 % interval |"
    yield "| --- | --- | --- | --- |"
    everyday = {name: rows for name, rows in answers.items() if name != "cases"}
    together = [answer for rows in everyday.values() for answer in rows]
    for name, rows in [*everyday.items(), ("all of these", together)]:
        if rows:
            yield row(name, rows)
    if "cases" in answers:
        for folder in sorted({answer.topic for answer in answers["cases"]}):
            chosen = [answer for answer in answers["cases"] if answer.topic == folder]
            yield row(f"cases: {folder}", chosen)
        yield row("cases: all", answers["cases"])
    yield ""
    yield "| topic | images | right as mathematics |"
    yield "| --- | --- | --- |"
    by_topic = collections.defaultdict(list)
    for answer in together:
        by_topic[answer.topic].append(answer.right)
    for topic, rights in by_topic.items():
        yield f"| {topic} | {len(rights)} | {sum(rights) / len(rights):.3f} |"


def row(name: str, answers: Sequence[Answer]) -> str:
    """A look's row of the table."""
    rights = np.array([[answer.right] for answer in answers], float)
    share = rights.mean()
    interval = bootstrap.intervals(rights, lambda sums, count: {"right": sums[0] / count})
    low, high = interval["right"]
    return f"| {name} | {len(rights)} | {share:.3f} | {low:.3f} to {high:.3f} |"


def wrong(answers: dict[str, list[Answer]]) -> Iterator[str]:
    """Markdown: every misread image, by look."""
    for name, rows in answers.items():
        yield f"## {name}\n"
        for answer in rows:
            if not answer.right:
                yield f"- `{answer.truth}`"
                yield f"  read as `{answer.read}` ({answer.confidence:.2f})"
        yield ""


def main() -> None:
    parser = command_line.parser("reports.everyday", __doc__)
    add = parser.add_argument
    add("--out", type=pathlib.Path, required=True, help="folder of the report")
    add("--checkpoint", help="the model; default: that of the package")
    add("--katex", help="folder of the npm package katex")
    add("--mathjax", help="folder of the npm package mathjax, version 3")
    add("--cases", type=pathlib.Path, help="folder of images with truth.json")
    add("--batch-size", type=int, default=16, help="images read at a time")
    add("--beam-size", type=int, default=1, help="hypotheses of the search")
    run(parser.parse_args())


def run(parsed: argparse.Namespace) -> None:
    """Measures and writes the report."""
    logging.set_verbosity(logging.ERROR)  # JAX tells of devices that are not there
    from im2latex_jax.recognizer import Recognizer
    from im2latex_jax.runtime import compilation

    compilation.enable_cache()
    try:
        recognizer = Recognizer.load(
            parsed.checkpoint, batch_size=parsed.batch_size, beam_size=parsed.beam_size
        )
        answers, skipped = measure(recognizer, looks(parsed.katex, parsed.mathjax), parsed.cases)
    except Im2latexError as error:
        sys.exit(f"error: {error}")
    parsed.out.mkdir(parents=True, exist_ok=True)
    report = {
        "model": parsed.checkpoint or "the weights of the package",
        "skipped": skipped,
        "answers": {
            name: [dataclasses.asdict(answer) for answer in rows] for name, rows in answers.items()
        },
    }
    (parsed.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (parsed.out / "figures.md").write_text("\n".join(figures(answers)) + "\n", "utf-8")
    (parsed.out / "wrong.md").write_text("\n".join(wrong(answers)) + "\n", "utf-8")


if __name__ == "__main__":
    main()
