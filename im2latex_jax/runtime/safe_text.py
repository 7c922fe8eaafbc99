"""Text of unknown origin (file names, messages of libraries) written so that it does no harm.

A file name may hold anything but a slash and a zero byte: terminal escape sequences, line ends,
bytes that are not UTF-8 (which Python reads as lone surrogates), Markdown.
"""

import json
import os
import re
import unicodedata
import urllib.parse
from typing import Any

# Control, format (among them the marks that turn the direction of writing), surrogate, unassigned,
# and the two separators that some programs take for line ends.
_UNSAFE_CATEGORIES = ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")
_MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]<>()#!|~$&])")


def printable(text: str) -> str:
    r"""One line without terminal escapes: what is not printable is spelled as `\x1b` or `\u2028`.

    Bytes that are not UTF-8 in a file name are spelled as that byte, such as `\xff`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _escaped(character) if unicodedata.category(character) in _UNSAFE_CATEGORIES else character
        for character in text
    )


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, see PEP 383
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def as_json(value: Any) -> str:
    """JSON of one line in valid UTF-8; a name that is not UTF-8 comes back from `json.loads`.

    Control characters and lone surrogates are written as JSON's own escapes. NaN and infinity,
    which JSON does not have, become null.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    return "".join(
        character
        if unicodedata.category(character) not in _UNSAFE_CATEGORIES
        else json.dumps(character)[1:-1]
        for character in text
    )


def _finite(value: Any) -> Any:
    """The value with None for numbers that are not finite."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _MARKDOWN_SIGNS.sub(r"\\\1", printable(text))


def markdown_image(path: str) -> str:
    """A Markdown image of a file: a relative or absolute path, whatever the name looks like.

    The path is percent-encoded, so that a name such as `javascript:x` is no scheme and `>` no end.
    """
    return f"![{markdown(path)}](<{urllib.parse.quote(os.fsencode(path))}>)"
