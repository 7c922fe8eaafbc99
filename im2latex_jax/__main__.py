"""`python -m im2latex_jax`: the command `im2latex`."""

import sys

from im2latex_jax.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
