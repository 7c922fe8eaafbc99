"""What a command makes of odd names, pipes and full folders, from its arguments to its answer."""

import io
import json
import os
import subprocess
import sys
import threading

import pytest
from PIL import Image

from im2latex_jax.cli import main
from im2latex_jax.rendering import mathtext
from tests.support import tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(tiny_model.save(tmp_path_factory.mktemp("model")))


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("IM2LATEX_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def png() -> bytes:
    return mathtext.render("x + y")


def test_names_with_escapes_and_foreign_bytes_reach_no_terminal(model, png, tmp_path, capsys):
    names = [os.fsencode(tmp_path) + b"/" + name for name in (b"a\xff.png", b"b\x1b[31m\n.png")]
    for name in names:
        with open(name, "wb") as file:
            file.write(png)
    gone = os.fsdecode(names[1]) + ".gone"
    arguments = [*map(os.fsdecode, names), gone, "--checkpoint", model]
    assert main.main(["predict", *arguments, "--json"]) == 1
    captured = capsys.readouterr()
    captured.out.encode("utf-8")  # no lone surrogates
    assert captured.out.replace("\n", "").isprintable()
    answers = [json.loads(line) for line in captured.out.splitlines()]
    assert [os.fsencode(answer["image"]) for answer in answers] == [*names, os.fsencode(gone)]
    assert captured.err.count("\n") == 1 and captured.err.strip().isprintable()
    assert "b\\x1b[31m .png.gone: no file" in captured.err
    assert main.main(["predict", *arguments, "--markdown"]) == 1
    captured = capsys.readouterr()
    assert captured.out.replace("\n", "").isprintable() and "b%1B%5B31m%0A.png>)" in captured.out


def test_images_of_one_stem_are_drawn_beside_each_and_no_link_is_followed(
    model, png, tmp_path, monkeypatch
):
    from im2latex_jax.evaluation import illustrations

    monkeypatch.setattr(
        illustrations, "draw_formulas", lambda formulas: [(b"drawn", None) for _ in formulas]
    )
    (tmp_path / "a.png").write_bytes(png)
    Image.open(io.BytesIO(png)).convert("RGB").save(tmp_path / "a.jpg", quality=95)
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "a.jpg.predicted.png").symlink_to(tmp_path / "mine.txt")
    assert main.main(["predict", str(tmp_path), "--checkpoint", model, "--render"]) == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"
    for name in ("a.png.predicted.png", "a.jpg.predicted.png"):
        assert (tmp_path / name).read_bytes() == b"drawn" and not (tmp_path / name).is_symlink()


def test_a_pipe_that_is_named_is_read_once(model, png, tmp_path, capsys):
    (tmp_path / "file.png").write_bytes(png)
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(png,))
    writer.start()
    arguments = [str(pipe), str(tmp_path / "file.png"), "--checkpoint", model]
    assert main.main(["predict", *arguments]) == 0
    writer.join()
    first, second = capsys.readouterr().out.splitlines()
    assert first == second != ""


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no /dev/zero here")
def test_standard_input_without_end_is_refused(model, monkeypatch, capsys):
    from im2latex_jax.images import decode

    monkeypatch.setattr(decode, "MAX_FILE_BYTES", 1 << 20)
    with open("/dev/zero") as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        assert main.main(["predict", "-", "--checkpoint", model]) == 1
    assert "standard input: is larger than" in capsys.readouterr().err


def test_reports_of_odd_names_and_formulas_are_written(model, png, tmp_path, capsys):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/d\xff")
    os.mkdir(folder)
    with open(f"{folder}/a.png", "wb") as file:
        file.write(png)
    with open(f"{folder}/p.tsv", "wb") as pairs:
        pairs.write("a.png\tx\u2028 + y\na.png\tx\n".encode())
    arguments = ["evaluate", f"{folder}/p.tsv", "--report", f"{folder}/out", "--no-pictures"]
    assert main.main([*arguments, "--checkpoint", model]) == 0
    with open(f"{folder}/out/index.html", encoding="utf-8") as page:
        assert "measured on" in page.read()
    assert "d\\xff/out/index.html" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_told_before_the_work(tmp_path, capsys):
    (tmp_path / "file").touch()
    arguments = ["evaluate", "gone.tsv", "--report", str(tmp_path / "file" / "out")]
    assert main.main(arguments) == 1
    assert "index.html: cannot be written" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="ulimit is a shell's")
def test_too_few_file_descriptors_are_one_line(tmp_path):
    program = (
        "import resource, sys\n"
        "from im2latex_jax.cli import main\n"
        "from im2latex_jax import recognizer\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "sys.exit(main.main(['evaluate', 'pairs.tsv']))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.startswith("im2latex: error: ") and run.stderr.count("\n") == 1
    assert "Too many open files" in run.stderr
