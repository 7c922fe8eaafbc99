"""Charts as SVG that stands in the page and takes its colours, light or dark.

Classes that the page's style gives colours to: `axis`, `grid`, `label`, `value`, and `series-0`,
`series-1`, `series-2` for what is drawn.
"""

import dataclasses
import html
from collections.abc import Sequence

WIDTH, HEIGHT = 460, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 22, 14, 46


@dataclasses.dataclass(frozen=True)
class Series:
    """Values with their intervals, one for each category.

    Attributes:
      name: for the legend.
      values: in the chart's unit.
      intervals: lower and upper ends.
    """

    name: str
    values: Sequence[float]
    intervals: Sequence[Sequence[float]]


def lines(categories: Sequence[str], series: Sequence[Series], top: float, unit: str = "") -> str:
    """Series over ordered categories, with whiskers for the intervals.

    Args:
      categories: below the axis.
      series: at most three.
      top: greatest value of the axis, which begins at 0.
      unit: behind the values.
    """
    step = (WIDTH - _LEFT - _RIGHT) / max(len(categories), 1)
    body = [_grid(top, unit), _below("length in tokens")]
    for place, category in enumerate(categories):
        body.append(_text(_LEFT + step * (place + 0.5), HEIGHT - _BOTTOM + 18, category))
    for number, one in enumerate(series):
        spread = (number - (len(series) - 1) / 2) * 9
        points = [
            (_LEFT + step * (place + 0.5) + spread, _y(value, top))
            for place, value in enumerate(one.values)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        marks = [f'<polyline class="line" points="{path}"/>']
        for (x, y), category, value, (low, high) in zip(
            points, categories, one.values, one.intervals, strict=True
        ):
            tip = f"{one.name}, {category}: {value:.3g}{unit} ({low:.3g} to {high:.3g})"
            marks.append(
                f'<g><title>{html.escape(tip)}</title><line class="whisker" x1="{x:.1f}" '
                f'x2="{x:.1f}" y1="{_y(low, top):.1f}" y2="{_y(high, top):.1f}"/>'
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/></g>'
            )
        body.append(f'<g class="series-{number}">{"".join(marks)}</g>')
    names = [one.name for one in series]
    return _legend(names) + _svg("".join(body), f"{', '.join(names)} by length")


def reliability(bins: Sequence[dict]) -> str:
    """Share of right answers by confidence (`calibration.Bin` as dictionaries), and the ideal."""
    width = WIDTH - _LEFT - _RIGHT
    body = [_grid(100, "%")]
    for number in range(0, 11, 2):
        x = _LEFT + width * number / 10
        body.append(_text(x, HEIGHT - _BOTTOM + 18, f"{10 * number}%"))
    most = max(b["num_examples"] for b in bins)
    for b in bins:
        if not b["num_examples"]:
            continue
        x, span = _LEFT + width * b["low"] + 2, width * (b["high"] - b["low"]) - 4
        y = _y(100 * b["accuracy"], 100)
        tip = (
            f"{b['num_examples']} answers of confidence {b['low']:.0%} to {b['high']:.0%} "
            f"(mean {b['confidence']:.1%}): {b['accuracy']:.1%} right"
        )
        # Bins with few answers are pale: they say little.
        opacity = 0.25 + 0.75 * (b["num_examples"] / most) ** 0.5
        body.append(
            f'<g class="series-0"><title>{tip}</title><rect x="{x:.1f}" y="{y:.1f}" rx="2" '
            f'width="{span:.1f}" height="{max(_y(0, 100) - y, 1.5):.1f}" '
            f'opacity="{opacity:.2f}"/></g>'
        )
        body.append(_text(x + span / 2, max(y - 4, _TOP + 8), str(b["num_examples"]), "value"))
    body.append(
        f'<line class="ideal" x1="{_LEFT}" y1="{_y(0, 100):.1f}" '
        f'x2="{WIDTH - _RIGHT}" y2="{_y(100, 100):.1f}"/>'
    )
    body.append(_below("confidence"))
    return _svg("".join(body), "share of right answers by confidence")


def bars(rows: Sequence[tuple[str, str, int]]) -> str:
    """Horizontal bars: what stood there, what was read instead, how often."""
    height = 22 * len(rows) + 8
    most = max((count for *_, count in rows), default=1)
    start = 250  # of the bars; before them the two tokens beside an arrow
    body = []
    for number, (truth, prediction, count) in enumerate(rows):
        y = 22 * number + 4
        length = (WIDTH - start - 44) * count / most
        tip = f"{truth or 'nothing'} read as {prediction or 'nothing'}: {count} times"
        body.append(
            f'<g class="series-0"><title>{html.escape(tip)}</title>'
            f'<rect x="{start}" y="{y + 2}" width="{max(length, 2):.1f}" height="14" rx="2"/></g>'
        )
        body.append(_code(start / 2 - 12, y + 14, truth, "end"))
        body.append(_text(start / 2, y + 14, "→"))
        body.append(_code(start / 2 + 12, y + 14, prediction, "start"))
        body.append(_text(start + length + 6, y + 14, str(count), "value", "start"))
    return _svg("".join(body), "most confused tokens", height)


def _y(value: float, top: float) -> float:
    room = HEIGHT - _TOP - _BOTTOM
    return _TOP + room * (1 - min(max(value / top, 0), 1))


def _grid(top: float, unit: str) -> str:
    parts = []
    for number in range(6):
        y = _y(top * number / 5, top)
        kind = "axis" if number == 0 else "grid"
        parts.append(
            f'<line class="{kind}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_text(_LEFT - 6, y + 4, f"{top * number / 5:g}{unit}", "label", "end"))
    return "".join(parts)


def _text(x: float, y: float, text: str, kind: str = "label", anchor: str = "middle") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{html.escape(text)}</text>"
    )


def _below(text: str) -> str:
    return _text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 8, text)


def _code(x: float, y: float, token: str, anchor: str) -> str:
    if not token:
        return _text(x, y, "nothing", "label", anchor)
    shown = token if len(token) <= 14 else f"{token[:13]}…"
    return _text(x, y, shown, "code", anchor)


def _legend(names: Sequence[str]) -> str:
    items = (
        f'<span class="series-{number}"><i></i>{html.escape(name)}</span>'
        for number, name in enumerate(names)
    )
    return f'<p class="legend">{"".join(items)}</p>'


def _svg(body: str, title: str, height: float = HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(title)}">'
        f"{body}</svg>"
    )
