"""python -m experiments.package_weights RUN [--out FOLDER]

Puts a trained model into the package, from where `Recognizer.load()` and `im2latex predict` take
it: its parameters in half precision, its settings and its vocabulary. RUN is a work directory of
`experiments.main`, or the folder of a model.
"""

import pathlib
import sys

import numpy as np

from experiments import command_line
from im2latex_jax import model_files
from im2latex_jax.errors import Im2latexError


def main() -> None:
    parser = command_line.parser("package_weights", __doc__)
    parser.add_argument("run", type=pathlib.Path, help="work directory, or folder of a model")
    parser.add_argument(
        "--out", type=pathlib.Path, default=model_files.PACKAGED, help="default: the package"
    )
    parsed = parser.parse_args()
    try:
        model_files.save(parsed.out, model_files.load(parsed.run), np.float16)
    except Im2latexError as error:
        sys.exit(f"error: {error}")
    size = sum(file.stat().st_size for file in parsed.out.iterdir())
    print(f"{parsed.out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
