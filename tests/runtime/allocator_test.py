"""Starting again with another allocator."""

import os
import pathlib
import subprocess
import sys

import pytest

from im2latex_jax.runtime import allocator

PROGRAM = """
import os, sys
from im2latex_jax.runtime import allocator
allocator.restart_with(sys.argv[1], sys.orig_argv)
print(os.getpid(), os.environ.get("GLIBC_TUNABLES"), os.environ.get("LD_PRELOAD"))
"""


def start(name, **environment):
    inherited = {k: v for k, v in os.environ.items() if k not in ("GLIBC_TUNABLES", "LD_PRELOAD")}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**inherited, **environment},
    ) as process:
        output, error = process.communicate(timeout=60)
    pid, tunables, preloaded = output.split()
    assert int(pid) == process.pid  # the same process: signals still reach it
    return tunables, preloaded, error


def test_the_system_allocator_starts_nothing_again():
    assert start("system") == ("None", "None", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is of Linux")
def test_glibc_is_started_with_tunables_once_and_those_of_the_user_stay():
    tunables, _, error = start("glibc")
    assert "glibc.malloc.trim_threshold" in tunables
    assert not error
    assert start("glibc", GLIBC_TUNABLES="glibc.malloc.check=0")[0] == "glibc.malloc.check=0"


def test_a_library_that_is_missing_is_told_and_the_program_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(allocator, "_find_jemalloc", lambda: None)
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("started again"))
    allocator.restart_with("jemalloc", sys.orig_argv)
    assert "config.allocator is 'jemalloc', which is not to be found" in capsys.readouterr().err


def test_jemalloc_is_preloaded_before_what_the_user_preloads(monkeypatch):
    monkeypatch.setattr(allocator, "_find_jemalloc", lambda: pathlib.Path("/lib/libjemalloc.so.2"))
    monkeypatch.setenv("LD_PRELOAD", "/lib/other.so")
    monkeypatch.delenv("MALLOC_CONF", raising=False)
    added = allocator.environment("jemalloc")
    assert added["LD_PRELOAD"] == "/lib/other.so /lib/libjemalloc.so.2"
    assert "dirty_decay_ms:-1" in added["MALLOC_CONF"]
