"""Jitted functions compiled ahead, shape by shape, without going deaf to signals meanwhile."""

import os
import sys
from typing import Any, NoReturn

import jax

from im2latex_jax.runtime.preemption import Signals
from im2latex_jax.runtime.threads import any_left, in_thread


class Programs:
    """The programs of a jitted function, one for each shape of its arguments.

    XLA compiles for seconds or minutes without letting Python run a signal's handler. Here it does
    so in a thread of its own, while the main thread listens. Called like the function itself.
    """

    def __init__(self, function: Any, signals: Signals):
        """Takes a function of `compilation.jit`, and whom to ask about signals."""
        self._function = function
        self._signals = signals
        self._programs: dict[Any, jax.stages.Compiled] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Calls the function.

        Raises:
          Interrupted: a signal has come; the function was not called.
        """
        self._signals.check()
        return self.program(*arguments)(*arguments)

    def program(self, *arguments: Any) -> jax.stages.Compiled:
        """The program for arguments of these shapes (arrays or ShapeDtypeStruct).

        Raises:
          Interrupted: a signal has come, perhaps while the program was being compiled.
        """
        leaves, tree = jax.tree.flatten(arguments)
        key = tree, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        if key not in self._programs:
            self._programs[key] = self._compile(arguments)
        return self._programs[key]

    def _compile(self, arguments: tuple) -> jax.stages.Compiled:
        return in_thread(
            lambda: self._function.trace(*arguments).lower().compile(), check=self._signals.poll
        )


def leave(status: int, last_words: str) -> NoReturn:
    """Ends the program without waiting for a thread, such as a compilation, or other processes.

    The others may be waiting for this one: JAX ends them when it is gone.
    """
    print(last_words, file=sys.stderr, flush=True)
    if any_left() or jax.distributed.is_initialized():
        os._exit(status)
    sys.exit(status)
