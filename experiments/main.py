"""python -m experiments.main --workdir DIR [--config FILE] [--config.KEY=VALUE ...]

Trains (or resumes) and evaluates in DIR. Kept short on purpose: what it does is in
`im2latex_jax.training.run`, where it can be tested.
"""

import json
import pathlib
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from experiments import settings

_DEFAULT = pathlib.Path(__file__).parent / "configs" / "default.py"
flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints, logs, results.")


def parse(argv: list[str]) -> list[str]:
    """Parses the flags; what is wrong with the configuration ends in one line."""
    try:
        # Here rather than above, because the file is read, and may be wrong, in this very call.
        config = config_flags.DEFINE_config_file("config", str(_DEFAULT), "Settings of the run.")
        rest = app.parse_flags_with_usage(argv)
        _ = config.value.is_locked  # a file that failed to load says so when it is first used
    except (AttributeError, KeyError) as error:
        sys.exit(f"error: {settings.no_such_key(error)}")
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"error: --config: {' '.join(str(error).split())}")
    if len(rest) > 1:
        sys.exit(f"error: unknown argument {rest[1]!r}: settings are given as --config.KEY=VALUE")
    return rest


def main(_: list[str]) -> None:
    # orbax shows the traceback of what is told in a line below
    logging.set_verbosity(logging.FATAL)
    from im2latex_jax.errors import Im2latexError
    from im2latex_jax.runtime import compilation, multihost, programs
    from im2latex_jax.training import run

    compilation.enable_cache()
    if flags.FLAGS.config.deterministic:
        compilation.make_deterministic()
    try:
        result = run.run(flags.FLAGS.config, pathlib.Path(flags.FLAGS.workdir))
    except Im2latexError as error:
        programs.leave(1, f"error: {error}")
    except KeyboardInterrupt as stopped:  # by train.Interrupted, or by a second signal
        programs.leave(130, str(stopped) or "stopped at once")
    if multihost.is_first():
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    try:
        app.run(main, flags_parser=parse)
    except KeyboardInterrupt:  # while it is still importing
        sys.exit(130)
