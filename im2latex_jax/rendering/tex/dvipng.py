"""Draws the pages of a DVI file with dvipng, each cropped to its ink."""

import dataclasses
import re
import struct
from collections.abc import Iterator, Sequence

from im2latex_jax.rendering.limits import too_large
from im2latex_jax.rendering.tex import sandbox

_DVI = "batch.dvi"
_WARNING = re.compile(r"dvipng warning: (.*?)(?: dvipng warning:| \(page not rendered\)|,|$)", re.M)
_PNG_END = b"IEND\xaeB`\x82"


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A formula's PNG, or why there is none."""

    png: bytes | None
    reason: str | None = None


def is_whole_png(content: bytes) -> bool:
    """Whether a PNG file's content reaches to its end."""
    return content.endswith(_PNG_END)


def draw_pages(
    dvi: bytes, pages: Sequence[int], dpi: int, seconds: int
) -> Iterator[tuple[int, Drawing]]:
    """Draws pages of a DVI file; yields each page's number and its drawing, in order.

    Args:
      dvi: the file, in which `dvi.find_forbidden` found nothing.
      pages: ascending numbers, from 1.
      dpi: pixels an inch.
      seconds: the limit of processor time of one run of dvipng.
    """
    waiting = list(pages)
    while waiting:
        run = _dvipng(dvi, waiting, dpi, seconds)
        for position, page in enumerate(waiting):
            drawing = _read_image(run.files.get(f"{page}.png", b""), dpi)
            if drawing is not None:
                yield page, drawing
            elif len(waiting) == 1:
                yield page, Drawing(None, f"dvipng cannot draw it: {_failure(run)}")
            else:
                # The page was left out or ended the run. Alone it has all the limits to itself.
                yield from draw_pages(dvi, [page], dpi, seconds)
                waiting = waiting[position + 1 :]
                break
        else:
            return


def _dvipng(dvi: bytes, pages: Sequence[int], dpi: int, seconds: int) -> sandbox.Run:
    return sandbox.run(
        [
            *("dvipng", "-D", str(dpi), "-T", "tight", "-bg", "White", "-o", "%d.png"),
            # No Ghostscript, whatever a \special asks for; no picture where a glyph is missing.
            *("--nogs", "--norawps", "--picky", "-pp", _ranges(pages), f"../in/{_DVI}"),
        ],
        sandbox.Limits(cpu_seconds=seconds, wall_seconds=10 * seconds, memory_mib=512),
        files={_DVI: dvi},
        wanted=[".png"],
    )


def _failure(run: sandbox.Run) -> str:
    if run.exceeded:
        return f"over the limit of {run.exceeded}"
    warning = _WARNING.search(run.output)
    return warning[1] if warning else run.last_line


def _ranges(pages: Sequence[int]) -> str:
    """Ascending page numbers as dvipng takes them: `1-3,7,9-12`."""
    ranges: list[list[int]] = []
    for page in pages:
        if ranges and page == ranges[-1][1] + 1:
            ranges[-1][1] = page
        else:
            ranges.append([page, page])
    return ",".join(f"{first}-{last}" for first, last in ranges)


def _read_image(png: bytes, dpi: int) -> Drawing | None:
    """The drawn page, or why it is no image of a formula; None if it is missing or half there."""
    if not is_whole_png(png):
        return None
    width, height = struct.unpack(">II", png[16:24])
    if reason := too_large(width, height, dpi):
        return Drawing(None, reason)
    if (width, height) == (1, 1):
        return Drawing(None, "draws nothing")
    return Drawing(png)
