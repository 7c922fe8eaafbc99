import numpy as np

from im2latex_jax.evaluation.report import differences
from im2latex_jax.evaluation.report.differences import BOTH, ONLY_PREDICTION, ONLY_TRUTH, PAPER


def _ink(rows: list[str]) -> np.ndarray:
    return np.asarray([[0 if c == "#" else 255 for c in row] for row in rows], np.uint8)


def _colours(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in picture.reshape(-1, 3).tolist()}


def test_equal_pictures_have_no_colour():
    ink = _ink(["##..", "#.#.", "...#"])
    shown = differences.picture(ink, ink)
    assert shown.shape == (3, 4, 3) and _colours(shown) == {PAPER, BOTH}
    assert (shown[0, 0] == BOTH).all() and (shown[2, 0] == PAPER).all()


def test_a_lost_stretch_leaves_the_rest_in_its_place():
    truth = _ink(["#.##.#", "##.#..", "#..###"])
    shown = differences.picture(truth, np.delete(truth, [1, 2], axis=1))
    assert shown.shape[1] == 6
    assert _colours(shown[:, 1:3]) == {PAPER, ONLY_TRUTH}
    assert _colours(shown[:, [0, 3, 4, 5]]) == {PAPER, BOTH}
    swapped = differences.picture(np.delete(truth, [1, 2], axis=1), truth)
    assert _colours(swapped[:, 1:3]) == {PAPER, ONLY_PREDICTION}


def test_a_taller_picture_is_moved_onto_the_other():
    truth = _ink(["####", "#.#.", "####"])
    taller = np.concatenate([_ink(["#...", "...."]), truth])
    shown = differences.picture(truth, taller)
    assert shown.shape[0] == 5
    assert tuple(shown[0, 0].tolist()) == ONLY_PREDICTION
    assert _colours(shown[2:]) == {PAPER, BOTH}


def test_what_is_the_same_meets_though_the_rest_is_darker_elsewhere():
    sign = _ink(["#.#", ".#.", "#.#"])
    blank, block, no_block = _ink(["..."] * 3), _ink(["##"] * 3), _ink([".."] * 3)
    # The truth has a block above the sign's line, the prediction one below.
    truth = np.block([[blank, block], [sign, no_block]])
    prediction = np.block([[sign, no_block], [blank, block]])
    shown = differences.picture(truth, prediction)
    assert _colours(shown[:, :3]) == {PAPER, BOTH}


def test_latex_is_marked_and_escaped():
    assert differences.latex(["x", "<", "2"], ["x", ">", "2", "y"]) == (
        "x <del>&lt;</del> <ins>&gt;</ins> 2 <ins>y</ins>"
    )
    assert differences.latex(["x"], []) == "<del>x</del>"
    assert differences.latex(["x"], ["x"]) == "x"
