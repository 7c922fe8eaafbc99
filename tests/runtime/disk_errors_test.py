"""Whose fault it was."""

import errno
import os
import resource

import pytest

from im2latex_jax.runtime import disk_errors


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "text", "file"), "No space left on device"),
        (RuntimeError("writing /a/b: No space left on device"), "No space left on device"),
        (ValueError("Failed to write 3 bytes [os_error_code='28']"), "No space left on device"),
        (OSError(errno.ENOENT, "No such file or directory"), None),
        (ValueError("shape (3,) is not (4,)"), None),
        (KeyError("No space left on device"), None),
    ],
)
def test_the_disk_is_blamed_for_what_it_did(error, reason):
    assert disk_errors.reason(error) == reason


def test_the_cause_of_an_error_counts():
    try:
        try:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        except OSError as error:
            raise RuntimeError("saving failed") from error
    except RuntimeError as error:
        assert disk_errors.reason(error) == "Disk quota exceeded"


def test_a_real_refusal_is_recognized(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            (tmp_path / "file").write_bytes(bytes(20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert disk_errors.reason(caught.value) == "File too large"
