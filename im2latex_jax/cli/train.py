"""`im2latex train`: trains (or resumes) and evaluates in a work directory.

Kept short on purpose: what it does is in `im2latex_jax.training.run`, where it can be tested.
"""

import argparse
import json
import os
import pathlib
import sys
from collections.abc import Sequence

from im2latex_jax.errors import Im2latexError, require_extra

DESCRIPTION = """Trains (or resumes) and evaluates in a work directory.

Settings are given as --config FILE, a Python file whose get_config() returns the configuration, and
--config.KEY=VALUE for single values. Without --config the embedded default run is trained: see
im2latex_jax/config.py for all settings."""
USAGE = "%(prog)s --workdir DIR [--config FILE] [--config.KEY=VALUE ...]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments; those of the configuration are left to `run`."""
    parser.usage = USAGE
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--workdir",
        required=True,
        type=pathlib.Path,
        metavar="DIR",
        help="folder of the run: checkpoints, logs, results",
    )


def main(arguments: Sequence[str] | None = None, prog: str = "im2latex train") -> int:
    """Runs the command on its own; returns its exit status."""
    parser = argparse.ArgumentParser(prog=prog, allow_abbrev=False)
    add_arguments(parser)
    parsed, settings = parser.parse_known_args(arguments)
    try:
        return run(parsed.workdir, settings)
    except Im2latexError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def run(workdir: pathlib.Path, settings: Sequence[str]) -> int:
    """Trains in `workdir` with the configuration that settings (`--config ...`) ask for.

    Returns:
      The exit status. Where other threads or processes must not be waited for, the program ends
      here instead: with status 1 after an error, 130 after an interruption.
    """
    require_extra("train")
    from absl import logging

    from im2latex_jax.cli import settings as cli_settings
    from im2latex_jax.runtime import allocator

    # orbax shows the traceback of what is told in a line below
    logging.set_verbosity(logging.FATAL)
    try:
        config = cli_settings.read(settings)
    except Im2latexError as error:
        sys.exit(f"error: {error}")
    allocator.restart_with(config.allocator, sys.orig_argv)

    from im2latex_jax.runtime import compilation, multihost, programs
    from im2latex_jax.training import run as training

    try:
        compilation.prepare(config)
        result = training.run(config, workdir)
    except Im2latexError as error:
        programs.leave(1, f"error: {error}")
    except OSError as error:  # no file descriptors, for example
        name = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        programs.leave(1, f"error: {name}{error.strerror or error}")
    except KeyboardInterrupt as stopped:  # by preemption.Interrupted, or by a second signal
        programs.leave(130, str(stopped) or "stopped at once")
    if multihost.is_first():
        print(json.dumps(result, indent=2))
    return 0
