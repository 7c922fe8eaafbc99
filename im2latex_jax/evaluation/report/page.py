"""Writes scores as one HTML file that needs nothing else: no network, no other file."""

import base64
import dataclasses
import html
import importlib.resources
import io
import os
import pathlib
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from im2latex_jax import images
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation.report import charts, differences, published
from im2latex_jax.evaluation.scoring import LENGTH_BINS, Scored, Scores, length_bins
from im2latex_jax.latex import lexer
from im2latex_jax.runtime import files

FILE = "index.html"
NUM_CONFUSIONS = 12
_SHOWN = 0.65  # size on the page of a picture at 200 dpi: larger than the page's text
_GREYS = 16
_MAX_WIDTH = 2400  # pixels of a stored picture


@dataclasses.dataclass(frozen=True, eq=False)
class Section:
    """One set of examples in the report.

    Attributes:
      name: of the set, in few words.
      scores: the answers and their figures.
      num_worst, num_best, num_random: examples shown; those of all three overlap where they must.
      note: how the set was made, or why it is not there.
    """

    name: str
    scores: Scores
    num_worst: int = 20
    num_best: int = 15
    num_random: int = 40
    note: str = ""


def write(
    folder: str | os.PathLike,
    sections: Sequence[Section],
    *,
    title: str = "How well the formulas are read",
    subtitle: str = "",
    skipped: Mapping[str, str] | None = None,
    seed: int = 0,
) -> pathlib.Path:
    """Writes `folder/index.html`; returns its path.

    Args:
      folder: made where it is missing.
      sections: at least one; the first is the one whose figures head the page.
      title: of the page.
      subtitle: what was measured, in a line.
      skipped: sets that could not be had, and why.
      seed: of the choice of random examples.

    Raises:
      Im2latexError: the folder cannot be written to.
    """
    text = render(sections, title=title, subtitle=subtitle, skipped=skipped or {}, seed=seed)
    path = prepare(folder)
    try:
        # Names of files may hold bytes that are not UTF-8.
        files.write_bytes(path, text.encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise Im2latexError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def prepare(folder: str | os.PathLike) -> pathlib.Path:
    """Makes the folder of a page, so that what is wrong with it is told before the work.

    Returns:
      The path of the page to come.

    Raises:
      Im2latexError: the folder cannot be made or written to.
    """
    path = pathlib.Path(folder) / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Im2latexError(f"{path}: cannot be written: {error.strerror}") from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Im2latexError(f"{path}: cannot be written: Permission denied")
    return path


def render(
    sections: Sequence[Section], *, title: str, subtitle: str, skipped: Mapping[str, str], seed: int
) -> str:
    """The page's HTML; see `write`."""
    first = sections[0]
    figures = first.scores.figures
    template = string.Template(
        importlib.resources.files(__package__).joinpath("page.html").read_text("utf-8")
    )
    cards = [card for section in sections for card in _cards(section, seed)]
    return template.substitute(
        title=html.escape(title),
        subtitle=html.escape(subtitle),
        tiles="".join(_tiles(figures)),
        tiles_note=f"{html.escape(first.name)}: {figures['num_examples']:,} pictures. Below each "
        "figure its 95 % interval by the bootstrap.",
        sets=_sets(sections, skipped) if len(sections) > 1 or skipped else "",
        field="".join(_field(first)),
        charts_note=f"All of {html.escape(first.name)}. Point at a mark for its figures; lines at "
        "the marks are 95 % intervals.",
        charts="".join(_charts(figures)),
        selects=_selects(sections),
        cards="".join(cards),
    )


# The figures.


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _plain(value: float) -> str:
    return f"{value:.2f}"


def _span(low: int, high: int) -> str:
    """The name of a bin of lengths; the last one has no end, which depends on the set."""
    return f"over {low - 1}" if low > LENGTH_BINS[-1] else f"{low}\u2013{high}"


def _tiles(figures: dict[str, Any]) -> Iterable[str]:
    intervals = figures["intervals"]
    rows = [
        ("BLEU", figures["bleu"], intervals["bleu"], _plain),
        ("every token right", figures["exact_match"], intervals["exact_match"], _percent),
        (
            "right in canonical form",
            figures["canonical"]["exact_match"],
            intervals["canonical"]["exact_match"],
            _percent,
        ),
    ]
    if (drawn := figures["pictures"]) is not None:
        for label, name in (
            ("same picture, every pixel", "exact_match"),
            ("picture edit score", "edit_distance_score"),
            ("compile", "compile_rate"),
        ):
            rows.append((label, drawn[name], intervals["pictures"][name], _percent))
    distance = "token_edit_distance"
    rows.append(("wrong tokens a formula", figures[distance], intervals[distance], _plain))
    for label, value, (low, high), written in rows:
        yield (
            f'<div class="tile"><b>{written(value)}</b>{label}'
            f"<small>{written(low)} \u2013 {written(high)}</small></div>"
        )
    yield (
        f'<div class="tile"><b>{_percent(figures["calibration_error"])}</b>calibration error'
        "<small>of the confidence</small></div>"
    )


def _sets(sections: Sequence[Section], skipped: Mapping[str, str]) -> str:
    head = (
        "<tr><th>Set</th><th>Pictures</th><th>BLEU</th><th>Every token right</th><th>Right in "
        "canonical form</th><th>Same picture</th><th>Picture edit score</th><th>Wrong tokens a "
        "formula</th></tr>"
    )
    rows = []
    for section in sections:
        figures = section.scores.figures
        drawn, intervals = figures["pictures"], figures["intervals"]
        cells = [
            f"{figures['num_examples']:,}",
            _cell(figures["bleu"], intervals["bleu"], _plain),
            _cell(figures["exact_match"], intervals["exact_match"], _percent),
            _cell(
                figures["canonical"]["exact_match"],
                intervals["canonical"]["exact_match"],
                _percent,
            ),
            *(
                "" if drawn is None else _cell(drawn[name], intervals["pictures"][name], _percent)
                for name in ("exact_match", "edit_distance_score")
            ),
            _cell(figures["token_edit_distance"], intervals["token_edit_distance"], _plain),
        ]
        note = f"<small>{html.escape(section.note)}</small>" if section.note else ""
        rows.append(
            f"<tr><td>{html.escape(section.name)}{note}</td>"
            f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        )
    for name, reason in skipped.items():
        rows.append(
            f'<tr><td>{html.escape(name)}</td><td class="left soft" colspan="7">left out: '
            f"{html.escape(reason)}</td></tr>"
        )
    return f'<h2>All sets</h2><div class="scroll"><table>{head}{"".join(rows)}</table></div>'


def _cell(value: float, interval: Sequence[float], written) -> str:
    low, high = interval
    return f"{written(value)}<small>{written(low)} \u2013 {written(high)}</small>"


def _field(section: Section) -> Iterable[str]:
    figures = section.scores.figures
    drawn = figures["pictures"] or {}
    shares = [drawn.get(name) for name in ("edit_distance_score", "near_match")]
    other = f"mean token distance {figures['token_edit_distance']:.2f}"
    if drawn:
        other += f"; pictures equal in every pixel {100 * drawn['exact_match']:.2f}"
    yield _field_row(
        "This model",
        f"{section.name}, {figures['num_examples']:,} pictures",
        [figures["bleu"], *(None if s is None else 100 * s for s in shares)],
        other,
        ' class="ours"',
    )
    for row in published.TABLE:
        values = [row.bleu, row.picture_edit, row.picture_match]
        yield _field_row(row.system, row.source, values, row.other)


def _field_row(
    system: str, source: str, values: Sequence[float | None], other: str, mark: str = ""
) -> str:
    cells = "".join(
        f"<td>{'' if v is None else f'{v:.2f}'.rstrip('0').rstrip('.')}</td>" for v in values
    )
    return (
        f"<tr{mark}><td>{html.escape(system)}<small>{html.escape(source)}</small></td>{cells}"
        f'<td class="left">{html.escape(other)}</td></tr>'
    )


def _charts(figures: dict[str, Any]) -> Iterable[str]:
    bins = figures["by_length"]
    spans = [_span(b["min_length"], b["max_length"]) for b in bins]

    def series(name: str, part: str | None, key: str, factor: float) -> charts.Series:
        values = [b[part][key] if part else b[key] for b in bins]
        intervals = [b["intervals"][part][key] if part else b["intervals"][key] for b in bins]
        return charts.Series(
            name,
            [factor * value for value in values],
            [[factor * low, factor * high] for low, high in intervals],
        )

    right = [
        series("every token right", None, "exact_match", 100),
        series("right in canonical form", "canonical", "exact_match", 100),
    ]
    if figures["pictures"] is not None:
        right.append(series("same picture", "pictures", "exact_match", 100))
    yield _chart("Right, by the formula's length in tokens", charts.lines(spans, right, 100, "%"))
    bleu = [
        series("normal form", None, "bleu", 1),
        series("canonical form", "canonical", "bleu", 1),
    ]
    yield _chart("BLEU, by the formula's length in tokens", charts.lines(spans, bleu, 100))
    yield _chart(
        "Calibration: share of right answers by confidence (number of answers on top)",
        charts.reliability(figures["calibration"]),
    )
    confused = [
        (c["truth"], c["prediction"], c["count"])
        for c in figures["confusions"]
        if {c["truth"], c["prediction"]}.isdisjoint("{}")
    ]
    if confused:
        yield _chart(
            "Most confused tokens (braces left out): what stood there → what was read",
            charts.bars(confused[:NUM_CONFUSIONS]),
        )


def _chart(title: str, chart: str) -> str:
    return f'<div class="chart"><h3>{html.escape(title)}</h3>{chart}</div>'


# The examples.


def choose(section: Section, seed: int) -> dict[int, list[str]]:
    """Numbers of the examples to show, in the order shown, and the groups that each is in.

    The worst have the most tokens wrong for their length, in the canonical form; the best are the
    longest that are right.
    """
    from rapidfuzz.distance import Levenshtein

    examples = section.scores.examples
    wrong = [
        Levenshtein.normalized_distance(e.canonical_prediction, e.canonical_truth) for e in examples
    ]
    lengths = [len(e.case.truth) for e in examples]
    numbers = range(len(examples))
    worst = sorted((n for n in numbers if wrong[n]), key=lambda n: (-wrong[n], -lengths[n], n))
    best = sorted((n for n in numbers if not wrong[n]), key=lambda n: (-lengths[n], n))
    order = np.random.default_rng(seed).permutation(len(examples))
    groups: dict[int, list[str]] = {}
    for name, chosen in (
        ("random", order[: section.num_random].tolist()),
        ("worst", worst[: section.num_worst]),
        ("best", best[: section.num_best]),
    ):
        for number in chosen:
            groups.setdefault(number, []).append(name)
    return groups


def _selects(sections: Sequence[Section]) -> str:
    lengths = [
        _span(low, high)
        for low, high, _ in length_bins(
            [len(e.case.truth) for section in sections for e in section.scores.examples]
        )
    ]
    chosen = [
        ("groups", "Best, worst, random", ["best", "worst", "random"]),
        ("length", "Any length", lengths),
    ]
    if len(sections) > 1:
        chosen.append(("section", "All sets", [section.name for section in sections]))
    return "".join(
        f'<select name="{name}" aria-label="{name}"><option value="">{label}</option>'
        + "".join(f"<option>{html.escape(value)}</option>" for value in values)
        + "</select>"
        for name, label, values in chosen
    )


def _cards(section: Section, seed: int) -> Iterable[str]:
    chosen = choose(section, seed)
    examples = section.scores.examples
    spans = {
        int(number): _span(low, high)
        for low, high, members in length_bins([len(e.case.truth) for e in examples])
        for number in np.flatnonzero(members)
    }
    for number, groups in chosen.items():
        yield _card(section, examples[number], groups, spans[number])


def _card(section: Section, example: Scored, groups: Sequence[str], span: str) -> str:
    right = example.canonical
    truth, read = example.case.truth, example.prediction
    text = f"{example.case.name} {lexer.detokenize(truth)} {lexer.detokenize(read)}".lower()
    badge = "right" if right else "wrong"
    badges = [f'<span class="badge {badge}">{badge}</span>']
    if not right and example.picture is not None and example.picture.exact_without_space:
        badges.append('<span class="badge same">same picture</span>')
    facts = f"{section.name} · {len(truth)} tokens · confidence {example.answer.confidence:.0%}"
    return (
        f'<article class="card" data-result="{badge}" data-groups="{"|".join(groups)}" '
        f'data-length="{span}" data-section="{html.escape(section.name)}" '
        f'data-text="{html.escape(text)}"><header>{"".join(badges)}'
        f"<b>{html.escape(pathlib.PurePath(example.case.name).name)}</b><span>{html.escape(facts)}</span>"
        f"</header>{_pictures(example)}"
        f'<p class="latex">{differences.latex(truth, read)}</p></article>'
    )


def _pictures(example: Scored) -> str:
    drawn, truth = example.drawn, example.drawn_truth
    expected = None if truth is None or truth.png is None else images.read(truth.png)
    rows = [("picture", _input(example, None if expected is None else expected.shape[1]))]
    if drawn is not None and drawn.png is None:
        rows.append(("read", html.escape(f"cannot be drawn: {drawn.reason}")))
    elif drawn is not None and drawn.png is not None:
        mine = images.read(drawn.png)
        rows.append(("read", _img(mine, "what was read", mine.shape[1])))
        if expected is not None and example.picture is not None and not example.picture.exact:
            coloured = differences.picture(expected, mine)
            rows.append(("differences", _img(coloured, "differences", coloured.shape[1])))
    cells = "".join(f'<span>{name}</span><div class="paper">{cell}</div>' for name, cell in rows)
    return f'<div class="pictures">{cells}</div>'


def _input(example: Scored, width: int | None) -> str:
    """The picture as it was given, cropped to its ink; or what is wrong with it.

    It is shown `width` pixels wide, as if drawn like the others, where that is known.
    """
    try:
        ink = images.crop(images.to_ink(images.read(example.case.picture)), margin=2)
    except Im2latexError as error:
        return html.escape(str(error))
    return _img(255 - ink, "the picture", width or ink.shape[1])


def _img(pixels: np.ndarray, alt: str, width: int) -> str:
    """An <img> that holds its pixels as PNG: `width` of a picture at 200 dpi, scaled for a page."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((_MAX_WIDTH, _MAX_WIDTH))
    file = io.BytesIO()
    picture.quantize(_GREYS).save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    shown = max(round(width * _SHOWN), 1)
    return f'<img alt="{alt}" width="{shown}" src="data:image/png;base64,{data}">'
