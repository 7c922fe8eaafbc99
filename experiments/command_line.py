"""What the arguments of this folder's commands have in common."""

import argparse
import pathlib
from collections.abc import Sequence

from ml_collections import ConfigDict

from im2latex_jax.cli import settings

CONFIGS = pathlib.Path(__file__).parent / "configs"


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser for `python -m experiments.COMMAND`, whose help shows the description as it is."""
    return argparse.ArgumentParser(
        prog=f"python -m experiments.{command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def config(arguments: Sequence[str], name: str) -> ConfigDict:
    """The configuration that arguments ask for; where they name no file, `configs/NAME.py`.

    Raises:
      Im2latexError: if the file cannot be read, or an argument is no setting.
    """
    return settings.read(arguments, CONFIGS / f"{name}.py")
