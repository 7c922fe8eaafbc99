"""Programs in the sandbox meet its limits and see nothing of the user's environment."""

import sys

import pytest

from im2latex_jax.rendering.tex import sandbox
from im2latex_jax.rendering.tex.sandbox import Limits


def test_a_program_runs_in_its_folder_and_its_output_comes_back(tmp_path):
    run = sandbox.run(["sh", "-c", "pwd; echo oops >&2; exit 3"], tmp_path, Limits(5, 10))

    assert run.status == 3
    assert run.output.splitlines() == [str(tmp_path), "oops"]
    assert run.last_line == "oops"
    assert run.exceeded is None


@pytest.mark.parametrize(
    "script, limits, exceeded",
    [
        ("while :; do :; done", Limits(1, 30), "processor time"),
        ("sleep 30", Limits(5, 0.3), "wall-clock time"),
        ("exec dd if=/dev/zero of=big bs=1M count=8", Limits(5, 10, file_mib=2), "file size"),
    ],
)
def test_limits_are_kept_and_named(tmp_path, script, limits, exceeded):
    assert sandbox.run(["sh", "-c", script], tmp_path, limits).exceeded == exceeded


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
def test_memory_is_limited(tmp_path):
    hog = [sys.executable, "-c", "x = bytearray(600 << 20); print('had it')"]

    assert "had it" in sandbox.run(hog, tmp_path, Limits(5, 20, memory_mib=2048)).output
    assert "had it" not in sandbox.run(hog, tmp_path, Limits(5, 20, memory_mib=256)).output


def test_a_program_leaves_no_children_when_its_time_is_up(tmp_path):
    sandbox.run(["sh", "-c", "(sleep 1; touch late) & sleep 30"], tmp_path, Limits(5, 0.2))
    sandbox.run(["sleep", "1.2"], tmp_path, Limits(5, 10))

    assert not (tmp_path / "late").exists()


def test_the_environment_is_bare_and_paranoid(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "hidden")
    monkeypatch.setenv("TEXINPUTS", "/somewhere")
    printed = sandbox.run(["env"], tmp_path, Limits(5, 10)).output.splitlines()

    assert {"openin_any=p", "openout_any=p", "shell_escape=f", f"HOME={tmp_path}"} <= set(printed)
    assert not any(line.startswith(("SECRET", "TEXINPUTS")) for line in printed)


def test_missing_programs_are_named_with_their_packages(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(sandbox.MissingProgramError, match=r"latex and dvipng not found.*apt-get"):
        sandbox.require_programs()


def test_a_full_disk_is_not_blamed_on_the_program(tmp_path, monkeypatch):
    usage = sandbox.shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(sandbox.shutil, "disk_usage", lambda path: usage)

    with pytest.raises(sandbox.DiskFullError, match=f"no space left in {tmp_path.parent}"):
        sandbox.run(["false"], tmp_path, Limits(5, 10))
