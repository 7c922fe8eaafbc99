"""Random access to the raw records of ArrayRecord files, with a bounded number of open files."""

import bisect
import collections
import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from array_record.python import array_record_module

from im2latex_jax.errors import Im2latexError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_READ_OPTIONS = "readahead_buffer_size:0"  # records are asked for one by one, in any order
_BUFFER_BYTES = 32 << 10
# Seconds between attempts after the operating system refused to read. Shared storage comes back.
_RETRY_DELAYS = (0.5, 2.0, 8.0)
# ArrayRecord reports a failed system call by its name: "pread() failed: Stale file handle; ...".
_SYSTEM_CALL = re.compile(r"\b[a-z0-9_]+\(\) failed: ([^;]*)")

T = TypeVar("T")


class DamageError(Exception):
    """The bytes of a record are not those that were written."""


class Shards:
    """The records of a split's files, numbered through.

    Attributes:
      files: paths, in order.
      counts: records of each file.
    """

    def __init__(
        self, files: Sequence[str | os.PathLike], counts: Sequence[int], max_open: int | None = None
    ):
        """Opens no file yet; `max_open` files are kept open (default: by the process's limit)."""
        self.files = [os.fspath(file) for file in files]
        self.counts = list(counts)
        self._ends = list(itertools.accumulate(self.counts))
        self._max_open = max_open or _open_file_budget()
        self._readers: collections.OrderedDict[int, array_record_module.ArrayRecordReader] = (
            collections.OrderedDict()
        )
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def place(self, index: int) -> tuple[str, int]:
        """File of a record, and its number there (from 0)."""
        number, position = self._find(index)
        return self.files[number], position

    def read(self, index: int, parse: Callable[[bytes], T]) -> T:
        """What `parse` makes of the bytes of record `index`.

        Both a failed system call and damaged bytes are tried again with a newly opened file: a
        network file system recovers, and may deliver garbage once.

        Raises:
          DamageError: the bytes are damaged, in the second reading too.
          Im2latexError: the operating system refuses to read, also after some seconds. That says
            nothing about the record.
        """
        number, position = self._find(index)
        delays = list(_RETRY_DELAYS)
        damaged = False
        while True:
            try:
                return parse(self._reader(number).read([position])[0])
            except (RuntimeError, ValueError, AttributeError, LookupError, OSError) as error:
                self._close(number)
                refusal = _refusal(error)
                if refusal is None:
                    if damaged:
                        # ArrayRecord gives nothing at all for records of a file that was cut off.
                        nothing = isinstance(error, AttributeError)
                        raise DamageError("nothing is there" if nothing else str(error)) from error
                    damaged = True
                elif delays:
                    time.sleep(delays.pop(0))
                else:
                    raise Im2latexError(
                        f"{self.files[number]}: cannot be read now ({refusal}): start again when "
                        "its storage can be reached"
                    ) from error

    def _find(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        number = bisect.bisect_right(self._ends, index)
        return number, index - (self._ends[number] - self.counts[number])

    def _reader(self, number: int) -> array_record_module.ArrayRecordReader:
        with self._lock:
            if number in self._readers:
                self._readers.move_to_end(number)
            else:
                # One that is dropped is closed when the last thread that uses it is done.
                while len(self._readers) >= self._max_open:
                    self._readers.popitem(last=False)
                self._readers[number] = array_record_module.ArrayRecordReader(
                    self.files[number],
                    options=_READ_OPTIONS,
                    file_reader_buffer_size=_BUFFER_BYTES,
                )
            return self._readers[number]

    def _close(self, number: int) -> None:
        with self._lock:
            self._readers.pop(number, None)


def _refusal(error: Exception) -> str | None:
    """What the operating system said, if a system call failed; None for damaged bytes."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    found = _SYSTEM_CALL.search(str(error))
    return found[1] if found else None


def _open_file_budget() -> int:
    """Files that may be kept open: half of the process's limit, which is raised if it may be."""
    if resource is None:
        return 256
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            pass  # a smaller number of open files is slower, no more
    return 32_768 if soft == resource.RLIM_INFINITY else max(8, soft // 2)
