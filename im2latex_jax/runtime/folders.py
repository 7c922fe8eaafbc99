"""Where the package keeps what it can make again: data sets, compiled programs."""

import os
import pathlib

from im2latex_jax.errors import Im2latexError


def cache() -> pathlib.Path:
    """IM2LATEX_CACHE, else `im2latex_jax` in the user's cache folder.

    Raises:
      Im2latexError: the user has no home folder, and none is named.
    """
    named = os.environ.get("IM2LATEX_CACHE")
    if named:
        return pathlib.Path(named)
    try:
        home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    except RuntimeError as error:
        raise Im2latexError(
            "there is no home folder for the cache: set IM2LATEX_CACHE to a folder"
        ) from error
    return pathlib.Path(home) / "im2latex_jax"
