"""The report's page: what is in it, and how it behaves in a real browser."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation import cases, image_metrics, scoring
from im2latex_jax.evaluation.report import page
from im2latex_jax.recognizer import Recognition
from im2latex_jax.rendering import mathtext
from im2latex_jax.rendering.tex.render import Rendered

# What is shown, what is read, and how sure.
ANSWERS = [
    ("x + y", "x + y", 0.9),
    (r"\frac { a } { b } + c", r"\frac { a } { d }", 0.4),
    (r"\alpha < \beta", r"\alpha < \beta", 0.8),
    (" + ".join("abcdefghijklmnop"), " + ".join("abcdefghijklmnoq"), 0.6),
    ("z", "", 0.1),
]


def _draw(formulas, jobs=None):
    drawn = {f: mathtext.render(f, dpi=200) for f in formulas}
    return {f: Rendered(0, png, None) for f, png in drawn.items()}


@pytest.fixture(scope="module")
def scores() -> scoring.Scores:
    truths = [truth for truth, _, _ in ANSWERS]
    names = [f"{number}.png" for number in range(len(truths))]
    found = cases.draw(names, truths, engine="mathtext", jobs=1)
    answers = [Recognition(normal_form=latex, confidence=sure) for _, latex, sure in ANSWERS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_metrics, "draw", _draw)
        return scoring.score(found.cases, answers)


@pytest.fixture(scope="module")
def path(scores, tmp_path_factory):
    sections = [
        page.Section("five & more", scores),
        page.Section("the same again", scores, num_worst=1, num_best=1, num_random=0, note="why"),
    ]
    return page.write(tmp_path_factory.mktemp("report"), sections, subtitle="<tiny>")


def test_the_page_needs_nothing_else(path):
    text = path.read_text("utf-8")
    for word in ('src="http', 'href="', "url(", "@import", "fetch("):
        assert word not in text
    assert "&lt;tiny&gt;" in text and "five &amp; more" in text


def test_the_page_shows_the_figures(path, scores):
    text = path.read_text("utf-8")
    assert f"<b>{scores.figures['bleu']:.2f}</b>BLEU" in text
    assert "<b>40.0%</b>every token right" in text
    assert "Deng et al. 2017" in text and "87.73" in text


def test_examples_are_chosen_by_how_right_they_are(scores):
    section = page.Section("a", scores, num_worst=2, num_best=1, num_random=2)
    groups = page.choose(section, seed=0)
    by_group = {g: [n for n, found in groups.items() if g in found] for g in ("worst", "best")}
    assert set(by_group["worst"]) == {1, 4}  # a lost token, and nothing read at all
    assert by_group["best"] in ([0], [2])
    assert sum("random" in found for found in groups.values()) == 2
    assert groups == page.choose(section, seed=0)


def test_a_folder_that_cannot_be_written_is_an_error(scores, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Im2latexError, match="cannot be written"):
        page.write(tmp_path / "file", [page.Section("a", scores)])


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed")
    # Chromium refuses its own sandbox to root, which tests in a container are.
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, path):
    view = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme="light")
    problems: list[str] = []
    view.on("console", lambda message: problems.append(message.text))
    view.on("pageerror", lambda error: problems.append(str(error)))
    view.on("request", lambda r: problems.append(r.url) if r.url.startswith("http") else None)
    view.goto(path.as_uri())
    yield view
    assert problems == []
    view.close()


def _names(view) -> list[str]:
    return [card.text_content() for card in view.locator(".card:visible header b").all()]


def test_filters_show_what_they_say(opened):
    assert len(_names(opened)) == 7 and opened.locator("#count").text_content() == "7 of 7"
    opened.get_by_role("button", name="Wrong").click()
    assert set(_names(opened)) == {"1.png", "3.png", "4.png"}
    assert opened.get_by_role("button", name="Wrong").get_attribute("aria-pressed") == "true"
    opened.get_by_label("length", exact=True).select_option("21\u201340")
    assert _names(opened) == ["3.png"]
    opened.get_by_role("button", name="Right").click()
    assert _names(opened) == [] and opened.locator("#none").is_visible()
    opened.get_by_label("length", exact=True).select_option("")
    opened.get_by_label("section", exact=True).select_option("five & more")
    assert sorted(_names(opened)) == ["0.png", "2.png"]
    opened.get_by_label("search", exact=True).fill("BETA alpha")
    assert _names(opened) == ["2.png"]


def test_groups_can_be_chosen(opened):
    opened.get_by_label("section", exact=True).select_option("five & more")
    opened.get_by_label("groups", exact=True).select_option("best")
    assert sorted(_names(opened)) == ["0.png", "2.png"]


def test_pictures_are_drawn_and_differences_coloured(opened, tmp_path):
    widths = opened.locator(".card img").evaluate_all("all => all.map(img => img.naturalWidth)")
    assert widths and min(widths) > 0
    coloured = opened.locator("img[alt=differences]").first
    coloured.screenshot(path=tmp_path / "differences.png")
    pixels = np.asarray(Image.open(tmp_path / "differences.png").convert("RGB")).astype(int)
    red, blue = pixels[..., 0], pixels[..., 2]
    assert (blue - red > 80).any() and (abs(blue - red) < 20).any()


def test_the_page_fits_screens_light_and_dark(opened, tmp_path):
    def brightness() -> float:
        opened.screenshot(path=tmp_path / "page.png")
        return np.asarray(Image.open(tmp_path / "page.png").convert("L")).mean()

    assert brightness() > 200
    opened.emulate_media(color_scheme="dark")
    assert brightness() < 80
    opened.set_viewport_size({"width": 390, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
