"""Tests of finding formulas in images: backgrounds, light, grids, marks, skew, rows, layout."""

import functools

import cv2
import numpy as np
import pytest

from im2latex_jax import images
from im2latex_jax.images import backgrounds, deskew, grids, layout, light, marks, rows, writing
from im2latex_jax.rendering import mathtext

FRACTION = r"x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}"
SUM = r"\sum_{n=1}^{\infty} \frac{1}{n^2} = \frac{\pi^2}{6}"
SIMPLE = "a^2 + b^2 = c^2"
FORMULAS = (FRACTION, SUM, SIMPLE, r"\int_0^1 f(x)\,dx = F(1) - F(0)", "E = mc^2")
EM = marks.NETWORK_EM


@functools.cache
def draw(formula: str = SUM, scale: float = 2, margin: int = 50) -> np.ndarray:
    """A formula in black on white, grey levels."""
    ink = 255 - mathtext.draw(formula)
    ink = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    return 255 - np.pad(ink, margin)


def formula_ink(picture: np.ndarray) -> np.ndarray:
    """The ink of an image that holds one formula in one row."""
    found = layout.find(picture)
    assert len(found.formulas) == 1 and len(found.formulas[0].inks) == 1
    return found.formulas[0].inks[0]


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """The correlation of two images of about the same size, at the best shift."""
    assert np.abs(np.subtract(first.shape, second.shape)).max() <= 8, (first.shape, second.shape)
    second = np.pad(second, 9)
    first, second = (cv2.GaussianBlur(p.astype(np.float32), (0, 0), 1) for p in (first, second))
    return float(cv2.matchTemplate(second, first, cv2.TM_CCOEFF_NORMED).max())


def plain(formula: str = SUM, scale: float = 2) -> np.ndarray:
    return images.crop(255 - draw(formula, scale))


# Plain images stay as they are.


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_plain_image_gives_the_cropped_ink(formula):
    for scale in (1, 2):
        for margin in (0, 50):
            picture = draw(formula, scale, margin)
            for look in (picture, 255 - picture):
                np.testing.assert_array_equal(formula_ink(look), plain(formula, scale))


@pytest.mark.parametrize(
    "formula",
    [
        *(r"\frac{a}{b}", r"\sqrt{x+y}", r"\overline{a+b}", "x = -1", "x", r"|x|", "0", "8"),
        *(r"\left|\frac{a}{b}\right|", r"\lim_{n \to \infty} a_n", r"\cdot x", "i", r"\ldots"),
        *(r"\frac{\frac{a}{b}}{\frac{c}{d}}", r"\prod_{i=1}^{N} x_i", r"\hat{x} + \tilde{y}"),
    ],
)
def test_nothing_of_a_formula_is_taken_for_something_beside_it(formula):
    for margin in (0, 40):
        picture = draw(formula, 2, margin)
        expected = images.crop(images.to_ink(picture))
        np.testing.assert_array_equal(formula_ink(picture), expected)


def test_boxes_are_in_pixels_of_the_image():
    picture = np.full((400, 700), 255, np.uint8)
    drawn = draw(SIMPLE, 2, 0)
    height, width = drawn.shape
    picture[210 : 210 + height, 330 : 330 + width] = drawn
    (found,) = layout.find(picture).formulas
    left, top, right, bottom = found.box
    assert abs(left - 330) <= 2 and abs(top - 210) <= 2
    assert abs(right - 330 - width) <= 2 and abs(bottom - 210 - height) <= 2
    turned = layout.find(np.ascontiguousarray(np.rot90(np.rot90(picture, 3), 1)))
    back = layout.turned_back(turned, 0, picture.shape).formulas[0]
    assert back.box == found.box
    sideways = np.ascontiguousarray(np.rot90(picture, 3))
    upright = layout.find(np.ascontiguousarray(np.rot90(sideways, 1)))
    left, top, right, bottom = layout.turned_back(upright, 1, picture.shape).formulas[0].box
    # A quarter clockwise: what was at the left is at the top.
    assert abs(top - 330) <= 2 and abs(left - (400 - 210 - height)) <= 2
    assert abs(bottom - 330 - width) <= 2 and abs(right - (400 - 210)) <= 2


# Backgrounds.


def card(paper, page, writing, border=None, thickness=2) -> np.ndarray:
    """A formula on a card of one colour on a page of another."""
    ink = (255 - draw(SUM, 2, 30))[:, :, None] / 255
    inner = np.array(paper) + (np.array(writing) - np.array(paper)) * ink
    picture = np.empty((ink.shape[0] + 100, ink.shape[1] + 120, 3))
    picture[:] = page
    picture[50:-50, 60:-60] = inner
    if border is not None:
        cv2.rectangle(
            picture, (60, 50), (picture.shape[1] - 60, picture.shape[0] - 50), border, thickness
        )
    return np.rint(picture).astype(np.uint8)


WHITE, BLACK = (255, 255, 255), (0, 0, 0)
CARDS = {
    "blue": card((20, 100, 200), WHITE, WHITE),
    "yellow": card((255, 235, 60), WHITE, BLACK),
    "bubble": card((221, 221, 221), WHITE, BLACK),
    "dark": card((42, 42, 42), (18, 18, 18), (230, 230, 230), (80, 80, 80)),
    "framed": card(WHITE, WHITE, BLACK, BLACK, 3),
    "thin": card(WHITE, WHITE, BLACK, (200, 200, 200), 1),
    "paper": card((230, 228, 222), (70, 60, 50), (30, 30, 30)),
    "cell": card(WHITE, (240, 240, 240), BLACK, BLACK, 6),
}


@pytest.mark.parametrize("name", CARDS)
def test_the_formula_is_cut_out_of_its_card(name):
    assert agreement(plain(), formula_ink(CARDS[name])) > 0.98


def test_a_dark_edge_and_a_sliver_are_cut_off():
    picture = np.pad(draw(SUM, 2, 30), 30, constant_values=255)
    edges = picture.copy()
    edges[:14], edges[:, :20] = 0, 0
    corner = picture.copy()
    height, width = corner.shape
    points = np.array([(width, height - 60), (width, height), (width - 70, height)])
    cv2.fillPoly(corner, [points], 120)
    sliver = picture.copy()
    cv2.fillPoly(sliver, [np.array([(0, 0), (9, 0), (2, height), (0, height)])], 60)
    for dirty in (edges, corner, sliver):
        assert agreement(plain(), formula_ink(dirty)) > 0.99


def test_a_tight_frame_is_boxed_and_a_wide_one_is_not():
    for padding, boxed in ((6, True), (40, False)):
        ink = np.pad(plain("E = mc^2"), padding)
        cv2.rectangle(ink, (0, 0), (ink.shape[1] - 1, ink.shape[0] - 1), 255, 2)
        (found,) = layout.find(255 - np.pad(ink, 40)).formulas
        assert found.boxed == boxed
        assert agreement(plain("E = mc^2"), found.inks[0]) > 0.99


def test_images_with_one_background_have_one():
    for picture in (draw(), 255 - draw(), draw("0", 8, 4), np.full((40, 90), 7, np.uint8)):
        (found,) = backgrounds.find(picture)
        assert found.mask is None and found.box == (0, 0, *picture.shape[::-1])


# Light and noise.


def shadowed(kind: str) -> np.ndarray:
    picture = draw(SUM, 4, 80) * 0.85 + 10
    rows_, columns = np.indices(picture.shape) / np.array(picture.shape)[:, None, None]
    if kind == "hard":
        picture = np.where(columns + 0.4 * rows_ > 0.7, 0.55 * picture, picture)
    elif kind == "soft":
        picture = picture * (1 - 0.75 * columns**2)
    elif kind == "blurred":
        edge = 1 / (1 + np.exp(-(columns + 0.4 * rows_ - 0.7) * 60))
        picture = picture * (1 - 0.5 * edge)
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["hard", "soft", "blurred"])
def test_shadows_across_the_writing_are_evened_out(kind):
    assert agreement(plain(SUM, 4), formula_ink(shadowed(kind))) > 0.96


def test_noise_is_measured_and_taken_away():
    clean = draw(SUM, 5, 100) * 0.8 + 25
    noise = np.random.default_rng(0).normal(0, 20, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
    assert 17 < light.noise_level(noisy) < 23
    assert light.noise_level(draw()) == 0
    assert agreement(plain(SUM, 5), formula_ink(noisy)) > 0.95


# Paper with lines.


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("dark", [True, False])
def test_lines_of_the_paper_are_removed(columns, dark):
    picture = draw(SIMPLE, 2, 60).copy()
    squared = np.full_like(picture, 255)
    squared[5::21] = 200
    if columns:
        squared[:, 8::21] = 200
    lined = np.minimum(picture, squared)
    lined = 255 - lined if dark else lined
    assert np.abs(grids.remove(lined).astype(int) - (255 - picture if dark else picture)).max() < 90
    assert agreement(plain(SIMPLE), formula_ink(lined)) > 0.98


def test_images_without_lines_keep_their_pixels():
    for formula in FORMULAS:
        picture = draw(formula, 2, 0)
        assert grids.remove(picture) is picture


# Marks beside a formula.


def beside(kind: str) -> np.ndarray:
    picture = draw(SUM, 2, 90).copy()
    height, width = picture.shape
    middle = height // 2
    if kind == "quote":
        picture[60:-60, 40:44] = 130
    elif kind == "rules":
        picture[30:32, 50:-50] = picture[-32:-30, 50:-50] = 120
    elif kind == "cursor":
        picture[middle : middle + 60, width - 80 : width - 78] = 0
    elif kind == "bullet":
        cv2.circle(picture, (60, middle), 6, 0, -1)
    return picture


@pytest.mark.parametrize("kind", ["quote", "rules", "cursor", "bullet"])
def test_marks_beside_the_formula_are_left_out(kind):
    assert agreement(plain(), formula_ink(beside(kind))) > 0.99


# Skew.


@pytest.mark.parametrize("formula", FORMULAS[:4])
@pytest.mark.parametrize("degrees", [-9, -5, 6, 10])
def test_skew_is_found_and_turned_back(formula, degrees):
    ink = 255 - draw(formula, 3, 120)
    turned, back = deskew.turn(ink, degrees)
    assert back.shape == (2, 3)
    found = deskew.angle(images.crop(turned), 3 * EM)
    assert abs(found + degrees) < (4 if formula == SIMPLE else 1.5)
    level = formula_ink(255 - turned)
    assert abs(level.shape[0] - plain(formula, 3).shape[0]) < 0.25 * level.shape[0]


def test_level_writing_is_not_turned():
    for formula in FORMULAS:
        for scale in (1, 2, 3):
            assert deskew.angle(plain(formula, scale), scale * EM) == 0


# Rows.


def stacked(formulas, gap: int = 20, lefts=None) -> np.ndarray:
    """Formulas below each other, ink at the network's scale."""
    inks = [images.crop(255 - mathtext.draw(formula)) for formula in formulas]
    lefts = lefts or [0] * len(inks)
    width = max(ink.shape[1] + left for ink, left in zip(inks, lefts, strict=True))
    parts = []
    for ink, left in zip(inks, lefts, strict=True):
        part = np.zeros((ink.shape[0] + gap, width), np.uint8)
        part[: ink.shape[0], left : left + ink.shape[1]] = ink
        parts.append(part)
    return np.vstack(parts)[:-gap]


@pytest.mark.parametrize("gap", [9, 14, 24])
def test_formulas_in_rows_are_split(gap):
    formulas = (*FORMULAS, r"\frac{a}{b} = c", r"\lim_{n \to \infty} a_n = 0", "x = 1")
    found = rows.find(stacked(formulas, gap), EM)
    assert len(found) == len(formulas)
    tops = [row.box[1] for row in found]
    assert tops == sorted(tops)


def test_rows_are_aligned_at_their_equals_signs_or_stand_alone():
    for count in (2, 5, 12):
        page = 255 - np.pad(stacked([SIMPLE] * count, 12), 20)
        (found,) = layout.find(page).formulas
        assert len(found.inks) == count and found.aligned
    page = 255 - np.pad(stacked(["E = mc^2", "F + a + b = ma"], 12, [30, 0]), 20)
    (found,) = layout.find(page).formulas
    assert len(found.inks) == 2 and not found.aligned
    page = 255 - np.pad(stacked([SIMPLE] * 13, 12), 20)
    assert [len(f.inks) for f in layout.find(page).formulas] == [12, 1]
    page = 255 - np.pad(stacked([SIMPLE, "E = mc^2"], 60), 20)
    assert [len(f.inks) for f in layout.find(page).formulas] == [1, 1]


def test_brackets_keep_the_lines_of_a_matrix_together():
    ink = stacked(["1 + x", "2 + y", "3 + z"], 12)
    ink = np.pad(ink, ((2, 2), (14, 14)))
    for column in (4, ink.shape[1] - 5):
        cv2.line(ink, (column, 0), (column, ink.shape[0] - 1), 255, 1)
    assert len(rows.find(ink, EM)) == 1


def test_an_equation_number_is_told_apart():
    formula, number = (
        images.crop(255 - mathtext.draw(SIMPLE)),
        images.crop(255 - mathtext.draw("(3.14)")),
    )
    page = np.zeros((40, 420), np.uint8)
    page[10 : 10 + formula.shape[0], 60 : 60 + formula.shape[1]] = formula
    page[10 : 10 + number.shape[0], 360 : 360 + number.shape[1]] = number
    (found,) = layout.find(255 - page).formulas
    assert agreement(number, found.number) > 0.97
    assert agreement(formula, found.inks[0]) > 0.97


def text(line: str, size: float = 0.6) -> np.ndarray:
    """A line of text, ink; OpenCV's letters are of one stroke."""
    ink = np.zeros((40, 700), np.uint8)
    cv2.putText(ink, line, (4, 26), cv2.FONT_HERSHEY_COMPLEX, size, 255, 1, cv2.LINE_AA)
    return images.crop(ink)


def test_text_around_a_formula_is_left_out_and_text_alone_is_told():
    lines = [text("The solutions of the equation are given by"), text("where the number is large")]
    formula = images.crop(255 - mathtext.draw(FRACTION))
    page = np.zeros((180, 720), np.uint8)
    for top, part, left in ((10, lines[0], 10), (60, formula, 200), (140, lines[1], 10)):
        page[top : top + part.shape[0], left : left + part.shape[1]] = part
    (found,) = layout.find(255 - page).formulas
    assert agreement(formula, found.inks[0]) > 0.99
    page[60:120] = 0
    with pytest.raises(layout.TextError, match="text"):
        layout.find(255 - page)


def test_writing_of_several_backgrounds_is_put_together():
    both = np.hstack([CARDS["blue"], np.full((CARDS["blue"].shape[0], 300, 3), 255, np.uint8)])
    cv2.putText(both, "abc", (both.shape[1] - 240, 120), cv2.FONT_HERSHEY_COMPLEX, 2, (0, 0, 0), 3)
    ink = writing.find(both).ink
    _, left, _, right = (lambda box: (box[1], box[0], box[3], box[2]))(images.crop_box(ink))
    assert right - left > 350
