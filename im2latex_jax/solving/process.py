"""Computing in a process of its own, under a limit of time and memory."""

import contextlib
import dataclasses
import math
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

from im2latex_jax.errors import Im2latexError, require_extra
from im2latex_jax.solving.answer import Answer

TIME_LIMIT = 30.0
# Seconds for the process to start and import SymPy, before the time limit begins.
_STARTUP_LIMIT = 60.0
_MEMORY_BYTES = 2 << 30


def solve(formula: str, time_limit: float = TIME_LIMIT) -> Answer:
    """Finds out about a formula what can be computed; see `Answer`.

    A script that calls this needs the usual `if __name__ == "__main__":`, because the process that
    computes is spawned.

    Args:
      formula: LaTeX, an expression, an equation, an inequality or a system of them.
      time_limit: seconds after which SymPy is stopped; what it found until then is in the answer.

    Raises:
      Im2latexError: SymPy is not installed. What is wrong with the formula is in the answer.
    """
    require_sympy()
    if not 0 < time_limit < math.inf:
        raise Im2latexError(f"the time limit must be a positive number, not {time_limit}")
    context = multiprocessing.get_context("spawn")  # JAX's threads do not survive a fork
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_compute, args=(formula, theirs), daemon=True)
    process.start()
    theirs.close()
    deadline = time.monotonic() + _STARTUP_LIMIT
    answer = Answer()
    try:
        while ours.poll(max(0.0, deadline - time.monotonic())):
            field, value = ours.recv()
            if field == "started":
                deadline = time.monotonic() + time_limit
                continue
            if field == "done":
                return answer
            answer = _with_finding(answer, field, value)
        return dataclasses.replace(
            answer, error=f"SymPy was stopped at the time limit of {time_limit:g} seconds"
        )
    except EOFError:
        return dataclasses.replace(answer, error="the process that computes was killed")
    finally:
        process.kill()
        process.join()
        ours.close()


def require_sympy() -> None:
    """Raises `Im2latexError` where SymPy is not installed."""
    require_extra("solve")


def _with_finding(answer: Answer, field: str, value: Any) -> Answer:
    if field == "note":
        return dataclasses.replace(answer, notes=(*answer.notes, value))
    if field == "solutions":
        return dataclasses.replace(answer, solutions=(*answer.solutions, *value))
    return dataclasses.replace(answer, **{field: value})


def _compute(formula: str, connection: Connection) -> None:
    """The process: sends `started`, what it finds, and `done`."""
    _limit_memory()
    from im2latex_jax.solving import computation

    connection.send(("started", None))
    try:
        for finding in computation.findings(formula):
            connection.send(finding)
    except Im2latexError as error:
        connection.send(("error", f"this cannot be computed with: {error}"))
    except MemoryError:
        connection.send(("error", f"it takes more than {_MEMORY_BYTES >> 30} GiB of memory"))
    except RecursionError:
        connection.send(("error", "it is nested too deep for SymPy"))
    except Exception as error:  # SymPy's own bugs, of which odd formulas find some
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        connection.send(("error", f"SymPy failed: {reason}"))
    connection.send(("done", None))


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
