"""im2latex_jax: pictures of formulas to LaTeX, with JAX and Flax."""

__version__ = "0.1.0"

_LAZY = {
    "Recognizer": "im2latex_jax.recognizer",
    "Recognition": "im2latex_jax.recognizer",
    "Im2latexError": "im2latex_jax.errors",
}


def __getattr__(name: str):
    # JAX takes a second to import: not for those who only want the version or the lexer.
    import importlib

    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
