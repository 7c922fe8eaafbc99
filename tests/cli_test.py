import io
import json
import os
import subprocess
import sys

import pytest
import tiny_model
from PIL import Image

from im2latex_jax import cli, illustrations
from im2latex_jax.latex import lexer
from im2latex_jax.rendering import mathtext


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
    code = "import sys; from im2latex_jax import cli; cli.main(['--help'])"
    run = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True)
    assert run.returncode == 0 and b"predict" in run.stdout
    assert b"jax._src" not in run.stderr and b"cv2" not in run.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["predict"], ["render", "x.txt"], ["predict", "x", "--nope"]]
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


def test_a_folder_without_pictures_is_an_error(model, tmp_path, capsys):
    assert cli.main(["predict", str(tmp_path), "--checkpoint", model]) == 1
    assert "no pictures in this folder" in capsys.readouterr().err


def test_predict_reads_standard_input_and_writes_markdown(model, monkeypatch, capsys):
    data = io.BytesIO(mathtext.render("x + y"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    assert cli.main(["predict", "-", "--checkpoint", model, "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "![-](<->)"
    assert lines[2] == lines[4] == "$$" and lines[3]


def test_the_attention_is_written_as_an_animation(model, scans, tmp_path, capsys):
    picture, film = str(scans / "b.png"), tmp_path / "film.gif"
    arguments = ["predict", "--checkpoint", model, "--json", "--attention"]
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
    assert cli.main(["predict", str(scans), "--checkpoint", model, "--render"]) == 1
    captured = capsys.readouterr()
    drawn = scans / "a.predicted.png"
    assert drawn.read_bytes() == b"picture of " + captured.out.splitlines()[0].encode()
    assert "b.png: the answer cannot be drawn: no such thing" in captured.err
    assert not (scans / "b.predicted.png").exists()
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
    assert cli.main(["predict", str(scans), "--checkpoint", model, "--json"]) == 0
    read = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    pairs = scans / "pairs.tsv"
    pairs.write_text(f"a.png\t{read[0]['latex']}\nb.png\tz z z\n")
    assert cli.main(["evaluate", str(pairs), "--checkpoint", model, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["exact_match"] == 0.5 and figures["num_examples"] == 2
    assert figures["canonical_exact_match"] == 0.5
    pairs.write_text(f"a.png\t{read[0]['latex']}\ngone.png\tx\n")
    assert cli.main(["evaluate", str(pairs), "--checkpoint", model]) == 1
    captured = capsys.readouterr()
    assert "exact_match               0.5000" in captured.out
    assert "gone.png" in captured.err


def test_calibrate_writes_the_temperature_into_the_model(tmp_path, scans, capsys):
    model = tiny_model.save(tmp_path / "model")
    assert cli.main(["predict", str(scans), "--checkpoint", str(model), "--json"]) == 0
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
    assert cli.main(["predict", str(scans), "--checkpoint", str(model), "--json"]) == 0
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
