"""Options of the compiler."""

import os
import subprocess
import sys

import jax
import pytest

from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import compilation


def test_a_gpu_is_made_deterministic_beside_other_flags(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=somewhere")
    compilation.make_deterministic()
    compilation.make_deterministic()
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to=somewhere --xla_gpu_deterministic_ops=true"


def test_a_gpu_that_was_started_otherwise_is_refused(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    compilation.check_deterministic()  # nothing to do on a CPU
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(Im2latexError, match="set XLA_FLAGS="):
        compilation.check_deterministic()
    compilation.make_deterministic()
    compilation.check_deterministic()


def test_the_installed_xla_knows_the_flag():
    """It would abort the program otherwise."""
    program = (
        "from im2latex_jax.runtime import compilation\n"
        "compilation.make_deterministic()\n"
        "print(compilation.jit(lambda x: x + 1)(1.0))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "2.0\n", ended.stderr
