"""python -m experiments.tools.reproduce RUN [--workdir DIR]

Trains again from the configuration that is saved in the folder RUN, and says whether the bytes
agree: the loss of every step, the parameters wherever they were logged, the weights of the model.
Stops at the first step that differs. Exit status 0 where they agree, 2 where they do not, 1 where
they could not be compared. What it does is in `im2latex_jax.training.reproduction`.
"""

import pathlib
import sys
import tempfile

from experiments import command_line


def main() -> int:
    parser = command_line.parser("tools.reproduce", __doc__)
    parser.add_argument("run", type=pathlib.Path, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--workdir", type=pathlib.Path, help="where to train; kept. By default a temporary folder"
    )
    arguments = parser.parse_args()

    from im2latex_jax.errors import Im2latexError
    from im2latex_jax.runtime import compilation, programs
    from im2latex_jax.training import reproduction

    try:
        compilation.prepare(reproduction.saved_config(arguments.run))
        with tempfile.TemporaryDirectory(prefix="reproduce-") as temporary:
            verdict = reproduction.reproduce(
                arguments.run, arguments.workdir or pathlib.Path(temporary)
            )
    except Im2latexError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stopped:  # by train.Interrupted, or by a second signal
        programs.leave(130, str(stopped) or "stopped at once")
    print(verdict.text)
    if verdict.environment:
        print(f"the run was made with {', '.join(verdict.environment)}")
    return 0 if verdict.same else 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # while it is still importing
        sys.exit(130)
