"""python -m experiments.tools.package_weights RUN [--out FOLDER]

Puts a trained model into the package, from where `Recognizer.load()` and `im2latex predict` take
it: its parameters in half precision, its settings and its vocabulary. RUN is a work directory of
`experiments.main`, or the folder of a model.
"""

import pathlib
import sys

import numpy as np

from experiments import command_line
from im2latex_jax.errors import Im2latexError
from im2latex_jax.model import saved_model


def main() -> None:
    parser = command_line.parser("tools.package_weights", __doc__)
    parser.add_argument("run", type=pathlib.Path, help="work directory, or folder of a model")
    parser.add_argument(
        "--out", type=pathlib.Path, default=saved_model.PACKAGED, help="default: the package"
    )
    parsed = parser.parse_args()
    try:
        saved_model.save(parsed.out, saved_model.load(parsed.run), np.float16)
    except Im2latexError as error:
        sys.exit(f"error: {error}")
    size = sum(file.stat().st_size for file in parsed.out.iterdir())
    print(f"{parsed.out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
