import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from im2latex_jax import recognizer
from im2latex_jax.cli import main as cli
from im2latex_jax.evaluation import illustrations
from im2latex_jax.latex import lexer
from im2latex_jax.rendering import mathtext
from tests.support import tiny_model
from tests.support.damage import damage


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(tiny_model.save(tmp_path_factory.mktemp("model")))


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, formula in (("b.png", "x + y"), ("a.png", "x")):
        (folder / name).write_bytes(mathtext.render(formula))
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """Tests leave the user's cache alone."""
    monkeypatch.setenv("IM2LATEX_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def _run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "im2latex_jax.cli", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True)


def test_help_and_usage_need_no_jax():
    code = "import sys; from im2latex_jax.cli import main; main.main(['--help'])"
    run = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True)
    assert run.returncode == 0 and b"predict" in run.stdout
    assert b"jax._src" not in run.stderr and b"cv2" not in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["nonsense"], ["predict"], ["render", "x.txt"], ["predict", "x", "--nope"]),
        *(["evaluate"], ["evaluate", "x.tsv", "--dataset", "y"]),
    ],
)
def test_wrong_usage_exits_with_2(arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2


def test_predict_prints_a_line_for_each_picture_in_order(model, scans, capsys):
    assert cli.main(["predict", str(scans), "--checkpoint", model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    names = [str(scans / "b.png"), str(scans / "a.png")]
    assert cli.main(["predict", *names, "--checkpoint", model]) == 0
    assert capsys.readouterr().out.splitlines() == lines[::-1]


def test_broken_pictures_are_reported_and_the_others_read(model, scans, capsys):
    pattern = str(scans / "[ab].png")
    arguments = [str(scans / "notes.txt"), pattern, str(scans / "none*"), str(scans / "gone.png")]
    assert cli.main(["predict", *arguments, "--checkpoint", model, "--json"]) == 1
    captured = capsys.readouterr()
    answers = [json.loads(line) for line in captured.out.splitlines()]
    assert [os.path.basename(answer["image"]) for answer in answers] == [
        "notes.txt", "a.png", "b.png", "none*", "gone.png",
    ]  # fmt: skip
    assert ["error" in answer for answer in answers] == [True, False, False, True, True]
    assert all(0 <= answer["confidence"] <= 1 for answer in answers)
    errors = captured.err.splitlines()
    assert len(errors) == 3 and all(line.startswith("im2latex: error: ") for line in errors)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_each_bad_picture_has_its_line_and_the_others_are_read(model, scans, capsys):
    good = (scans / "b.png").read_bytes()
    drawn = Image.open(scans / "b.png").convert("L")
    other = Image.new("L", drawn.size, 128)
    bomb = Image.new("1", (10_000, 10_000), 1)
    for name, data in (
        ("c_cut.png", good[: len(good) // 2]),
        ("d_bomb.tif", _encoded(bomb, "TIFF", compression="group4")),
        ("e_blank.png", _encoded(Image.new("L", (800, 1000), 255), "PNG")),
        ("f_mislabelled.jpg", good),
        ("g_animated.gif", _encoded(drawn, "GIF", save_all=True, append_images=[other])),
        ("h_pages.tif", _encoded(drawn, "TIFF", save_all=True, append_images=[other, other])),
        ("i_text.png", b"not a picture"),
        ("j_zero.png", b""),
        ("z.png", good),
    ):
        (scans / name).write_bytes(data)
    (scans / "k_folder.png").mkdir()
    assert cli.main(["predict", str(scans), "--checkpoint", model, "--json"]) == 1
    captured = capsys.readouterr()
    answers = {}
    for line in captured.out.splitlines():
        answer = json.loads(line)
        answers[os.path.basename(answer["image"])[:1]] = answer
    assert list(answers) == list("abcdefghijz")
    errors = {name: answer["error"] for name, answer in answers.items() if "error" in answer}
    for (name, error), reason in zip(
        errors.items(), ("truncated", "more than", "not a picture", "empty"), strict=True
    ):
        assert reason in error and str(scans / name) in error
        assert (answers[name]["latex"], answers[name]["confidence"]) == ("", 0)
    assert list(errors) == ["c", "d", "i", "j"]
    notes = {name: answer["note"] for name, answer in answers.items() if "note" in answer}
    for (name, note), remark in zip(
        notes.items(), ("blank", "2 frames", "3 frames or pages; the first was read"), strict=True
    ):
        assert remark in note and str(scans / name) in note
    assert (answers["e"]["latex"], answers["e"]["confidence"]) == ("", 0)
    for name in "fghz":
        assert answers[name]["latex"] == answers["b"]["latex"] != ""
    # Beside the answers: a line for each error and note, in order.
    said = [line.removeprefix("im2latex: ") for line in captured.err.splitlines()]
    lines = {name: f"error: {error}" for name, error in errors.items()}
    lines |= {name: f"note: {note}" for name, note in notes.items()}
    assert said[0].startswith(f"note: {scans}: 1 sub-folder not read")
    assert said[1:] == [lines[name] for name in sorted(lines)]


def _encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_a_blank_page_is_no_error(model, tmp_path, capsys):
    (tmp_path / "blank.png").write_bytes(_encoded(Image.new("L", (800, 1000), 255), "PNG"))
    assert cli.main(["predict", str(tmp_path / "blank.png"), "--checkpoint", model]) == 0
    captured = capsys.readouterr()
    assert captured.out == "\n" and "is blank" in captured.err


def test_a_file_that_vanishes_midway_is_one_line(model, scans, monkeypatch, capsys):
    load = recognizer.Recognizer.load

    def load_slowly(*arguments, **settings):
        (scans / "a.png").unlink()
        return load(*arguments, **settings)

    monkeypatch.setattr(recognizer.Recognizer, "load", load_slowly)
    assert cli.main(["predict", str(scans), "--checkpoint", model]) == 1
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0] == "" and lines[1] != "" and len(lines) == 2
    assert captured.err == (
        f"im2latex: error: {scans / 'a.png'}: cannot be read: No such file or directory\n"
    )


def test_what_holds_no_pictures_is_an_error_and_the_rest_is_read(
    model, scans, tmp_path, monkeypatch, capsys
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(folder):
        if os.fspath(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    names = [str(tmp_path / "empty"), str(tmp_path / "locked"), "x" * 5000, str(scans / "a.png")]
    assert cli.main(["predict", *names, "--checkpoint", model]) == 1
    captured = capsys.readouterr()
    assert [line != "" for line in captured.out.splitlines()] == [False, False, False, True]
    errors = captured.err.splitlines()
    assert len(errors) == 3
    for error, reason in zip(
        errors,
        ("no images in this folder", "Permission denied", "File name too long"),
        strict=True,
    ):
        assert reason in error


def test_a_checkpoint_that_does_not_fit_is_one_line_and_exit_status_1(scans, tmp_path, capsys):
    folders = {name: tiny_model.save(tmp_path / name) for name in ("shape", "vocabulary", "cut")}
    description = json.loads((folders["shape"] / "model.json").read_text())
    description["model"]["hidden"] += 1
    (folders["shape"] / "model.json").write_text(json.dumps(description))
    tokens = json.loads((folders["vocabulary"] / "vocabulary.json").read_text())
    (folders["vocabulary"] / "vocabulary.json").write_text(json.dumps(tokens[:-1]))
    weights = folders["cut"] / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    for name, reason in (
        ("shape", "of another network"),
        ("vocabulary", "the vocabulary of another model"),
        ("cut", "cannot read the weights"),
    ):
        arguments = ["predict", str(scans), "--checkpoint", str(folders[name])]
        assert cli.main(arguments) == 1
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.count("\n") == 1
        assert reason in captured.err and str(folders[name]) in captured.err


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_damaged_pictures_end_in_an_answer_or_a_line(model, tmp_path, capsys):
    rng = np.random.default_rng(7)
    frames = [Image.open(io.BytesIO(mathtext.render(f))).convert("L") for f in ("x + y", "x")]
    frames[1] = frames[1].resize(frames[0].size)
    files = []
    for kind in ("PNG", "GIF", "TIFF", "WEBP"):
        files.append(_encoded(frames[0], kind))
        files.append(_encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    files += [_encoded(frames[0].convert("RGB"), kind) for kind in ("JPEG", "BMP")]
    for number in range(500):
        path = tmp_path / f"{number:03}.png"
        path.write_bytes(damage(files[number % len(files)], rng))
    assert cli.main(["predict", str(tmp_path), "--checkpoint", model, "--json"]) == 1
    captured = capsys.readouterr()
    answers = [json.loads(line) for line in captured.out.splitlines()]
    assert [os.path.basename(a["image"]) for a in answers] == [f"{n:03}.png" for n in range(500)]
    errors = [answer["error"] for answer in answers if "error" in answer]
    assert 50 < len(errors) < 450
    said = captured.err.splitlines()
    assert [f"im2latex: error: {error}" for error in errors] == [
        line for line in said if line.startswith("im2latex: error: ")
    ]
    assert all(line.startswith(("im2latex: error: ", "im2latex: note: ")) for line in said)
    for answer in answers:
        assert 0 <= answer["confidence"] <= 1
        assert answer["image"] in answer.get("error", answer["image"])
        assert answer["latex"] == "" or "error" not in answer


def test_predict_reads_standard_input_and_writes_markdown(model, monkeypatch, capsys):
    data = io.BytesIO(mathtext.render("x + y"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    assert cli.main(["predict", "-", "--checkpoint", model, "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "![-](<->)"
    assert lines[2] == lines[4] == "$$" and lines[3]


def test_the_attention_is_written_as_an_animation(model, scans, tmp_path, capsys):
    picture, film = str(scans / "b.png"), tmp_path / "film.gif"
    arguments = ["predict", "--checkpoint", model, "--json", "--normal-form", "--attention"]
    assert cli.main([*arguments, str(film), picture]) == 0
    tokens = lexer.tokenize(json.loads(capsys.readouterr().out)["latex"])
    with Image.open(film) as image:
        assert image.n_frames == len(tokens)
    assert cli.main([*arguments, str(tmp_path / "film.txt"), picture]) == 1
    assert cli.main([*arguments, str(film), picture, picture]) == 1
    assert "one picture" in capsys.readouterr().err


def test_answers_are_drawn_beside_their_pictures(model, scans, monkeypatch, capsys):
    def draw(formulas):
        assert all(formulas)
        return [(b"picture of " + formulas[0].encode(), None), (None, "no such thing")]

    monkeypatch.setattr(illustrations, "draw_formulas", draw)
    arguments = ["predict", str(scans), "--checkpoint", model, "--render", "--normal-form"]
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    drawn = scans / "a.png.predicted.png"
    assert drawn.read_bytes() == b"picture of " + captured.out.splitlines()[0].encode()
    assert "b.png: the answer cannot be drawn: no such thing" in captured.err
    assert not (scans / "b.png.predicted.png").exists()
    assert cli.main(["predict", str(scans), "--checkpoint", model]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_clipboard_is_read_where_there_is_one(model, scans, monkeypatch, capsys):
    from PIL import ImageGrab

    assert cli.main(["predict", str(scans / "b.png"), "--checkpoint", model]) == 0
    expected = capsys.readouterr().out
    arguments = ["predict", "--clipboard", "--checkpoint", model]
    monkeypatch.setattr(ImageGrab, "grabclipboard", lambda: Image.open(scans / "b.png"))
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == expected
    monkeypatch.setattr(ImageGrab, "grabclipboard", lambda: None)
    assert cli.main(arguments) == 1
    assert "no picture in the clipboard" in capsys.readouterr().err


def test_no_model_is_one_line_and_exit_status_1(tmp_path, scans, capsys):
    assert cli.main(["predict", str(scans), "--checkpoint", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("im2latex: error: ") and captured.err.count("\n") == 1


def test_evaluate_prints_the_figures(model, scans, tmp_path, capsys):
    arguments = ["predict", str(scans), "--checkpoint", model, "--json", "--normal-form"]
    assert cli.main(arguments) == 0
    read = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    pairs = scans / "pairs.tsv"
    pairs.write_text(f"a.png\t{read[0]['latex']}\nb.png\tz z z\n")
    assert cli.main(["evaluate", str(pairs), "--checkpoint", model, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["exact_match"] == 0.5 and figures["num_examples"] == 2
    assert figures["canonical_exact_match"] == 0.5
    assert figures["loss"] > 0
    pairs.write_text(f"a.png\t{read[0]['latex']}\ngone.png\tx\n")
    assert cli.main(["evaluate", str(pairs), "--checkpoint", model]) == 1
    captured = capsys.readouterr()
    assert "exact_match               0.5000" in captured.out
    assert "gone.png" in captured.err


def test_evaluate_draws_formulas_and_writes_a_report(model, tmp_path, capsys):
    path = tmp_path / "list.txt"
    path.write_text("x + y\n\\nonsense\nx\n")
    source = ["--formulas", str(path), "--engine", "mathtext", "--jobs", "1", "--limit", "2"]
    settings = ["--checkpoint", model, "--no-pictures", "--json"]
    report = tmp_path / "report"
    assert cli.main(["evaluate", *source, *settings, "--report", str(report)]) == 0
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert figures["num_examples"] == figures["num_left_out"] == 1
    assert figures["pictures"] is None
    assert f"left out: {path}:2" in captured.err
    assert "list.txt:1" in (report / "index.html").read_text()


def test_calibrate_writes_the_temperature_into_the_model(tmp_path, scans, capsys):
    model = tiny_model.save(tmp_path / "model")
    arguments = ["predict", str(scans), "--checkpoint", str(model), "--json", "--normal-form"]
    assert cli.main(arguments) == 0
    before = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    pairs = scans / "pairs.tsv"
    pairs.write_text(
        "".join(
            f"{name}.png\t{answer['latex']}\n" for name, answer in zip("ab", before, strict=True)
        )
    )
    assert cli.main(["calibrate", str(pairs), "--checkpoint", str(tmp_path), "--json"]) == 0
    fit = json.loads(capsys.readouterr().out)
    assert fit["temperature"] > 10 and fit["error_after"] < fit["error_before"]
    assert cli.main(arguments) == 0
    after = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["latex"] for answer in after] == [answer["latex"] for answer in before]
    assert all(a["confidence"] > b["confidence"] for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a.png x\n", "pairs.tsv:1: is not"),
        (b"a.png\tx\nb.png\t\\left\n", "pairs.tsv:2: "),
        (b"a.png\t\xff\n", "is not UTF-8"),
    ],
)
def test_pairs_of_another_form_are_refused_with_their_line(
    content, message, model, tmp_path, capsys
):
    (tmp_path / "pairs.tsv").write_bytes(content)
    assert cli.main(["evaluate", str(tmp_path / "pairs.tsv"), "--checkpoint", model]) == 1
    assert message in capsys.readouterr().err


def test_normalize_keeps_lines_and_gives_reasons():
    run = _run("normalize", stdin=b"\\frac{1}2 + x_1\r\n{ x\nx\xff\n\n\\alpha^2_3\n")
    assert run.returncode == 0
    lines = run.stdout.decode().split("\n")
    assert lines[1:4] == ["", "", ""] and lines[5:] == [""]
    assert lines[4] == r"\alpha _ { 3 } ^ { 2 }"
    reasons = run.stderr.decode().splitlines()
    assert [reason.split(":")[1] for reason in reasons] == [" line 2", " line 3", " line 4"]


def test_render_draws_and_says_how_many(tmp_path, capsys):
    (tmp_path / "formulas.txt").write_text("x ^ { 2 }\n\\nonsense\n")
    arguments = [str(tmp_path / "formulas.txt"), "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert cli.main(["render", *arguments, "--engine", "mathtext"]) == 0
    assert "1 of 2 formulas drawn" in capsys.readouterr().err
    assert (tmp_path / "out" / "000000.png").is_file()
    assert cli.main(["render", str(tmp_path / "gone"), "--out", str(tmp_path)]) == 1


def test_a_closed_pipe_is_no_traceback():
    command = f"{sys.executable} -m im2latex_jax.cli normalize"
    run = subprocess.run(
        ["bash", "-c", f"yes 'x ^ 2' | head -50000 | {command} | head -1; echo ${{PIPESTATUS[2]}}"],
        capture_output=True,
    )
    assert run.stdout.decode().splitlines() == ["x ^ { 2 }", str(cli.BROKEN_PIPE)]
    assert run.stderr == b""


def test_ctrl_c_exits_with_130(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("im2latex_jax.latex.normalizer.normalize_lines", interrupt)
    assert cli.main(["normalize"]) == 130
