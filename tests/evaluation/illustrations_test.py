import numpy as np
import pytest

from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation import illustrations
from im2latex_jax.recognizer import Recognition


def _answer(tokens: list[str]) -> Recognition:
    """An answer to a picture of 16 x 32 pixels that looks at the first cell, then the second ..."""
    weights = np.eye(4, dtype=np.float32)[: len(tokens)].reshape(len(tokens), 1, 4)
    ink = np.zeros((8, 32), np.uint8)
    ink[3:5] = 255
    return Recognition(tokens=tokens, ink=ink, _attend=lambda: weights)


def test_each_frame_colours_where_the_network_looked():
    frames = illustrations.attention_frames(_answer(["x", "+", "y"]), (8, 8))
    assert len(frames) == 3
    for number, frame in enumerate(frames):
        top = np.asarray(frame).astype(int)[:6, : 32 * illustrations.ENLARGE]
        coloured = (top[..., 0] - top[..., 2]).mean(axis=0).reshape(4, -1).mean(axis=1)
        assert coloured.argmax() == number
        assert coloured[(number + 2) % 4] == pytest.approx(0, abs=1)


def test_the_text_grows_token_by_token():
    frames = illustrations.attention_frames(_answer(["x", "+", "y"]), (8, 8))
    below = [np.asarray(frame)[8 * illustrations.ENLARGE :] for frame in frames]
    inked = [int((picture.min(axis=2) < 128).any(axis=0).sum()) for picture in below]
    assert 0 < inked[0] < inked[1] < inked[2]


def test_an_answer_without_tokens_has_no_film(tmp_path):
    with pytest.raises(Im2latexError, match="nothing was read"):
        illustrations.save_attention(tmp_path / "film.gif", Recognition(), (8, 8))
    with pytest.raises(Im2latexError, match="cannot be written"):
        illustrations.save_attention(tmp_path / "no" / "film.gif", _answer(["x"]), (8, 8))


def test_formulas_are_drawn_or_refused_with_a_reason(monkeypatch):
    def no_tex(*_, **__):
        raise illustrations.MissingProgramError("latex is not installed")
        yield

    monkeypatch.setattr(illustrations, "render_formulas", no_tex)
    (png, none), (nothing, reason) = illustrations.draw_formulas(["x ^ { 2 }", r"\nonsense"])
    assert png.startswith(b"\x89PNG") and none is None
    assert nothing is None and "nonsense" in reason
