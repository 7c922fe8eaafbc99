"""Command lines whose values begin with a dash: `--latex '-x^2+4=0'`, a file named `-a.png`."""

import argparse
import os
from collections.abc import Sequence


def protect(arguments: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Arguments that argparse takes for what they are meant.

    argparse takes all that begins with a dash for an option. Here the argument after an option that
    wants a value becomes its value (`--latex=-x`), unless it is an option itself, and an argument
    that names a file and no option becomes a path (`./-a.png`). `--` ends the options as usual.

    Args:
      arguments: of the command, its name left out.
      parser: of the command.
    """
    options = parser._option_string_actions
    result: list[str] = []
    number = 0
    while number < len(arguments):
        argument = arguments[number]
        following = arguments[number + 1] if number + 1 < len(arguments) else ""
        number += 1
        if argument == "--":
            return [*result, argument, *arguments[number:]]
        action = options.get(argument)
        if action is not None:
            wants_value = action.nargs is None and not action.const
            if wants_value and _begins_with_dash(following) and following not in options:
                argument = f"{argument}={following}"
                number += 1
            elif wants_value and following:
                result.append(argument)
                argument = following
                number += 1
        elif _begins_with_dash(argument) and os.path.lexists(argument):
            argument = os.path.join(os.curdir, argument)
        result.append(argument)
    return result


def _begins_with_dash(argument: str) -> bool:
    return len(argument) > 1 and argument.startswith("-")
