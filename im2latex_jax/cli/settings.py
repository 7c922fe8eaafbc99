"""The configuration of a command: `--config FILE` and `--config.KEY=VALUE`, as in training."""

import pathlib
from collections.abc import Sequence

from absl import flags
from ml_collections import ConfigDict, config_flags

from im2latex_jax import config
from im2latex_jax.errors import Im2latexError

DEFAULT = pathlib.Path(config.__file__)


def read(arguments: Sequence[str], default: pathlib.Path = DEFAULT) -> ConfigDict:
    """The configuration that arguments ask for, which must all be of this kind.

    Args:
      arguments: of the command line.
      default: file of the configuration where they name none.

    Raises:
      Im2latexError: if the file cannot be read, or an argument is no setting.
    """
    values = flags.FlagValues()
    try:
        holder = config_flags.DEFINE_config_file(
            "config",
            str(default),
            flag_values=values,
            sys_argv=list(arguments),
        )
        rest = values(["settings", *arguments])
        settings = holder.value
        _ = settings.is_locked  # a file that failed to load says so when it is first used
    except (AttributeError, KeyError) as error:
        raise Im2latexError(no_such_key(error)) from error
    except (OSError, TypeError, ValueError, flags.Error) as error:
        raise Im2latexError(" ".join(str(error).split())) from error
    if len(rest) > 1:
        raise Im2latexError(f"unknown argument {rest[1]!r}")
    return settings


def no_such_key(error: AttributeError | KeyError) -> str:
    """A line of what `ml_collections` says of a key; it wraps one error in another."""
    reason = error.args[0]
    if isinstance(reason, KeyError):
        reason = reason.args[0]
    return f"the configuration has no such key: {' '.join(str(reason).split())}"
