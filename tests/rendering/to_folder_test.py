"""A folder of pictures: what it holds, and that an interrupted run goes on to the same end."""

import errno
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.files import FormulaFileError
from im2latex_jax.rendering import mathtext, to_folder
from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.to_folder import RenderFolderError, render_to_folder
from im2latex_jax.runtime import locks

needs_tex = pytest.mark.skipif(
    shutil.which("latex") is None or shutil.which("dvipng") is None,
    reason="latex and dvipng are not installed",
)

LINES = b"x+y\n\\foo\na\tb\n\ncaf\xe9\n\\frac{1}{2}\n"


def contents(path: pathlib.Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture
def formulas(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(LINES)
    return path


@pytest.fixture
def stub_engine(monkeypatch):
    """Stands for latex: fast, refuses what holds `bad`, and counts what it is given."""
    asked = []

    def render(given, style, jobs, progress):
        for index, formula in enumerate(given):
            asked.append(formula)
            bad = "bad" in formula
            png = None if bad else b"PNG of " + formula.encode() + b"IEND\xaeB`\x82"
            yield to_folder.Rendered(index, png, "is bad" if bad else None)

    monkeypatch.setattr(to_folder, "render_formulas", render)
    return asked


@needs_tex
def test_pictures_index_and_rejections(formulas, tmp_path):
    out = tmp_path / "out"

    summary = render_to_folder(formulas, out, dpi=80)

    assert (summary.num_lines, summary.num_drawn, summary.num_rejected) == (6, 3, 3)
    assert (out / "index.tsv").read_text() == (
        "000000.png\tx+y\n000002.png\ta b\n000005.png\t\\frac{1}{2}\n"
    )
    assert (out / "rejected.tsv").read_text() == (
        "1\t\\foo is not a command that formulas may use\n"
        f"3\t{formulas}:4: the line is empty\n"
        f"4\t{formulas}:5: not utf-8: byte 0xE9 at column 4\n"
    )
    [expected] = to_folder.render_formulas([r"\frac{1}{2}"], RenderStyle(dpi=80))
    assert (out / "000005.png").read_bytes() == expected.png


def test_mathtext_serves_without_tex(formulas, tmp_path, monkeypatch):
    monkeypatch.setattr(to_folder, "render_formulas", None)
    out = tmp_path / "out"

    summary = render_to_folder(formulas, out, engine="mathtext", dpi=90, jobs=1)

    assert (summary.num_drawn, summary.num_rejected) == (3, 3)
    assert (out / "000005.png").read_bytes() == mathtext.render(r"\frac{1}{2}", dpi=90)
    assert "foo" in (out / "rejected.tsv").read_text().splitlines()[0]


def test_what_is_finished_is_not_drawn_again(formulas, tmp_path, stub_engine):
    render_to_folder(formulas, tmp_path / "out")
    before = contents(tmp_path / "out")

    summary = render_to_folder(formulas, tmp_path / "out")

    assert summary.num_resumed == summary.num_lines == 6
    assert len(stub_engine) == 4
    assert contents(tmp_path / "out") == before


def test_half_written_files_are_not_taken_as_finished(formulas, tmp_path, stub_engine):
    out = tmp_path / "out"
    formulas.write_bytes(b"x\nbad\ny\nz\nbad2\n")
    render_to_folder(formulas, out)
    whole = contents(out)

    (out / "000000.png").write_bytes(whole["000000.png"][:-3])
    (out / "000002.png").unlink()
    (out / "index.tsv").write_bytes(whole["index.tsv"][:-1])
    (out / "rejected.tsv").write_bytes(whole["rejected.tsv"][:-4])
    stub_engine.clear()
    summary = render_to_folder(formulas, out)

    assert stub_engine == ["x", "y", "z", "bad2"]
    assert summary.num_resumed == 1
    assert contents(out) == whole


def test_an_error_in_the_middle_keeps_what_was_finished(formulas, tmp_path, stub_engine):
    out, reference = tmp_path / "out", tmp_path / "reference"
    render_to_folder(formulas, reference)
    original = to_folder.render_formulas

    def breaking(*args):
        yield from (result for result, _ in zip(original(*args), range(2), strict=False))
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(to_folder, "render_formulas", breaking)
        with pytest.raises(KeyboardInterrupt):
            render_to_folder(formulas, out)
    assert len((out / "index.tsv").read_text().splitlines()) == 2

    assert render_to_folder(formulas, out).num_resumed == 2
    assert contents(out) == contents(reference)


@needs_tex
def test_a_killed_run_goes_on_to_the_same_end(tmp_path):
    formulas, out, reference = (tmp_path / name for name in ("list.txt", "out", "reference"))
    formulas.write_text("".join(f"x_{{{n}}}\n" if n % 7 else "x^2^3\n" for n in range(40)))
    program = (
        "from im2latex_jax.rendering import to_folder; "
        "from im2latex_jax.rendering.tex import render; render.BATCH_SIZE = 4; "
        f"to_folder.render_to_folder({str(formulas)!r}, {str(out)!r}, jobs=1)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    index = out / "index.tsv"
    while process.poll() is None and (not index.exists() or index.stat().st_size < 40):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    summary = render_to_folder(formulas, out)
    render_to_folder(formulas, reference)

    assert 0 < summary.num_resumed < 40
    assert contents(out) == contents(reference)


def test_a_folder_of_other_work_is_left_alone(formulas, tmp_path, stub_engine):
    out = tmp_path / "out"
    render_to_folder(formulas, out)
    before = contents(out)

    with pytest.raises(RenderFolderError, match="holds pictures of another list"):
        render_to_folder(formulas, out, dpi=200)
    formulas.write_bytes(b"z\n" + LINES)
    with pytest.raises(RenderFolderError, match="holds pictures of another list"):
        render_to_folder(formulas, out)
    (out / "render.json").unlink()
    with pytest.raises(RenderFolderError, match=r"but no render\.json"):
        render_to_folder(formulas, out)

    assert contents(out) == {k: v for k, v in before.items() if k != "render.json"}


def test_a_full_disk_is_told_in_one_line(formulas, tmp_path, stub_engine, monkeypatch):
    out, reference = tmp_path / "out", tmp_path / "reference"
    render_to_folder(formulas, reference)
    original = to_folder._write_image

    def write(path, png):
        if path.name == "000002.png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        original(path, png)

    with monkeypatch.context() as patch:
        patch.setattr(to_folder, "_write_image", write)
        with pytest.raises(RenderFolderError, match="No space left on device; what is finished is"):
            render_to_folder(formulas, out)

    assert render_to_folder(formulas, out).num_resumed == 2
    assert contents(out) == contents(reference)


def test_planted_links_are_not_followed(formulas, tmp_path, stub_engine):
    out, victim = tmp_path / "out", tmp_path / "victim"
    out.mkdir()
    victim.write_text("kept")
    (out / "000000.png").symlink_to(victim)
    render_to_folder(formulas, out)

    assert victim.read_text() == "kept"
    assert not (out / "000000.png").is_symlink()


@pytest.mark.parametrize("name", ["index.tsv", "rejected.tsv", "render.json", "render.lock"])
def test_tables_that_are_links_or_pipes_are_refused(name, formulas, tmp_path, stub_engine):
    victim = tmp_path / "victim"
    victim.write_text("kept\n")
    for plant in (lambda path: path.symlink_to(victim), os.mkfifo):
        out = tmp_path / plant.__name__
        out.mkdir()
        plant(out / name)

        with pytest.raises(RenderFolderError, match=rf"{name} is not a file of an earlier run"):
            render_to_folder(formulas, out)
    assert victim.read_text() == "kept\n"


def test_two_processes_do_not_draw_into_one_folder(formulas, tmp_path, stub_engine, monkeypatch):
    monkeypatch.setattr(to_folder, "_PATIENCE", 0.0)
    out = tmp_path / "out"
    with (
        locks.held(out / "render.lock", ""),
        pytest.raises(Im2latexError, match=f"another process draws into {out}: wait"),
    ):
        render_to_folder(formulas, out)

    assert not (out / "index.tsv").exists()
    assert render_to_folder(formulas, out).num_drawn == 4


def test_mistakes_in_the_call(formulas, tmp_path):
    with pytest.raises(RenderFolderError, match="unknown engine 'word': choose one of latex, math"):
        render_to_folder(formulas, tmp_path / "out", engine="word")
    with pytest.raises(FormulaFileError, match="cannot read"):
        render_to_folder(tmp_path / "none.txt", tmp_path / "out")
    with pytest.raises(RenderFolderError, match="cannot write to"):
        render_to_folder(formulas, formulas / "out")
