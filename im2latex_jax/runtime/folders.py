"""Where the package keeps what it can make again: data sets, compiled programs."""

import os
import pathlib


def cache() -> pathlib.Path:
    """IM2LATEX_CACHE, else `im2latex_jax` in the user's cache folder."""
    named = os.environ.get("IM2LATEX_CACHE")
    if named:
        return pathlib.Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "im2latex_jax"
