"""Limits on the size of images, on the pixels held at a time, and on the time that one may take."""

import contextlib
import threading
import time
from collections.abc import Iterator

from im2latex_jax.images.errors import ImageError

# A4 at 600 dpi is 35 million pixels. More than this is refused before it is decoded.
MAX_PIXELS = 50_000_000
MAX_FILE_BYTES = 256 * 1024 * 1024
# Seconds on a processor that preparing one image may take; looked at between the stages.
MAX_SECONDS = 20.0


def check_size(height: int, width: int, name: str) -> None:
    """Refuses images without pixels, and those of more than MAX_PIXELS.

    Raises:
      ImageError: `name`, and what is wrong.
    """
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"{name}: {width} x {height} pixels are more than the {MAX_PIXELS:,} allowed; "
            "cut out the formula or make the picture smaller"
        )
    if height < 1 or width < 1:
        raise ImageError(f"{name}: has no pixels ({width} x {height})")


class Deadline:
    """A limit on the time that one image may take: stages call `check` when they begin.

    Time is that of the calling thread on a processor, so that a busy machine does not count.
    """

    def __init__(self, seconds: float = MAX_SECONDS):
        self._seconds = seconds
        self._end = time.thread_time() + seconds

    def check(self) -> None:
        """Raises ImageError once the time has passed."""
        if time.thread_time() > self._end:
            raise ImageError(
                f"takes more than {self._seconds:g} s to prepare; cut out the formula or make the "
                "image smaller"
            )


class PixelBudget:
    """Bounds the pixels that threads hold at a time; a semaphore counted in pixels.

    An image larger than the budget waits until it is the only one.
    """

    def __init__(self, pixels: int = MAX_PIXELS):
        self._pixels = pixels
        self._free = pixels
        self._changed = threading.Condition()

    def acquire(self, pixels: int) -> int:
        """Waits until `pixels` are free and takes them; returns what to give to `release`."""
        taken = min(pixels, self._pixels)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= taken)
            self._free -= taken
        return taken

    def release(self, taken: int) -> None:
        """Gives back what `acquire` returned."""
        with self._changed:
            self._free += taken
            self._changed.notify_all()

    @contextlib.contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Holds `pixels` within a `with` block."""
        taken = self.acquire(pixels)
        try:
            yield
        finally:
            self.release(taken)
