"""python -m experiments.benchmark train|recognize [--json] ...

Measures training (`train`) or reading pictures (`recognize`). Kept short on purpose: what it does
is in the modules of those names. Both use one stand-in for data that may not be at hand, see
`stand_in`.
"""

import argparse
import json
import sys

from experiments import command_line
from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import allocator


def main() -> int:
    from experiments.benchmark import recognize, train

    parser = argparse.ArgumentParser(prog="python -m experiments.benchmark", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (train, recognize):
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(
            name, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_argument("--json", action="store_true", help="print JSON")
        module.add_arguments(command)
        command.set_defaults(run=module.run, describe=module.describe)
    arguments, settings = parser.parse_known_args()
    try:
        if arguments.run is train.run:  # as the training command does, before JAX starts
            allocator.restart_with(
                command_line.config(settings, "default").allocator, sys.orig_argv
            )
        figures = arguments.run(arguments, settings)
    except Im2latexError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=2) if arguments.json else arguments.describe(figures))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
