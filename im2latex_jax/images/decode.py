"""Image files, PIL images and arrays to grey levels."""

import dataclasses
import functools
import io
import os
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from typing import BinaryIO

import cv2
import numpy as np
from PIL import GifImagePlugin, Image, ImageOps

from im2latex_jax.images.colour import eight_bit, opaque_from_array, opaque_from_palette, to_grey
from im2latex_jax.images.errors import ImageError
from im2latex_jax.images.limits import MAX_FILE_BYTES, MAX_PIXELS, check_size

# Formats that Pillow decodes by itself; others (EPS) would start external programs.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "DIB", "PPM", "JPEG2000", "AVIF")
# First bytes of things that people pass for pictures, and what to tell them.
NOT_PICTURES = {
    b"%PDF": "a PDF file: convert the page to PNG first",
    b"%!PS": "a PostScript file: convert the page to PNG first",
    b"<svg": "an SVG drawing: convert it to PNG first",
    b"<?xml": "an XML file: if it is an SVG drawing, convert it to PNG first",
    b"<!DO": "a web page, not a picture",
    b"<html": "a web page, not a picture",
}

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_GREY = 0  # The colour type.
# Chunks that change what a grey PNG shows: transparency, orientation, animation.
PNG_MEANING = (b"tRNS", b"eXIf", b"acTL")

# Formats whose frames Pillow counts by walking the whole file, and where the count stops.
COUNTED_ONE_BY_ONE = ("TIFF", "GIF")
MAX_FRAMES, MAX_COUNT_SECONDS = 1000, 0.2

Source = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray

# Pillow warns about odd metadata of pictures that it reads all the same, or refuses by an error.
warnings.filterwarnings("ignore", module=r"PIL\..*")


@dataclasses.dataclass(frozen=True)
class Opened:
    """An image whose header has been read, and whose pixels have not been decoded yet.

    Attributes:
      name: for messages.
      height, width: in pixels, as stored (before the EXIF orientation is applied).
      frames: a note where the file has more than the frame that is read, or None.
    """

    name: str
    height: int
    width: int
    frames: str | None
    _decode: Callable[[], np.ndarray] = dataclasses.field(repr=False)

    def pixels(self) -> np.ndarray:
        """Decodes to opaque uint8 pixels: grey `[height, width]` or RGB `[height, width, 3]`.

        Raises:
          ImageError: the image is damaged.
        """
        return self._decode()


def describe(source: Source) -> str:
    """A name for `source` in messages: the path where it has one, else its kind."""
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"picture of {len(source)} bytes"
    if isinstance(source, Image.Image):
        return getattr(source, "filename", "") or "PIL picture"
    if hasattr(source, "read"):
        return str(getattr(source, "name", "picture from a file object"))
    return f"array of shape {np.shape(source)}"


def read(source: Source) -> np.ndarray:
    """Decodes a picture to uint8 grey levels `[height, width]`; 0 is black, 255 white.

    Transparent pictures are composed over white (over black where the writing would vanish in
    white), and EXIF orientation is applied. Of an animation or multi-page file the first frame is
    taken, of an open PIL image the frame that it stands at. Colours become luminance, or, where
    some writing differs from the paper in colour more than in luminance (yellow on white), 255
    minus the distance from the paper's colour.

    Args:
      source: a path, the bytes of a picture file, a binary file object, a PIL image, or an array
        `[height, width]` or `[height, width, 1 to 4]` (grey, grey and alpha, RGB, RGBA): bool,
        uint8, uint16 (12 or 16 bits), or floating point: see `colour.eight_bit`.

    Raises:
      ImageError: there is no such file, it is not a picture, it is damaged, or it is larger than
        MAX_PIXELS (found out before decoding).
    """
    return to_grey(read_pixels(source))


def read_pixels(source: Source) -> np.ndarray:
    """Decodes to opaque uint8 pixels: grey `[height, width]` or RGB `[height, width, 3]`.

    See `read`, which makes grey levels of them.

    Raises:
      ImageError: as `read`.
    """
    name = describe(source)
    if isinstance(source, Image.Image):
        return _decode_pil(source, name)
    if not _is_file(source):
        return _decode_array(np.asarray(source), name)
    return _decode_bytes(_file_bytes(source, name), name)


def open_image(source: Source) -> Opened:
    """Reads the header of an image: its size and frames are known before it is decoded.

    Raises:
      ImageError: as `read`, except for damage that only decoding shows.
    """
    name = describe(source)
    if isinstance(source, Image.Image):
        check_size(source.height, source.width, name)
        return Opened(name, *source.size[::-1], None, lambda: _decode_pil(source, name))
    if not _is_file(source):
        array = np.asarray(source)
        height, width = (*array.shape, 1, 1)[:2]
        return Opened(name, height, width, None, lambda: _decode_array(array, name))
    data = _file_bytes(source, name)
    size = _plain_grey_png_size(data, name)
    if size is not None:
        return Opened(name, *size, None, lambda: _decode_bytes(data, name))
    image = _open_pil(data, name)
    check_size(image.height, image.width, name)
    count, complete = _count_frames(image, name)
    note = None
    if count > 1:
        several = count if complete else f"at least {count}"
        note = f"{name}: has {several} frames or pages; the first was read"
        image = _open_pil(data, name)
    return Opened(name, *image.size[::-1], note, lambda: _decode_pil(image, name))


def snapshot(source: Source) -> Source:
    """A copy of what may change before it is read: PIL images, arrays, buffers, open files.

    Paths and bytes are returned as they are.

    Raises:
      ImageError: the image is too large to be copied, or cannot be read.
    """
    name = describe(source)
    if isinstance(source, Image.Image):
        check_size(source.height, source.width, name)
        try:
            copy = source.copy()
        except Exception as error:  # As in _open_pil.
            raise ImageError(f"{name}: is a damaged picture: {one_line(error)}") from error
        filename = getattr(source, "filename", "")
        if filename:
            copy.filename = filename  # type: ignore[attr-defined]
        return copy
    if isinstance(source, (str, os.PathLike, bytes)):
        return source
    if isinstance(source, (bytearray, memoryview)):
        return bytes(source)
    if hasattr(source, "read"):
        file = io.BytesIO(_file_bytes(source, name))
        file.name = name
        return file
    array = np.asarray(source)
    if array.ndim >= 2:
        check_size(array.shape[0], array.shape[1], name)
    return array.copy()


def held_pixels(source: Source) -> int:
    """The pixels that a source holds in memory: those of PIL images and arrays, else 0."""
    if isinstance(source, Image.Image):
        return source.height * source.width
    if _is_file(source):
        return 0
    height, width = (*np.asarray(source).shape, 1, 1)[:2]
    return height * width


def frames(source: Source) -> int:
    """The number of frames or pages in a picture file, of which `read` takes the first.

    A file object is put back to where it was. Arrays have one frame. The count stops at
    MAX_FRAMES, or once it takes more than MAX_COUNT_SECONDS.

    Raises:
      ImageError: as `read`.
    """
    name = describe(source)
    if isinstance(source, Image.Image):
        return _count_frames(source, name)[0]
    if not _is_file(source):
        return 1
    position = source.tell() if hasattr(source, "tell") else None
    data = _file_bytes(source, name)
    if position is not None:
        source.seek(position)  # type: ignore[union-attr]
    return _count_frames(_open_pil(data, name), name)[0]


def _is_file(source) -> bool:
    kinds = (str, os.PathLike, bytes, bytearray, memoryview)
    return isinstance(source, kinds) or hasattr(source, "read")


def _file_bytes(source, name: str) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    else:
        try:
            if hasattr(source, "read"):
                data = source.read(MAX_FILE_BYTES + 1)
            else:
                with open(source, "rb") as file:
                    data = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ImageError(f"{name}: cannot be read: {reason}") from error
        if not isinstance(data, bytes):
            raise ImageError(f"{name}: is opened as text; open it in binary mode ('rb')")
    if not data:
        raise ImageError(f"{name}: is empty (0 bytes)")
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"{name}: is larger than {MAX_FILE_BYTES >> 20} MiB")
    return data


def _plain_grey_png_size(data: bytes, name: str) -> tuple[int, int] | None:
    """Height and width of a PNG file that shows just its grey levels; None for all others."""
    header = data[16:29]
    if not data.startswith(PNG_SIGNATURE) or len(header) != 13:
        return None
    width, height, depth, colour = struct.unpack(">IIBB3x", header)
    check_size(height, width, name)
    if colour != PNG_GREY or depth > 8 or not _is_plain_png(data):
        return None
    return height, width


def _decode_bytes(data: bytes, name: str) -> np.ndarray:
    # The pictures that training reads by the hundred thousand. Anything odd about the file leaves
    # this path for Pillow, which says what is wrong.
    if _plain_grey_png_size(data, name) is not None:
        grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        if grey is not None:
            return grey
    return _decode_pil(_open_pil(data, name), name)


def _is_plain_png(data: bytes) -> bool:
    """Whether all chunks of a PNG file are whole, and none changes what its pixels mean."""
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            return False
        (checksum,) = struct.unpack_from(">I", data, end)
        kind = data[position + 4 : position + 8]
        if kind in PNG_MEANING or zlib.crc32(data[position + 4 : end]) != checksum:
            return False
        if kind == b"IEND":
            return True
        position = end + 4
    return False


def _open_pil(data: bytes, name: str) -> Image.Image:
    for start, kind in NOT_PICTURES.items():
        if data[:64].lstrip().lower().startswith(start.lower()):
            raise ImageError(f"{name}: is {kind}")
    Image.init()  # Pillow loads its readers late, and may be built without some of them.
    formats = [kind for kind in FORMATS if kind in Image.OPEN]
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: has more than the {MAX_PIXELS:,} pixels allowed") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: is not a picture in a known format (PNG, JPEG, WebP, TIFF, GIF, BMP ...)"
        ) from error
    except Exception as error:  # Pillow's readers raise nearly anything on damaged headers.
        raise ImageError(f"{name}: is a damaged picture: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """What an exception says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _count_frames(image: Image.Image, name: str) -> tuple[int, bool]:
    """The number of frames, and whether that is all of them."""
    try:
        if image.format not in COUNTED_ONE_BY_ONE:
            return int(getattr(image, "n_frames", 1)), True
        # As Pillow counts a GIF's frames: without drawing them.
        step: Callable[[int], None] = image.seek
        if isinstance(image, GifImagePlugin.GifImageFile):
            step = functools.partial(image._seek, update_image=False)
        current = count = image.tell()
        end = time.monotonic() + MAX_COUNT_SECONDS
        complete = False
        try:
            while count < MAX_FRAMES and time.monotonic() < end:
                step(count)
                count += 1
        except EOFError:
            complete = True
        image.seek(current)
        return max(count, 1), complete
    except Exception as error:  # As in _open_pil.
        raise ImageError(f"{name}: is a damaged picture: {one_line(error)}") from error


def _decode_array(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim in (2, 3):
        check_size(array.shape[0], array.shape[1], name)
    return opaque_from_array(array, name)


def _decode_pil(image: Image.Image, name: str) -> np.ndarray:
    check_size(image.height, image.width, name)
    try:
        pixels, palette = _pixels(image)
    except Exception as error:  # As in _open_pil.
        raise ImageError(f"{name}: is a damaged picture: {one_line(error)}") from error
    if palette is None:
        return opaque_from_array(pixels, name)
    return opaque_from_palette(pixels, palette)


def _pixels(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """The current frame's pixels, upright, and the palette `[1, 256, RGBA]` that they point into.

    Without palette: `[height, width]` or `[height, width, 3 or 4]` for `opaque_from_array`.
    """
    image.load()
    image = _upright(image)
    if image.mode == "P":
        strip = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        strip.putpalette(image.getpalette("RGB") or b"")
        if "transparency" in image.info:
            strip.info["transparency"] = image.info["transparency"]
        return np.asarray(image), np.array(strip.convert("RGBA"))
    if image.has_transparency_data:
        return np.asarray(image.convert("RGBA")), None
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L")), None
    if image.mode.startswith(("I", "F")):
        return eight_bit(np.asarray(image)), None
    return np.asarray(image.convert("RGB")), None


def _upright(image: Image.Image) -> Image.Image:
    """Applies the EXIF orientation; metadata that cannot be read do not make a picture useless."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # As in _open_pil.
        return image
