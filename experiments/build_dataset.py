"""python -m experiments.build_dataset [--config FILE] [--config.KEY=VALUE ...]

Builds the data set of a configuration without training on it, and prints its folder, the records of
each split, and what it took. A run with the same configuration then finds it ready.
"""

import pathlib
import sys
import time

from absl import app, flags, logging
from ml_collections import config_flags

_CORPUS = pathlib.Path(__file__).parent / "configs" / "corpus.py"
_CONFIG = config_flags.DEFINE_config_file("config", str(_CORPUS), "Configuration of the run.")
flags.DEFINE_integer("num_workers", None, "Processes that draw; default: one a core.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    logging.set_verbosity(logging.WARNING)
    from im2latex_jax import datasets, folders
    from im2latex_jax.errors import Im2latexError

    config = _CONFIG.value.dataset
    start = time.perf_counter()
    try:
        splits = datasets.load(
            config.name,
            config.data_dir or folders.cache() / "datasets",
            num_workers=flags.FLAGS.num_workers,
            **config.options,
        )
    except Im2latexError as error:
        sys.exit(f"error: {error}")
    print(splits["train"].directory)
    for name, split in splits.items():
        print(f"{name}: {len(split)} records")
    print(f"{time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    app.run(main)
