"""The exceptions that are meant for the person at the keyboard."""

import importlib.util


class Im2latexError(ValueError):
    """Something the user gave is wrong: the message says what, where, and what to do.

    The command-line programs print the message in one line and leave with exit status 1. Every
    error of the library that a user can cause derives from this class; anything else is a bug and
    keeps its traceback.
    """


class CorruptRecordError(Im2latexError):
    """A record of a data set cannot be read: its bytes are damaged on the disk."""


# Top-level modules that only some installs have, and the extra of the package that brings each.
EXTRAS = {
    "absl": "train",
    "apache_beam": "beam",
    "array_record": "train",
    "grain": "train",
    "latex2mathml": "formats",
    "math_ml2omml": "formats",
    "matplotlib": "render",
    "optax": "train",
    "orbax": "train",
    "playwright": "browser",
    "rapidfuzz": "evaluate",
    "sacrebleu": "evaluate",
    "sympy": "solve",
    "tensorboardX": "train",
    "tensorflow_datasets": "train",
}


def require_extra(extra: str) -> None:
    """Checks that the modules that an extra brings are installed.

    Raises:
      Im2latexError: one is not; says what to install.
    """
    for module, name in EXTRAS.items():
        if name == extra and importlib.util.find_spec(module) is None:
            raise Im2latexError(_instruction(module))


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """The message for a module that an extra brings: what to install. None for other modules."""
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return None
    return _instruction(module)


def _instruction(module: str) -> str:
    return f"this needs {module}: install it with pip install 'im2latex_jax[{EXTRAS[module]}]'"
