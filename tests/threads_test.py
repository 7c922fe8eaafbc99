"""Long calls in a thread: what they return and raise, and how the wait for them ends."""

import threading

import pytest

from im2latex_jax.threads import any_left, in_thread


def test_what_is_returned_and_raised_comes_back():
    here = threading.current_thread()
    assert in_thread(lambda: threading.current_thread() is not here) is True
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 / 0)


def test_a_wait_ends_in_time_or_by_the_check_and_the_call_is_left_behind():
    go_on = threading.Event()

    def check():
        raise InterruptedError

    with pytest.raises(TimeoutError):
        in_thread(go_on.wait, timeout=0.2)
    assert any_left()
    with pytest.raises(InterruptedError):
        in_thread(go_on.wait, check=check)
    go_on.set()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(1)
    assert not any_left()
