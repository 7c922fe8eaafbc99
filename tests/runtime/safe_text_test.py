"""Text of unknown origin: for terminals, JSON and Markdown."""

import json
import os

import pytest

from im2latex_jax.runtime import safe_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("scans/π 1.png", "scans/π 1.png"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\rc\x9bd", "a\\nb\\rc\\x9bd"),
        ("a\u2028b\u202egnp", "a\\u2028b\\u202egnp"),
        (os.fsdecode(b"a\xff.png"), "a\\xff.png"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_is_printed_has_no_control_characters(text, shown):
    assert safe_text.printable(text) == shown
    assert safe_text.printable(text).encode("utf-8").decode().isprintable()


def test_json_is_one_line_of_utf_8_and_comes_back():
    name = os.fsdecode(b"a\xff\x1b[31m\xe2\x80\xa8\xcf\x80\n.png")
    text = safe_text.as_json({"image": name, "confidence": 0.5})
    assert text.encode("utf-8") and "π" in text
    assert text.isprintable() and len(text.splitlines()) == 1
    assert json.loads(text) == {"image": name, "confidence": 0.5}


def test_json_has_no_nan():
    text = safe_text.as_json({"a": [float("nan"), 1.5], "b": (float("inf"), True)})
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None, 1.5], "b": [None, True]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", "![a.png](<a.png>)"),
        ("javascript:alert(1)", "![javascript:alert\\(1\\)](<javascript%3Aalert%281%29>)"),
        ("x](<y>) <b>.png", "![x\\]\\(\\<y\\>\\) \\<b\\>.png](<x%5D%28%3Cy%3E%29%20%3Cb%3E.png>)"),
        ("a\n\n# b", "![a\\\\n\\\\n\\# b](<a%0A%0A%23%20b>)"),
        (os.fsdecode(b"\xff"), "![\\\\xff](<%FF>)"),
    ],
)
def test_a_name_is_no_markdown(name, expected):
    assert safe_text.markdown_image(name) == expected
