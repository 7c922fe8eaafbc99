r"""Looks through a DVI file before any program draws it.

A drawing of a formula consists of characters, rules and movements. `\special` tells drawing
programs to do anything else, such as to read files, and a font may be named by a path: a page with
either is found here. The format is that of D. E. Knuth and D. R. Fuchs, "DVI", TUGboat 3(2), 1982,
as dvitype.web has it.
"""

import re
from collections.abc import Mapping

_PRE, _POST, _BOP, _EOP = 247, 248, 139, 140
_FIRST_FONT_DEFINITION = 243  # to 246, by the number of bytes of the font's number
_BOP_BYTES = 45  # with its ten counts and the place of the page before
_FONT_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._+-]*")


def _drawing() -> re.Pattern[bytes]:
    """Matches all commands up to the first one that does not draw, move or choose a font."""
    single = [*range(128), 138, 141, 142, 147, 152, 161, 166, *range(171, 235)]
    by_length: dict[int, list[int]] = {8: [132, 137]}  # rules
    # set_char, put_char, right, w, x, down, y, z, fnt: with parameters of one to four bytes.
    for first in (128, 133, 143, 148, 153, 157, 162, 167, 235):
        for length in range(1, 5):
            by_length.setdefault(length, []).append(first + length - 1)
    choices = [_one_of(single) + b"++"]
    choices += [_one_of(codes) + b"." * length for length, codes in sorted(by_length.items())]
    return re.compile(b"(?:%s)*+" % b"|".join(choices), re.DOTALL)


def _one_of(codes: list[int]) -> bytes:
    return b"[%s]" % b"".join(b"\\x%02x" % code for code in codes)


_DRAWING = _drawing()


class DviError(ValueError):
    """A DVI file is not what TeX writes; the message says where."""


def find_forbidden(dvi: bytes) -> Mapping[int, str]:
    r"""What must not be drawn, by page from 1.

    Raises:
      DviError: the file does not consist of whole pages, or they are not those that were asked for:
        TeX's `\count0` numbers them otherwise.
    """
    if len(dvi) < 15 or dvi[0] != _PRE:
        raise DviError("the DVI file does not begin as one")
    position = 15 + dvi[14]
    found: dict[int, str] = {}
    page = 0
    while True:
        code = _byte(dvi, position)
        if code == 138:
            position += 1
        elif code == _BOP:
            page += 1
            if int.from_bytes(dvi[position + 1 : position + 5], "big", signed=True) != page:
                raise DviError(f"page {page} of the DVI file is not number {page}")
            position = _page(dvi, position + _BOP_BYTES, page, found)
        elif _FIRST_FONT_DEFINITION <= code < _PRE:
            position = _font(dvi, position, page, found)
        elif code == _POST:
            return found
        else:
            raise DviError(f"command {code} between two pages of the DVI file")


def _page(dvi: bytes, position: int, page: int, found: dict[int, str]) -> int:
    """Reads a page from behind its beginning; returns the position behind its end."""
    while True:
        match = _DRAWING.match(dvi, position)
        position = match.end() if match else position
        code = _byte(dvi, position)
        if code == _EOP:
            return position + 1
        if 239 <= code <= 242:
            size = code - 238
            length = int.from_bytes(dvi[position + 1 : position + 1 + size], "big")
            found.setdefault(page, r"uses \special, which formulas may not")
            position += 1 + size + length
        elif _FIRST_FONT_DEFINITION <= code < _PRE:
            position = _font(dvi, position, page, found)
        else:
            raise DviError(f"command {code} on page {page} of the DVI file")


def _font(dvi: bytes, position: int, page: int, found: dict[int, str]) -> int:
    """Reads a font's definition, which must name a font of the installation."""
    position += _byte(dvi, position) - _FIRST_FONT_DEFINITION + 2 + 12
    folder, length = _byte(dvi, position), _byte(dvi, position + 1)
    end = position + 2 + folder + length
    if folder or not _FONT_NAME.fullmatch(dvi[position + 2 : end]):
        found.setdefault(page, "uses a font that is none of TeX's")
    return end


def _byte(dvi: bytes, position: int) -> int:
    if position >= len(dvi):
        raise DviError("the DVI file has no end")
    return dvi[position]
