"""The exceptions that are meant for the person at the keyboard."""


class Im2latexError(ValueError):
    """Something the user gave is wrong: the message says what, where, and what to do.

    The command-line programs print the message in one line and leave with exit status 1. Every
    error of the library that a user can cause derives from this class; anything else is a bug and
    keeps its traceback.
    """


class CorruptRecordError(Im2latexError):
    """A record of a data set cannot be read: its bytes are damaged on the disk."""
