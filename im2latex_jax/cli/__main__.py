"""`python -m im2latex_jax.cli`: the command `im2latex` where it is not installed."""

import sys

from im2latex_jax.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
