"""Pictures in few bytes: PNG of 16 grey levels.

`dvipng` draws 16 levels, so that four bits a pixel lose nothing but where strokes overlap. Of 851
arXiv formulas at 100 dpi, a picture took in the mean: as dvipng writes it 1431 bytes, OpenCV's
8-bit PNG 1912 bytes (1341 at its best, which takes 1.8 ms), lossless WebP 1043 bytes (0.9 ms), this
1207 bytes (0.3 ms). `images.read` decodes WebP in 154 us and this in 50 us, and the Image feature
of TFDS knows PNG, but not WebP.
"""

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTH, _GREY = 4, 0
_LEVEL = 6  # level 9 saves 3 % and takes five times as long


def encode(picture: np.ndarray) -> bytes:
    """A grey PNG of four bits a pixel, from uint8 levels `[height, width]`, 0 black."""
    height, width = picture.shape
    levels = ((picture.astype(np.uint16) + 8) // 17).astype(np.uint8)
    if width % 2:
        levels = np.pad(levels, ((0, 0), (0, 1)))
    rows = np.zeros((height, 1 + levels.shape[1] // 2), np.uint8)  # a row begins with its filter: 0
    rows[:, 1:] = levels[:, ::2] << 4 | levels[:, 1::2]
    header = struct.pack(">IIBBBBB", width, height, _DEPTH, _GREY, 0, 0, 0)
    return b"".join((
        _SIGNATURE,
        _chunk(b"IHDR", header),
        _chunk(b"IDAT", zlib.compress(rows.tobytes(), _LEVEL)),
        _chunk(b"IEND", b""),
    ))  # fmt: skip


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
