import json
import lzma
import shutil

import numpy as np
import pytest

from experiments.tools import self_training
from experiments.tools.self_training import Limits, Pair, distance, load_images
from im2latex_jax.errors import Im2latexError
from im2latex_jax.recognizer import Recognition
from im2latex_jax.rendering import mathtext


def ink_of(formula, font="cm"):
    return 255 - mathtext.draw(formula, font)


def pack(folder, inks):
    data, index = b"", []
    for number, ink in enumerate(inks):
        height, width = ink.shape
        levels = np.pad(ink // 17, ((0, 0), (0, width % 2)))
        index.append((number + 5, height, width, len(data)))
        data += (levels[:, ::2] << 4 | levels[:, 1::2]).astype(np.uint8).tobytes()
    np.save(folder / "index.npy", np.asarray(index, np.int64))
    with lzma.open(folder / "images.bin.xz", "wb") as file:
        file.write(data)


def test_images_come_out_as_they_were_packed(tmp_path):
    inks = [ink_of("x + y") // 17 * 17, ink_of("a")[:, :-1] // 17 * 17]
    pack(tmp_path, inks)
    found = load_images(tmp_path)
    assert [number for number, _ in found] == [5, 6]
    for (_, image), ink in zip(found, inks, strict=True):
        np.testing.assert_array_equal(image, ink)
    assert len(load_images(tmp_path, limit=1)) == 1


def test_images_that_are_cut_off_are_told(tmp_path):
    pack(tmp_path, [ink_of("x")])
    with lzma.open(tmp_path / "images.bin.xz", "wb") as file:
        file.write(b"12")
    with pytest.raises(Im2latexError, match="image 5 reaches beyond"):
        load_images(tmp_path)
    with pytest.raises(Im2latexError, match="cannot be read"):
        load_images(tmp_path / "nowhere")


def test_the_distance_tells_formulas_apart_and_overlooks_a_shift():
    ink = ink_of("x _ { 1 } + y ^ { 2 }")
    assert distance(ink, ink) == 0
    assert distance(np.pad(ink, 3), ink) < 0.01
    shifted = (ink * 0.5 + np.roll(ink, 1, axis=1) * 0.5).astype(np.uint8)
    assert distance(ink, shifted) < 0.12
    assert distance(ink, ink_of("x _ { 7 } + z ^ { 2 }")) > 0.12
    assert distance(ink, ink_of("x _ { 1 } + y ^ { 2 } + z")) == 1


def test_only_confident_and_faithful_readings_are_kept(tmp_path):
    pairs = [
        Pair(1, "x", 0.9, 0.05),
        Pair(2, "y", 0.2, 0.05),
        Pair(3, "z", 0.9, 0.5),
        Pair(4, "", 0.0, 1.0, "nothing read"),
    ]
    figures = self_training.write(tmp_path, pairs, Limits(0.5, 0.12))
    assert figures == {"drawn otherwise": 1, "kept": 1, "not confident": 1, "nothing read": 1}
    assert (tmp_path / "self.tsv").read_text("utf-8") == "train-1\tself\tx\n"
    assert json.loads((tmp_path / "figures.json").read_text("utf-8")) == figures


def test_what_was_read_right_is_near_and_what_was_not_is_far(tmp_path):
    if not (shutil.which("latex") and shutil.which("dvipng")):
        pytest.skip("latex and dvipng are not installed")
    from im2latex_jax import images
    from im2latex_jax.rendering.tex.render import render_formulas

    class Reader:
        def stream(self, pictures):
            for answer, _ in zip(["a + b = c", "a + b = c", ""], pictures, strict=True):
                yield Recognition(normal_form=answer, tokens=answer.split(), confidence=0.9)

    truths = ["a + b = c", "a + d = e", "x"]
    inks = [255 - images.read(drawn.png) for drawn in render_formulas(truths)]
    pairs = list(self_training.read_images(Reader(), list(enumerate(inks))))
    assert pairs[0].distance < 0.01 and not pairs[0].problem
    assert pairs[1].distance > 0.12
    assert pairs[2].problem == "nothing read"
