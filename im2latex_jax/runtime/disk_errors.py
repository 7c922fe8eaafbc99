"""What a disk refused, found in the errors of the libraries that met it."""

import errno
import os

_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def reason(error: BaseException | None) -> str | None:
    """The system's words, such as "No space left on device"; None if the disk is not to blame.

    The C++ libraries that write records and checkpoints raise ValueError or RuntimeError with the
    system's words somewhere in the message.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _CODES:
            return os.strerror(error.errno)
        if isinstance(error, (OSError, RuntimeError, ValueError)):
            for code in _CODES:
                if os.strerror(code) in str(error) or f"[os_error_code='{code}']" in str(error):
                    return os.strerror(code)
        error = error.__cause__ or error.__context__
    return None
