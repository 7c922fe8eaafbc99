"""Compiling ahead, with an ear for signals."""

import os
import signal
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from im2latex_jax.runtime import compilation, preemption, programs
from im2latex_jax.runtime.preemption import Interrupted, Signals
from im2latex_jax.runtime.programs import Programs, leave


def test_a_program_serves_all_arguments_of_its_shapes():
    traced = []

    @compilation.jit
    def double(tree):
        traced.append(tree["x"].shape)
        return 2 * tree["x"]

    programs = Programs(double, Signals())
    program = programs.program({"x": jax.ShapeDtypeStruct((3,), jnp.float32)})
    assert programs.program({"x": np.zeros(3, np.float32)}) is program
    np.testing.assert_array_equal(programs({"x": np.arange(3, dtype=np.float32)}), [0, 2, 4])
    np.testing.assert_array_equal(programs({"x": jnp.ones(2)}), [2, 2])
    assert traced == [(3,), (2,)]


class Slow:
    """A function that takes a minute to compile."""

    def trace(self, *_):
        return self

    lower = trace

    def compile(self):
        time.sleep(60)


def test_a_signal_is_heard_while_a_program_is_compiled():
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    started = time.perf_counter()
    with preemption.listening() as signals, pytest.raises(Interrupted), signals.deferred():
        Programs(Slow(), signals)(1.0 * np.ones(2))
    assert time.perf_counter() - started < 10


def test_after_a_signal_nothing_is_called():
    signals = Signals()
    calls = []
    programs = Programs(compilation.jit(lambda x: calls.append(1) or x), signals)
    signals.received = True
    with pytest.raises(Interrupted):
        programs(np.ones(2))
    assert not calls


def test_what_goes_wrong_in_the_thread_is_raised_here():
    def fails(x):
        raise ZeroDivisionError("in the trace")

    with pytest.raises(ZeroDivisionError, match="in the trace"):
        Programs(compilation.jit(fails), Signals())(np.ones(2))


def test_leaving_does_not_wait_for_a_compilation(monkeypatch, capsys):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(programs, "any_left", lambda: False)
    with pytest.raises(SystemExit) as caught:
        leave(130, "stopped")
    assert (caught.value.code, ended) == (130, [])
    monkeypatch.setattr(programs, "any_left", lambda: True)
    with pytest.raises(SystemExit):
        leave(130, "stopped")
    assert ended == [130]
    assert capsys.readouterr().err == "stopped\nstopped\n"
