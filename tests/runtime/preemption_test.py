"""Signals: heard at once, or when asked."""

import os
import signal
import threading

import pytest

from im2latex_jax.runtime import preemption
from im2latex_jax.runtime.preemption import Interrupted


def send(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_raises_at_once(number):
    with pytest.raises(Interrupted, match="the same command goes on"), preemption.listening():
        send(number)
        raise AssertionError("went on")


def test_a_deferred_signal_waits_to_be_asked_for():
    reached = []
    with preemption.listening() as signals:
        with pytest.raises(Interrupted), signals.deferred():
            signals.check()
            send()
            reached.append("after the signal")
            signals.check()
            reached.append("after the check")
        with pytest.raises(Interrupted), signals.deferred():
            reached.append("in another block")
    assert reached == ["after the signal"]


def test_a_second_signal_is_heard_even_if_the_first_was_deferred():
    with preemption.listening() as signals:
        with pytest.raises(KeyboardInterrupt) as caught, signals.deferred():
            send()
            send(signal.SIGINT)
        assert not isinstance(caught.value, Interrupted)


def test_the_handlers_that_were_there_come_back():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with preemption.listening() as signals:
        assert signal.getsignal(signal.SIGTERM) == signals.note
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_thread_leaves_signals_to_the_main_thread():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def listen():
        with preemption.listening() as signals:
            seen.append(signal.getsignal(signal.SIGTERM))
            signals.check()

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [before]


def test_shared_signals_count_when_all_know_of_them_and_not_before():
    asked = []

    def vote(wanted):
        asked.append(wanted)
        return len(asked) == 3  # another process's wish, say

    signals = preemption.Signals()
    signals.share(vote)
    signals.check()
    signals.received = True
    signals.poll()
    signals.check()
    with pytest.raises(Interrupted):
        signals.check()
    assert asked == [False, True, True]
