import re
from xml.etree import ElementTree

import pytest

from im2latex_jax.evaluation.report import charts


def _svg(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart[chart.index("<svg") :])


def test_points_stand_at_their_values():
    series = charts.Series("right & wrong", [0, 50, 100], [[0, 10], [40, 60], [90, 100]])
    chart = charts.lines(["a", "b", "<c>"], [series], 100, "%")
    heights = [float(circle.get("cy")) for circle in _svg(chart).iter("circle")]
    assert heights[1] == pytest.approx((heights[0] + heights[2]) / 2)
    assert heights[0] > heights[1] > heights[2]
    whiskers = [line for line in _svg(chart).iter("line") if line.get("class") == "whisker"]
    assert [float(w.get("y2")) <= y for w, y in zip(whiskers, heights, strict=True)] == [True] * 3
    assert "right &amp; wrong" in chart and "50% (40 to 60)" in chart


def test_bars_are_as_long_as_their_counts():
    chart = charts.bars([("x", "\\times", 8), ("<", "", 4)])
    long, short = (float(bar.get("width")) for bar in _svg(chart).iter("rect"))
    assert long == pytest.approx(2 * short)
    assert "nothing" in chart and "&lt;" in chart


def test_calibration_shows_the_bins_that_hold_answers():
    empty = {"low": 0.0, "high": 0.5, "num_examples": 0, "confidence": 0.0, "accuracy": 0.0}
    full = {"low": 0.5, "high": 1.0, "num_examples": 3, "confidence": 0.8, "accuracy": 0.66}
    chart = charts.reliability([empty, full])
    assert len(list(_svg(chart).iter("rect"))) == 1
    assert re.search(r"3 answers of confidence 50% to 100% \(mean 80.0%\): 66.0% right", chart)
