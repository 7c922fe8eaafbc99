"""Whole or not at all: what is there after a success, a failure, a kill."""

import errno
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from im2latex_jax.runtime import files


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "file.json"
    files.write_text(path, "first\r\né\n")
    assert path.read_bytes() == "first\r\né\n".encode()
    files.write_bytes(str(path), b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["file.json"]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    path.write_text("first")

    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            files.write_text(path, "second")
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as part:
        part.write_text("third")
        raise KeyboardInterrupt
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["file.json"]


def test_what_a_kill_leaves_is_removed_and_nothing_else(tmp_path):
    program = """if True:
        import os, signal, sys
        from im2latex_jax.runtime import files
        with files.replacing(sys.argv[1]) as part:
            part.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    path = tmp_path / "file.json"
    ended = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not path.exists()
    (left,) = tmp_path.iterdir()
    for name in ("kept.part", "kept.json"):
        (tmp_path / name).touch()
    files.remove_unfinished(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["kept.json", "kept.part"]
    assert left.name.startswith("file.json.")


def test_links_are_replaced_and_not_followed(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "out.txt").symlink_to(tmp_path / "mine.txt")
    files.write_text(tmp_path / "out.txt", "new")
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "out.txt").is_symlink()


def test_a_planted_part_is_not_written_through(tmp_path, monkeypatch):
    (tmp_path / "mine.txt").write_text("mine")
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: "0" * 16)
    (tmp_path / f"out.txt.{'0' * 16}.part").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(FileExistsError):
        files.write_text(tmp_path / "out.txt", "new")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_processes_of_two_machines_with_one_number_do_not_share_a_part(tmp_path):
    with files.replacing(tmp_path / "a") as one, files.replacing(tmp_path / "a") as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    assert (tmp_path / "a").read_text() == "one"


def test_devices_are_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_text(pipe, "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()


def test_what_is_written_reaches_the_disk_before_its_name_does(tmp_path, monkeypatch):
    """The order that a power cut shows: content, then name, then the folder that has the name."""
    happened = []

    def fsync(descriptor):
        happened.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        original(descriptor)

    def replace(source, target):
        happened.append("replaced")
        return renamed(source, target)

    original, renamed = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    files.write_text(tmp_path / "file.json", "content")
    content, name, folder = happened
    assert content.startswith(f"{tmp_path}/file.json.") and content.endswith(".part")
    assert (name, folder) == ("replaced", str(tmp_path))


def test_all_of_a_folder_reaches_the_disk(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("one", "a/two", "a/b/three"):
        (tmp_path / name).touch()
    synced = []
    monkeypatch.setattr(files, "sync", lambda path: synced.append(os.fspath(path)))
    files.sync_tree(tmp_path)
    assert set(synced) == {str(p) for p in (tmp_path.parent, tmp_path, *tmp_path.rglob("*"))}
