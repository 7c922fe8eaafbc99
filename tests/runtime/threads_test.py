"""Long calls in a thread: what they return and raise, and how the wait for them ends."""

import threading

import pytest

from im2latex_jax.runtime.threads import any_left, in_thread


def test_what_is_returned_and_raised_comes_back():
    here = threading.current_thread()
    assert in_thread(lambda: threading.current_thread() is not here) is True
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 / 0)


def test_a_wait_ends_in_time_or_by_the_check_and_the_call_is_left_behind():
    go_on = threading.Event()
    others = set(threading.enumerate())

    def check():
        raise InterruptedError

    with pytest.raises(TimeoutError):
        in_thread(go_on.wait, timeout=0.2)
    assert any_left()
    with pytest.raises(InterruptedError):
        in_thread(go_on.wait, check=check)
    left = set(threading.enumerate()) - others
    assert len(left) == 2
    go_on.set()
    for thread in left:
        thread.join(10)
    assert not any(thread.is_alive() for thread in left)
