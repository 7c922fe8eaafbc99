"""Which images the arguments of a command stand for."""

import os

import pytest

from im2latex_jax.cli import inputs


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def _names(found: inputs.Inputs, root) -> list[str]:
    return [os.path.relpath(one.name, root) for one in found.images]


def test_sub_folders_are_read_when_asked_for_and_told_of_when_not(tmp_path):
    _touch(tmp_path, "b.png", "sub/c.PNG", "sub/deeper/d.jpg", "a.jpg", ".hidden/e.png", "n.txt")
    _touch(tmp_path, "a.jpg.predicted.png")
    flat = inputs.expand([str(tmp_path)])
    assert _names(flat, tmp_path) == ["a.jpg", "b.png"]
    [note] = flat.notes
    assert "1 sub-folder not read, which --recursive reads too" in note
    deep = inputs.expand([str(tmp_path)], recursive=True)
    assert _names(deep, tmp_path) == ["a.jpg", "b.png", "sub/c.PNG", "sub/deeper/d.jpg"]
    assert deep.notes == []
    [only] = inputs.expand([str(tmp_path / "sub" / "deeper" / "..")]).images
    assert only.problem is None
    _touch(tmp_path, "empty/x/y.png")
    [none] = inputs.expand([str(tmp_path / "empty")]).images
    assert none.problem is not None and "which --recursive does" in none.problem


def test_a_loop_of_links_ends(tmp_path):
    _touch(tmp_path, "sub/a.png")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    found = inputs.expand([str(tmp_path)], recursive=True)
    assert _names(found, tmp_path) == ["sub/a.png"]


def test_pipes_in_a_folder_are_left_out_and_told(tmp_path):
    _touch(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to("/dev/zero")
    (tmp_path / "d.png").symlink_to(tmp_path / "gone")
    found = inputs.expand([str(tmp_path)])
    assert _names(found, tmp_path) == ["a.png", "d.png"]  # a broken link has its error
    assert [note.split(": ")[0] for note in found.notes] == [
        str(tmp_path / "b.png"),
        str(tmp_path / "c.png"),
    ]


def test_a_folder_that_a_pattern_finds_is_read(tmp_path):
    _touch(tmp_path, "one/a.png", "b.png")
    found = inputs.expand([str(tmp_path / "*")])
    assert _names(found, tmp_path) == ["b.png", "one/a.png"]


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("https://example.org/a.png", "curl"),
        ("HTTP://example.org/a.png", "curl"),
        ("data:image/png;base64," + "A" * 5000, "save the image first"),
        ("file:///tmp/a.png", "without file://"),
    ],
)
def test_a_url_is_answered_with_a_hint(url, hint):
    [found] = inputs.expand([url]).images
    assert found.problem is not None and hint in found.problem
    assert len(found.problem) < 300


def test_a_file_whose_name_looks_like_a_url_or_a_pattern_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _touch(tmp_path, "data:[x].png")
    [found] = inputs.expand(["data:[x].png"]).images
    assert found.problem is None and found.source == "data:[x].png"
