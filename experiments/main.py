"""python -m experiments.main --workdir DIR [--config FILE] [--config.KEY=VALUE ...]

Trains (or resumes) and evaluates in DIR. Kept short on purpose: what it does is in
`im2latex_jax.train`, where it can be tested.
"""

import json
import pathlib
import sys

from absl import app, flags, logging
from ml_collections import config_flags

_DEFAULT = pathlib.Path(__file__).parent / "configs" / "default.py"
_CONFIG = config_flags.DEFINE_config_file("config", str(_DEFAULT), "Configuration of the run.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints, logs, results.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown argument {argv[1]!r}")
    logging.set_verbosity(logging.WARNING)
    from im2latex_jax import compilation, train
    from im2latex_jax.errors import Im2latexError

    compilation.enable_cache()
    try:
        result = train.run(_CONFIG.value, pathlib.Path(_WORKDIR.value))
    except Im2latexError as error:
        sys.exit(f"error: {error}")
    except train.Interrupted as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(130)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    app.run(main)
