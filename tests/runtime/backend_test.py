"""Devices that are not there, and processes that JAX cannot be used in."""

import multiprocessing
import os
import subprocess
import sys

import pytest

from im2latex_jax import Im2latexError
from im2latex_jax.recognizer import Recognizer
from im2latex_jax.runtime import backend, compilation
from tests.support import tiny_model


def _run(model, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "im2latex_jax", "predict", "--checkpoint", str(model), "gone"]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_a_device_that_is_missing_is_one_line(tmp_path):
    run = _run(tiny_model.save(tmp_path / "model"), JAX_PLATFORMS="nowhere")
    assert run.returncode == 1
    assert run.stderr.startswith("im2latex: error: JAX cannot start: ")
    assert "unset JAX_PLATFORMS, which is 'nowhere'" in run.stderr and run.stderr.count("\n") == 1


def test_a_cache_that_cannot_be_written_is_one_note(tmp_path):
    (tmp_path / "file").touch()
    run = _run(tiny_model.save(tmp_path / "model"), IM2LATEX_CACHE=str(tmp_path / "file" / "x"))
    notes = [line for line in run.stderr.splitlines() if "gone" not in line]
    assert len(notes) == 1 and notes[0].startswith("im2latex: note: compiled programs are not kept")


def test_a_missing_home_is_told(monkeypatch):
    monkeypatch.delenv("IM2LATEX_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(compilation.folders.pathlib.Path, "home", _no_home)
    reason = compilation.enable_cache()
    assert reason is not None and "set IM2LATEX_CACHE" in reason


def _no_home():
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_process_says_that_it_cannot_read(tmp_path):
    recognizer = Recognizer(tiny_model.build())
    answers = multiprocessing.get_context("fork").SimpleQueue()

    def read() -> None:
        for attempt in (lambda: recognizer(b""), lambda: Recognizer(tiny_model.build())):
            try:
                attempt()
            except Im2latexError as error:
                answers.put(str(error))

    process = multiprocessing.get_context("fork").Process(target=read)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    for _ in range(2):
        assert 'get_context("spawn")' in answers.get()
    backend.require()  # here it still works
