"""TensorBoard's event files of a run that may be interrupted and resumed."""

import os
import pathlib
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from google.protobuf.message import DecodeError
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2, summary_pb2
from tensorboardX.record_writer import RecordWriter, masked_crc32c

from im2latex_jax.runtime import files

_PREFIX = "events"
# Sorts before the files of later starts: TensorBoard reads them in this order.
_KEPT = f"{_PREFIX}.out.tfevents.0000000000.kept"


class Board:
    """Writes metrics as events, continued where an interrupted run needs it."""

    def __init__(self, folder: pathlib.Path, keep: Callable[[int, str], bool]):
        """Continues the events in `folder`, which is made if missing.

        Args:
          folder: of the event files.
          keep: whether the event of a step and a kind ("train", "validation") stays; the others
            will be written again.
        """
        folder.mkdir(exist_ok=True)
        _keep_events(folder, keep)
        # Not tensorboardX's SummaryWriter: it writes from a thread, for which it waits without end
        # after that has died of a full disk.
        self._writer = EventsWriter(str(folder / _PREFIX), filename_suffix=f".{os.getpid()}")

    def write(self, step: int, kind: str, metrics: Mapping[str, float]) -> None:
        """Writes the metrics of a step as `kind/name`."""
        values = [
            value
            for name, metric in metrics.items()
            for value in summary.scalar(f"{kind}/{name}", metric).value
        ]
        self._writer.write_event(
            event_pb2.Event(
                step=step, wall_time=time.time(), summary=summary_pb2.Summary(value=values)
            )
        )
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()


def read(folder: pathlib.Path) -> list[event_pb2.Event]:
    """All events with metrics in a folder, in the order in which they were written."""
    return [event for path in _paths(folder) for event in _events(path) if event.summary.value]


def _paths(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob(f"{_PREFIX}.out.tfevents.*"))


def _keep_events(folder: pathlib.Path, keep: Callable[[int, str], bool]) -> None:
    """Replaces all event files by one with the events that stay, each once."""
    paths = _paths(folder)
    if not paths:
        return
    kept: dict[tuple[int, str], event_pb2.Event] = {}
    for event in read(folder):
        tag = event.summary.value[0].tag
        if keep(event.step, tag.partition("/")[0]):
            # Twice there where a start was killed between the two lines below.
            kept.setdefault((event.step, tag), event)
    with files.replacing(folder / _KEPT) as part:
        _write(part, kept.values())
    for path in paths:
        if path.name != _KEPT:
            path.unlink()


def _write(path: pathlib.Path, events: Iterable[event_pb2.Event]) -> None:
    writer = RecordWriter(str(path))
    version = event_pb2.Event(file_version="brain.Event:2")
    for event in (version, *events):
        writer.write(event.SerializeToString())
    writer.close()


def _events(path: pathlib.Path) -> Iterator[event_pb2.Event]:
    """The events of a file (TFRecord framing), up to one that was cut off or is damaged."""
    content, place = path.read_bytes(), 0
    while len(header := content[place : place + 12]) == 12:
        size, checksum = struct.unpack("<QI", header)
        body = content[place + 12 : place + 12 + size]
        end = place + 16 + size
        if len(content) < end or masked_crc32c(header[:8]) != checksum:
            return
        if struct.unpack("<I", content[end - 4 : end])[0] != masked_crc32c(body):
            return
        try:
            yield event_pb2.Event.FromString(body)
        except DecodeError:
            return
        place = end
