"""python -m experiments.main --workdir DIR [--config FILE] [--config.KEY=VALUE ...]

The same as `im2latex train`: trains (or resumes) and evaluates in DIR.
"""

import sys

if __name__ == "__main__":
    try:
        from im2latex_jax.cli import train

        sys.exit(train.main(prog="python -m experiments.main"))
    except KeyboardInterrupt:  # while it is still importing
        sys.exit(130)
