"""What the arguments of this folder's commands have in common."""

import argparse


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser for `python -m experiments.COMMAND`, whose help shows the description as it is."""
    return argparse.ArgumentParser(
        prog=f"python -m experiments.{command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
