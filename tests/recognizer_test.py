import concurrent.futures
import dataclasses
import math
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import im2latex_jax
import im2latex_jax.recognizer as recognizer_module
from im2latex_jax.errors import Im2latexError
from im2latex_jax.images import layout
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.latex.vocabulary import BOS, EOS
from im2latex_jax.model import saved_model
from im2latex_jax.recognizer import Recognizer, token_budget
from im2latex_jax.rendering import mathtext
from im2latex_jax.training import state as train_state
from tests.support import tiny_model

FORMULAS = ("x", "x + y", r"\frac { x } { y }", r"x ^ { 2 } + y ^ { 2 } = 1", r"\alpha", "y")


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(tiny_model.build(), batch_size=4)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [np.pad(mathtext.draw(f), 9, constant_values=255) for f in FORMULAS]


def _same(one, other) -> bool:
    return one.tokens == other.tokens and np.allclose(
        one.probabilities, other.probabilities, atol=1e-4
    )


def test_importing_the_package_does_not_import_jax():
    code = "import sys, im2latex_jax; assert 'jax' not in sys.modules; im2latex_jax.Recognizer.load"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert im2latex_jax.Recognizer is Recognizer
    with pytest.raises(AttributeError, match="Recogniser"):
        _ = im2latex_jax.Recogniser


def test_without_a_model_the_error_says_what_to_give(tmp_path):
    with pytest.raises(Im2latexError, match="no model here"):
        Recognizer.load(tmp_path)
    with pytest.raises(Im2latexError, match="batch_size"):
        Recognizer(tiny_model.build(), batch_size=0)


def test_a_saved_model_reads_the_same(recognizer, pictures, tmp_path):
    loaded = Recognizer.load(tiny_model.save(tmp_path))
    assert _same(loaded(pictures[1])[0], recognizer(pictures[1])[0])


def test_batches_and_canvases_change_neither_answers_nor_order(recognizer, pictures):
    buckets = (Bucket(32, 64, 16), Bucket(64, 160, 32))
    mixed = Recognizer(tiny_model.build(buckets=buckets), batch_size=4)
    together = mixed(pictures)
    assert len({mixed._canvas(answer.ink) for answer in together}) == 2
    assert len({tuple(answer.tokens) for answer in together}) > 2
    for picture, answer in zip(pictures, together, strict=True):
        assert _same(recognizer(picture)[0], answer)


def test_all_kinds_of_sources_give_the_same_answer(recognizer, pictures, tmp_path):
    path = tmp_path / "formula.png"
    Image.fromarray(pictures[3]).save(path)
    sources = [path, str(path), path.read_bytes(), Image.open(path), pictures[3]]
    answers = recognizer(iter(sources))
    with path.open("rb") as file:
        answers += recognizer(file)
    assert len(answers) == 6
    assert all(_same(answer, answers[0]) for answer in answers)


def test_broken_and_blank_pictures_keep_their_places(recognizer, pictures, tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    blank = np.full((40, 60), 255, np.uint8)
    missing = tmp_path / "missing.png"
    answers = recognizer([pictures[0], missing, blank, tmp_path / "text.png", pictures[1], None])
    assert [answer.error is None for answer in answers] == [True, False, True, False, True, False]
    assert str(missing) in answers[1].error and "\n" not in answers[1].error
    assert (answers[2].latex, answers[2].confidence) == ("", 0.0)
    assert "blank" in answers[2].note
    assert answers[2].attention.size == 0
    assert _same(answers[4], recognizer(pictures[1])[0])


def test_of_an_animation_the_first_frame_is_read_and_the_note_says_so(
    recognizer, pictures, tmp_path
):
    path = tmp_path / "two.gif"
    frame = Image.fromarray(pictures[0])
    frame.save(path, save_all=True, append_images=[Image.new("L", frame.size, 0)])
    [answer] = recognizer(path)
    assert "2 frames" in answer.note
    assert _same(answer, recognizer(pictures[0])[0])


def test_a_stream_yields_before_its_source_ends(recognizer, pictures):
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield pictures[len(taken) % 2]

    stream = recognizer.stream(endless(), batch_size=1)
    next(stream)
    assert len(taken) == 1
    next(stream)
    assert len(taken) == 2
    batched = recognizer.stream(endless(), batch_size=4)
    assert next(batched).error is None
    batched.close()


def test_threads_share_a_recognizer(recognizer, pictures):
    alone = recognizer(pictures)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for answers in pool.map(lambda _: recognizer(pictures), range(4)):
            assert all(map(_same, answers, alone))


def test_an_unsure_scale_is_settled_by_confidence(pictures, monkeypatch):
    model = tiny_model.build()
    alone = [Recognizer(model, rescale=factor)(pictures[1])[0] for factor in (1.0, 1.5)]
    means = [np.mean(np.log(answer.probabilities)) for answer in alone]
    assert abs(means[0] - means[1]) > 1e-4
    monkeypatch.setattr(layout, "scale_candidates", lambda ink: [1.0, 1.5])
    [answer] = Recognizer(model)(pictures[1])
    assert _same(answer, alone[int(np.argmax(means))])


def test_writing_too_large_for_the_network_is_shrunk_or_refused(recognizer):
    wide = np.pad(mathtext.draw("x = y + " * 4 + "1"), 9, constant_values=255)
    assert wide.shape[1] > 160
    fixed = Recognizer(recognizer.model, rescale=False)
    [shrunk] = fixed(wide)
    assert shrunk.error is None and 150 <= shrunk.ink.shape[1] <= 160
    [refused] = fixed(np.tile(wide, (1, 4)))
    assert "reads up to 152 x 56" in refused.error


def test_the_attention_covers_the_picture_for_each_token(recognizer, pictures):
    [answer] = recognizer(pictures[3])
    rows, columns = (-(-side // 8) for side in answer.ink.shape)
    assert answer.attention.shape == (len(answer.tokens), rows, columns)
    np.testing.assert_allclose(answer.attention.sum(axis=(1, 2)), 1, atol=1e-5)
    assert answer.attention is answer.attention


def test_the_token_budget_grows_with_the_picture():
    assert 32 < token_budget(20, 20) < token_budget(20, 200) < token_budget(80, 200) < 300


def test_a_beam_is_at_least_as_likely_as_greedy_on_the_whole(recognizer, pictures):
    wide = Recognizer(recognizer.model, batch_size=4, beam_size=4)(pictures)
    greedy = recognizer(pictures)
    assert [answer.tokens for answer in wide] != [answer.tokens for answer in greedy]
    assert sum(answer.log_prob for answer in wide) > sum(answer.log_prob for answer in greedy)


def test_what_is_written_is_balanced_unless_that_is_not_wanted(recognizer, pictures):
    free = Recognizer(recognizer.model, batch_size=4, constrain=False)
    unfinished = {"_", "^", r"\frac", r"\left(", r"\begin{matrix}"}
    assert any(answer.tokens[-1] in unfinished for answer in free(pictures))
    for answer in recognizer(pictures):
        assert answer.tokens[-1] not in unfinished
        assert answer.tokens.count("{") == answer.tokens.count("}")


def test_the_confidence_is_the_probability_at_the_models_temperature(recognizer, pictures):
    warm = Recognizer(dataclasses.replace(recognizer.model, temperature=4.0), batch_size=4)
    [answer] = warm(pictures[1])
    assert answer.confidence == pytest.approx(np.exp(answer.log_prob / 4))
    assert answer.log_prob < np.log(answer.probabilities).sum() < 0


def test_the_loss_is_the_cross_entropy_of_the_true_formulas(recognizer, pictures):
    answers = recognizer([*pictures[1:3], b"not a picture"])
    truths = [formula.split() for formula in (*FORMULAS[1:3], "x")]
    model = recognizer.model
    losses = []
    for answer, truth in zip(answers[:-1], truths[:-1], strict=True):
        tokens = np.asarray([[BOS, *model.vocabulary.encode(truth), EOS]])
        height, width = answer.ink.shape
        canvas = np.pad(answer.ink, ((0, -height % 8), (0, -width % 8)))[None, :, :, None]
        sizes = np.asarray([[height, width]])
        apply = jax.jit(model.network.apply)
        logits, _ = apply({"params": model.params}, canvas, sizes, tokens[:, :-1])
        losses.append(np.asarray(train_state.token_loss(logits, tokens[:, 1:]))[0])
    expected = np.concatenate(losses).mean()
    assert recognizer.loss(answers, truths) == pytest.approx(expected, rel=1e-4)
    assert np.isnan(recognizer.loss(answers[-1:], truths[-1:]))


def test_a_source_that_changes_is_read_as_it_was_when_taken(recognizer, pictures):
    canvas = np.full((40, 80), 255, np.uint8)

    def frames():
        for picture in pictures[:4]:
            canvas[:] = 255
            canvas[: picture.shape[0], : picture.shape[1]] = picture[:40, :80]
            yield canvas

    copies = [frame.copy() for frame in frames()]
    for answer, expected in zip(recognizer.stream(frames()), recognizer(copies), strict=True):
        assert _same(answer, expected)


def test_what_a_library_raises_is_an_error_of_that_image(recognizer, pictures, monkeypatch):
    crop_box = layout.crop_box

    def failing(ink):
        if ink.shape[0] == 7:
            raise MemoryError("no room\nat all")
        return crop_box(ink)

    monkeypatch.setattr(layout, "crop_box", failing)
    answers = recognizer([pictures[0], np.zeros((7, 7), np.uint8), pictures[1]])
    assert "no room at all" in answers[1].error
    assert answers[0].latex and answers[2].latex


def test_an_answer_that_is_not_a_number_is_an_error(pictures):
    model = tiny_model.build()
    broken = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), model.params)
    reader = Recognizer(dataclasses.replace(model, params=broken), batch_size=4)
    assert "not a number" in reader(pictures[0])[0].error
    wide = Recognizer(dataclasses.replace(model, params=broken), beam_size=2)
    [answer] = wide(pictures[0])
    assert "not a number" in answer.error and (answer.latex, answer.confidence) == ("", 0.0)


@pytest.mark.parametrize("other", [None, "runs/quickstart", 3])
def test_what_is_no_model_is_told(other):
    with pytest.raises(Im2latexError, match=r"use Recognizer.load\(\)"):
        Recognizer(other)


def test_what_is_no_image_is_told(recognizer):
    for other in (None, 3):
        with pytest.raises(Im2latexError, match="expected an image or several, not"):
            recognizer(other)
    assert "shape" in recognizer([None])[0].error
    with pytest.raises(Im2latexError, match="a model's folder is a path, not int"):
        Recognizer.load(3)


def test_reading_is_the_same_with_64_bits(tmp_path):
    """JAX_ENABLE_X64 is read as JAX starts, so it takes a process."""
    tiny_model.save(tmp_path / "model")
    Image.fromarray(np.pad(mathtext.draw("x + y"), 9, constant_values=255)).save(tmp_path / "x.png")
    program = """if True:
        import sys
        from im2latex_jax import Recognizer
        for beam_size in (1, 2):
            reader = Recognizer.load(sys.argv[1] + "/model", beam_size=beam_size)
            [answer] = reader(sys.argv[1] + "/x.png")
            print(answer.latex, round(answer.confidence, 4), answer.attention.shape)
            print(round(reader.loss([answer], [answer.tokens]), 3))
    """
    printed = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "JAX_ENABLE_X64": bits},
        ).stdout
        for bits in ("0", "1")
    ]
    assert printed[0] == printed[1] and printed[0].count("\n") == 4


def test_images_are_read_in_the_dtype_that_is_asked_for_whatever_they_were_trained_in(pictures):
    trained = saved_model.with_dtype(tiny_model.build(), "bfloat16")
    exact = Recognizer(trained, batch_size=4)
    narrow = Recognizer(trained, batch_size=4, dtype="bfloat16")
    assert exact.model.network.encoder.dtype == jnp.float32
    assert narrow.model.network.decoder.dtype == jnp.bfloat16
    plain = Recognizer(tiny_model.build(), batch_size=4)(pictures)
    assert [a.log_prob for a in exact(pictures)] == [a.log_prob for a in plain]
    assert all(math.isfinite(a.log_prob) for a in narrow(pictures) if a.ink is not None)
    with pytest.raises(Im2latexError, match="dtype must be float32 or bfloat16, not 'int8'"):
        Recognizer(trained, dtype="int8")


def test_batches_hold_images_that_end_at_about_the_same_time(recognizer, monkeypatch):
    seen = []
    read = Recognizer._read_batch

    def note(self, inks, canvas, batch_size):
        seen.append((canvas, [ink.shape[1] for ink in inks]))
        return read(self, inks, canvas, batch_size)

    monkeypatch.setattr(Recognizer, "_read_batch", note)
    rng = np.random.default_rng(0)
    widths = rng.permutation(np.arange(8, 56, 4))
    images = [np.pad(np.zeros((10, width), np.uint8), 6, constant_values=255) for width in widths]
    reader = Recognizer(recognizer.model, batch_size=4, rescale=False)
    answers = reader(images)
    assert [a.ink.shape[1] for a in answers] == [reader([x])[0].ink.shape[1] for x in images]
    for canvas in {canvas for canvas, _ in seen[: len(seen) - len(images)]}:
        parts = [part for c, part in seen[: len(seen) - len(images)] if c == canvas]
        joined = [width for part in parts for width in part]
        assert joined == sorted(joined)


def _page(*formulas: str, gap: int = 30, left: int = 0) -> np.ndarray:
    """Formulas below each other; each one `left` pixels right of the one above."""
    page = np.full(
        (40 + sum(40 + gap for _ in formulas), 220 + left * len(formulas)), 255, np.uint8
    )
    top = 20
    for number, formula in enumerate(formulas):
        drawn = mathtext.draw(formula)
        height, width = drawn.shape
        x = 20 + number * left
        page[top : top + height, x : x + width] = drawn
        top += height + gap
    return page[: top + 20]


def test_rows_are_read_one_by_one_and_joined(recognizer):
    rows = ("x + y = 1", "x ^ { 2 } = y", "y = x")
    [answer] = recognizer(_page(*rows, gap=12))
    alone = recognizer([mathtext.draw(row) for row in rows])
    assert answer.tokens[0] in (r"\begin{aligned}", r"\begin{gathered}")
    assert answer.tokens.count(r"\\") - sum(a.tokens.count(r"\\") for a in alone) in (1, 2)
    assert len(answer.probabilities) == len(answer.tokens)
    assert answer.confidence < min(one.confidence for one in alone) + 1e-6
    assert answer.attention.shape[0] == len(answer.tokens)
    written = answer.attention.sum(axis=(1, 2)) > 0.5
    assert written.sum() >= len(answer.tokens) - answer.tokens.count("&") - 6


def test_several_formulas_have_regions(recognizer):
    page = _page("x + y = 1", "x ^ { 2 } + y = y", gap=60, left=7)
    [answer] = recognizer(page)
    assert len(answer.regions) == 2
    assert answer.tokens[0] == r"\begin{gathered}"
    upper, lower = answer.regions
    assert 15 <= upper.box[0] <= 24 and 15 <= upper.box[1] <= 24
    assert upper.box[3] < lower.box[1] and abs(lower.box[0] - upper.box[0] - 7) <= 3
    for region in answer.regions:
        left, top, right, bottom = region.box
        [alone] = recognizer(np.pad(page[top:bottom, left:right], 9, constant_values=255))
        assert region.latex == alone.latex or region.confidence != alone.confidence
        assert 0 <= region.confidence <= 1
    assert recognizer(mathtext.draw("x + y"))[0].regions == []


def test_what_cannot_be_read_is_told(recognizer):
    tiny = np.pad(mathtext.draw("x + y + \\alpha = x ^ { 2 }"), 20, constant_values=255)
    tiny = np.asarray(Image.fromarray(tiny).resize((tiny.shape[1] // 4, tiny.shape[0] // 4)))
    [answer] = recognizer(tiny)
    assert "too small" in answer.error and "pixels high" in answer.error


def test_an_image_on_its_side_is_tried_upright(recognizer, monkeypatch):
    picture = np.pad(mathtext.draw("x + y + \\alpha = x ^ { 2 }"), 20, constant_values=255)
    [upright] = recognizer(picture)
    monkeypatch.setattr(recognizer_module, "MIN_TURNED", -1.0)
    monkeypatch.setattr(recognizer_module, "TURNED_GAIN", 0.0)
    answers = recognizer([np.ascontiguousarray(np.rot90(picture, k)) for k in (1, 3)])
    assert any(answer.tokens == upright.tokens for answer in answers)
