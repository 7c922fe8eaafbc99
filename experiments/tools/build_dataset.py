"""python -m experiments.tools.build_dataset [--config FILE] [--config.KEY=VALUE ...]

Builds the data set of a configuration (by default `configs/corpus.py`) without training on it, and
prints its folder, the records of each split, and what it took. A run with the same configuration
then finds it ready.
"""

import os
import pathlib
import sys
import time

from experiments import command_line


def main() -> int:
    parser = command_line.parser("tools.build_dataset", __doc__)
    parser.add_argument("--num_workers", type=int, help="processes that draw; default: one a core")
    parser.add_argument("--link", help="name of a link to the data set, for a mixture")
    arguments, rest = parser.parse_known_args()

    from absl import logging

    from im2latex_jax import datasets
    from im2latex_jax.errors import Im2latexError
    from im2latex_jax.runtime import folders

    logging.set_verbosity(logging.WARNING)
    start = time.perf_counter()
    try:
        config = command_line.config(rest, "corpus").dataset
        data_dir = config.data_dir or folders.cache() / "datasets"
        splits = datasets.load(
            config.name,
            data_dir,
            num_workers=arguments.num_workers,
            **config.options,
        )
    except Im2latexError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments.link:
        link, target = pathlib.Path(data_dir, arguments.link), splits["train"].directory
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(target, data_dir))
    print(splits["train"].directory)
    for name, split in splits.items():
        print(f"{name}: {len(split)} records")
    print(f"{time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
