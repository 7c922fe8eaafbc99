"""Programs in the sandbox meet its limits and see nothing of the user's environment."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

from im2latex_jax.rendering.tex import isolation, sandbox
from im2latex_jax.rendering.tex.sandbox import Limits


@pytest.fixture(params=["auto", "off"], autouse=True)
def mode(request, monkeypatch):
    """Everything holds with and without bubblewrap; `auto` uses it where it works."""
    monkeypatch.setenv(isolation.VARIABLE, request.param)
    return request.param


def sh(script, limits=None, **options):
    limits = limits or Limits(5, 10)
    return sandbox.run(["/bin/sh", "-c", script], limits, **options)


def test_a_program_reads_its_input_and_its_output_comes_back():
    script = "cat ../in/given; echo oops >&2; echo made > made.txt; echo x > other; exit 3"

    run = sh(script, files={"given": b"this\n"}, wanted=[".txt"])

    assert run.status == 3
    assert run.output.splitlines() == ["this", "oops"]
    assert run.last_line == "oops"
    assert run.exceeded is None
    assert run.files == {"made.txt": b"made\n"}


def test_each_run_begins_in_an_empty_folder_that_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert [sh("ls; touch left").output for _ in range(2)] == ["", ""]
    assert list(tmp_path.iterdir()) == []


def test_links_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")

    assert sh(f"ln -s {secret} a.txt; mkdir b.txt", wanted=[".txt"]).files == {}


@pytest.mark.parametrize(
    "script, limits, exceeded",
    [
        ("while :; do :; done", Limits(1, 30), "processor time"),
        ("sleep 30", Limits(5, 0.3), "wall-clock time"),
        ("exec dd if=/dev/zero of=big bs=1M count=8", Limits(5, 10, file_mib=2), "file size"),
    ],
)
def test_limits_are_kept_and_named(script, limits, exceeded):
    assert sh(script, limits).exceeded == exceeded


@pytest.mark.skipif(sys.platform != "linux", reason="processor time is watched on Linux only")
def test_a_program_without_progress_is_stopped_before_its_time_is_up():
    limits = Limits(60, 60, stall_seconds=0.3, progress="step")
    spin = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; "

    assert sh(f"echo step; {60 * spin}", limits).exceeded == "processor time"
    assert sh(f"echo step; while :; do echo no; {spin} done", limits).exceeded == "processor time"
    assert sh(f"{4 * spin} echo step; sleep 1; echo step", limits).exceeded is None


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
def test_memory_is_limited():
    hog = "x=x; i=0; while [ $i -lt 28 ]; do x=$x$x; i=$((i+1)); done; echo had it"

    assert "had it" in sh(hog, Limits(20, 60, memory_mib=4096)).output
    assert "had it" not in sh(hog, Limits(20, 60, memory_mib=128)).output


def test_a_program_leaves_no_children_when_its_time_is_up(tmp_path):
    if isolation.active():
        pytest.skip("they see no folder in which to leave a sign")
    sh(f"(sleep 1; touch {tmp_path}/late) & sleep 30", Limits(5, 0.2))
    sh("sleep 1.2")

    assert not (tmp_path / "late").exists()


def test_the_environment_is_bare_and_paranoid(monkeypatch):
    monkeypatch.setenv("SECRET", "hidden")
    monkeypatch.setenv("TEXINPUTS", "/somewhere")
    printed = sh("env").output.splitlines()

    assert {"openin_any=p", "openout_any=p", "shell_escape=f"} <= set(printed)
    assert not any("SECRET" in line or "somewhere" in line for line in printed)


@pytest.mark.skipif(shutil.which("kpsewhich") is None, reason="TeX is not installed")
@pytest.mark.parametrize("kind", ["tex", "tfm", "vf", "pk", "map", "enc files", "type1 fonts"])
def test_the_search_paths_hold_the_input_but_not_the_working_folder(kind):
    script = f'kpsewhich -progname=latex "-show-path={kind}"'

    elements = [part.strip("!/") for part in sh(script).last_line.split(":")]

    assert not {"", "."} & set(elements)
    assert any(part.endswith("../in") for part in elements)
    assert not any(part.startswith(os.path.expanduser("~")[1:] + "/texmf") for part in elements)


def test_missing_programs_are_named_with_their_packages(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(sandbox.MissingProgramError, match=r"latex and dvipng not found.*apt-get"):
        sandbox.require_programs()


def test_a_full_disk_is_not_blamed_on_the_program(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(sandbox.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    with pytest.raises(sandbox.DiskFullError, match=f"no space left in {tmp_path}"):
        sh("false")


def test_isolated_programs_see_no_file_of_the_system_and_no_network(tmp_path, mode):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    reads = f"cat {secret} {pathlib.Path(__file__)} /etc/passwd; cat /proc/net/dev"
    visible = sh(reads).output
    if mode == "off":
        assert "secret" in visible
        return
    if not isolation.active():
        pytest.skip("bubblewrap is not installed or does not work here")

    assert "secret\n" not in visible.replace(f"{secret}", "")
    assert "root:" not in visible
    assert "eth" not in visible
    assert "/im2latex/out" in sh("pwd").output
    assert "nothing" not in sh("echo nothing > ../in/x; cat ../in/x").output


def test_isolation_is_off_required_or_where_it_works(monkeypatch):
    monkeypatch.setattr(isolation, "_works", lambda: False)
    monkeypatch.setenv(isolation.VARIABLE, "auto")
    assert not isolation.active()
    monkeypatch.setenv(isolation.VARIABLE, "require")
    with pytest.raises(isolation.SandboxError, match=r"require.*install it.*bubblewrap"):
        sh("true")
    monkeypatch.setenv(isolation.VARIABLE, "yes")
    with pytest.raises(isolation.SandboxError, match="IM2LATEX_SANDBOX=yes: choose auto, require"):
        sh("true")


def test_bubblewrap_that_fails_is_not_used(monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(isolation.VARIABLE, "auto")
    isolation._works.cache_clear()
    try:
        assert not isolation.active()
        assert sh("echo runs").output == "runs\n"
    finally:
        isolation._works.cache_clear()
