"""Any picture of a formula to the network's input; shared by training and recognition.

The way a picture takes: `read` (grey levels) -> `to_ink` (0 is paper, 255 is ink) -> `crop` (the
writing only) -> scale -> margin. `prepare` does all of it. Only NumPy, OpenCV and Pillow are used.

The network's scale is that of im2latex-100k at 100 dpi: 12pt Computer Modern as `dvipng -D 100`
draws it, whose letter x is about 7 pixels high. The original pages are 200 dpi: crop and `halve`.
"""

import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps

from im2latex_jax.errors import Im2latexError

# A4 at 600 dpi is 35 million pixels. More than this is refused before it is decoded.
MAX_PIXELS = 50_000_000
MAX_FILE_BYTES = 256 * 1024 * 1024
# A page of text at the network's scale has a million pixels; a formula that needs more is none.
MAX_PREPARED_PIXELS = 4_000_000
# Pixels of paper around the writing in a prepared picture: half a letter.
MARGIN = 4

# Formats that Pillow decodes by itself; others (EPS) would start external programs.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "GIF", "BMP", "DIB", "PPM", "JPEG2000", "ICO",
           "AVIF", "TGA", "PCX")  # fmt: skip
# First bytes of things that people pass for pictures, and what to tell them.
NOT_PICTURES = {
    b"%PDF": "a PDF file: convert the page to PNG first",
    b"%!PS": "a PostScript file: convert the page to PNG first",
    b"<svg": "an SVG drawing: convert it to PNG first",
    b"<?xml": "an XML file: if it is an SVG drawing, convert it to PNG first",
    b"<!DO": "a web page, not a picture",
    b"<html": "a web page, not a picture",
}

# Grey levels from here on count as white paper, levels up to BLACK as black ink.
WHITE, BLACK = 250, 95
# Less contrast than this (of 255) between ink and paper is a blank picture.
MIN_CONTRAST = 12
# Ink from here on belongs to the writing; below it lie the faint feet of antialiased strokes.
INK_THRESHOLD = 32

Source = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray

# Pillow warns about odd metadata of pictures that it reads all the same, or refuses by an error.
warnings.filterwarnings("ignore", module=r"PIL\..*")


class ImageError(Im2latexError):
    """A picture cannot be read or used: the message names it and says why."""


class BlankImageError(ImageError):
    """There is no writing in the picture."""


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
    white), EXIF orientation is applied, of an animation or multi-page file the first frame is
    taken. Colours become luminance, or, where some writing differs from the paper in colour more
    than in luminance (yellow on white), 255 minus the distance from the paper's colour.

    Args:
      source: a path, the bytes of a picture file, a binary file object, a PIL image, or an array
        `[height, width]` or `[height, width, 1 to 4]` (grey, grey and alpha, RGB, RGBA): bool,
        uint8, uint16, or floating point in 0 to 1 (or 0 to 255 where larger values occur).

    Raises:
      ImageError: there is no such file, it is not a picture, it is damaged, or it is larger than
        MAX_PIXELS (found out before decoding).
    """
    name = describe(source)
    if isinstance(source, Image.Image):
        return _decode_pil(source, name)
    if isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(
        source, "read"
    ):
        return _decode_bytes(_file_bytes(source, name), name)
    return _grey_from_array(np.asarray(source), name)


def frames(source: Source) -> int:
    """The number of frames or pages in a picture file, of which `read` takes the first.

    A file object is put back to where it was. Arrays have one frame.

    Raises:
      ImageError: as `read`.
    """
    name = describe(source)
    if isinstance(source, Image.Image):
        return _count_frames(source, name)
    if isinstance(source, np.ndarray):
        return 1
    position = source.tell() if hasattr(source, "tell") else None
    data = _file_bytes(source, name)
    if position is not None:
        source.seek(position)  # type: ignore[union-attr]
    return _count_frames(_open_pil(data, name), name)


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


def _decode_bytes(data: bytes, name: str) -> np.ndarray:
    if data.startswith(PNG_SIGNATURE):
        header = data[16:29]
        if len(header) == 13:
            width, height, _, colour = struct.unpack(">IIBB3x", header)
            _check_size(height, width, name)
            # The pictures that training reads by the hundred thousand. Anything odd about the
            # file leaves this path for Pillow, which says what is wrong.
            if colour == PNG_GREY and _is_plain_png(data):
                grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
                if grey is not None:
                    return grey
    return _decode_pil(_open_pil(data, name), name)


PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_GREY = 0


def _is_plain_png(data: bytes) -> bool:
    """Whether all chunks of a PNG file are whole, and none changes what its pixels mean."""
    for kind, _ in _png_chunks(data):
        if kind in (b"tRNS", b"eXIf", b"acTL"):
            return False
        if kind == b"IEND":
            return True
    return False


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind and body of each chunk of a PNG file, up to the first damaged one."""
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            return
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(data[position + 4 : end]) != checksum:
            return
        yield data[position + 4 : position + 8], data[position + 8 : end]
        position = end + 4


def _check_size(height: int, width: int, name: str) -> None:
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"{name}: {width} x {height} pixels are more than the {MAX_PIXELS:,} allowed; "
            "cut out the formula or make the picture smaller"
        )
    if height < 1 or width < 1:
        raise ImageError(f"{name}: has no pixels ({width} x {height})")


def _open_pil(data: bytes, name: str) -> Image.Image:
    for start, kind in NOT_PICTURES.items():
        if data[:64].lstrip().lower().startswith(start.lower()):
            raise ImageError(f"{name}: is {kind}")
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: has more than the {MAX_PIXELS:,} pixels allowed") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: is not a picture in a known format (PNG, JPEG, WebP, TIFF, GIF, BMP ...)"
        ) from error
    except Exception as error:  # Pillow's readers raise nearly anything on damaged headers.
        raise ImageError(f"{name}: is a damaged picture: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _count_frames(image: Image.Image, name: str) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception as error:  # As in _open_pil.
        raise ImageError(f"{name}: is a damaged picture: {_one_line(error)}") from error


def _decode_pil(image: Image.Image, name: str) -> np.ndarray:
    _check_size(image.height, image.width, name)
    try:
        if getattr(image, "is_animated", False) and image.tell() != 0:
            image.seek(0)
        image.load()
        image = _upright(image)
        if image.has_transparency_data:
            array = np.asarray(image.convert("RGBA"))
        elif image.mode in ("1", "L"):
            array = np.asarray(image.convert("L"))
        elif image.mode.startswith(("I", "F")):
            array = _eight_bit(np.asarray(image))
        else:
            array = np.asarray(image.convert("RGB"))
    except Exception as error:  # As in _open_pil.
        raise ImageError(f"{name}: is a damaged picture: {_one_line(error)}") from error
    return _grey_from_array(array, name)


def _upright(image: Image.Image) -> Image.Image:
    """Applies the EXIF orientation; metadata that cannot be read do not make a picture useless."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # As in _open_pil.
        return image


def _eight_bit(values: np.ndarray) -> np.ndarray:
    """Grey levels of more than eight bits to uint8.

    The range is taken to be 12 bits where nothing exceeds them (scanners and microscopes store
    those in 16), 16 bits else. Floating point is taken to be 0 to 1 or 0 to 255.
    """
    values = np.nan_to_num(np.asarray(values, np.float32), posinf=0, neginf=0)
    top = float(values.max(initial=0))
    white = next((w for w in (1.0, 255.0, 4095.0, 65535.0) if top <= w), max(top, 1.0))
    return np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8)


def _grey_from_array(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4:
        raise ImageError(
            f"{name}: has shape {array.shape}; expected [height, width] or [height, width, 1 to 4]"
        )
    _check_size(array.shape[0], array.shape[1], name)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype == np.uint16:
        array = np.rint(array / 257).astype(np.uint8)
    elif array.dtype != np.uint8:
        if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
            raise ImageError(f"{name}: has values of type {array.dtype}; expected numbers")
        array = _eight_bit(array)
    array = np.ascontiguousarray(array)
    channels = array.shape[2]
    if channels in (2, 4):
        array = _compose(array[:, :, :-1], array[:, :, -1:])
    return array[:, :, 0] if channels <= 2 else _grey_from_rgb(array)


def _compose(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Puts a transparent picture on white paper, or on black where white would hide it."""
    if (alpha == 255).all():
        return np.ascontiguousarray(colour)
    # Integer arithmetic with rounding: exact where alpha is 0 or 255.
    weighted = colour.astype(np.uint16) * alpha
    on_white = (weighted + 255 * (255 - alpha.astype(np.uint16)) + 127) // 255
    on_black = (weighted + 127) // 255
    contrast = [int(np.ptp(paper, axis=(0, 1)).max()) for paper in (on_white, on_black)]
    chosen = on_black if 2 * contrast[0] < contrast[1] else on_white
    return chosen.astype(np.uint8)


def _grey_from_rgb(rgb: np.ndarray) -> np.ndarray:
    """Luminance (ITU-R BT.601), or distance from the paper's colour where luminance loses ink."""
    luminance = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if (rgb[:, :, 0] == rgb[:, :, 1]).all() and (rgb[:, :, 1] == rgb[:, :, 2]).all():
        return luminance
    paper = np.median(rgb[:: 1 + rgb.shape[0] // 512, :: 1 + rgb.shape[1] // 512], axis=(0, 1))
    paper = paper.astype(np.uint8)
    distance = cv2.absdiff(rgb, np.broadcast_to(paper, rgb.shape)).max(axis=2)
    paper_luminance = int(cv2.cvtColor(paper[None, None], cv2.COLOR_RGB2GRAY)[0, 0])
    contrast = cv2.absdiff(luminance, np.full_like(luminance, paper_luminance))
    inked = distance > 0.4 * int(distance.max())
    lost = contrast[inked] < 0.5 * distance[inked]
    return 255 - distance if lost.mean() > 0.05 else luminance


def to_ink(grey: np.ndarray) -> np.ndarray:
    """Grey levels to ink: uint8 `[height, width]`, 0 is paper, 255 is ink.

    Finds out whether the writing is dark or light, evens out the light, takes the paper's noise
    away, and stretches the contrast to the full range. A clean black-on-white picture gives
    exactly `255 - grey`, a clean white-on-black one exactly `grey`, a blank one all zeros.
    """
    histogram = np.bincount(grey.reshape(-1), minlength=256)
    if _is_light_on_dark(histogram):
        grey = 255 - grey
        histogram = histogram[::-1]
    if _is_clean(histogram):
        return 255 - grey
    grey = _even_light(grey)
    histogram = np.bincount(grey.reshape(-1), minlength=256)
    paper = int(histogram.argmax())
    # Paper is as noisy towards white, where there is no ink, as it is towards black.
    lighter = np.arange(256 - paper)
    share = histogram[paper:] / histogram[paper:].sum()
    noise = float(np.sqrt((share * lighter**2).sum()))
    ink = cv2.subtract(np.full_like(grey, paper), grey)
    ink[ink <= 3 * noise] = 0
    levels = np.bincount(ink.reshape(-1), minlength=256)
    levels[: MIN_CONTRAST // 2] = 0
    if not levels.any():
        return np.zeros_like(grey)
    full = int(np.searchsorted(np.cumsum(levels), 0.99 * levels.sum()))
    if full < max(MIN_CONTRAST, 6 * noise):
        return np.zeros_like(grey)
    return cv2.convertScaleAbs(ink, alpha=255 / full)


def _is_light_on_dark(histogram: np.ndarray) -> bool:
    """Paper is most of the picture, so that ink is the longer tail about the median."""
    median = np.searchsorted(np.cumsum(histogram), histogram.sum() / 2)
    return bool((histogram * (np.arange(256) - median) ** 3.0).sum() > 0)


def _is_clean(histogram: np.ndarray) -> bool:
    """Black on white: most is white, something is black, and little lies between."""
    total = histogram.sum()
    white, black = histogram[WHITE:].sum(), histogram[: BLACK + 1].sum()
    return bool(white >= total / 2 and black and histogram[128:WHITE].sum() <= 0.35 * total)


def _even_light(grey: np.ndarray) -> np.ndarray:
    """Divides a dark-on-light picture by its paper's brightness where that varies much."""
    height, width = grey.shape
    shrink = max(1.0, max(height, width) / 384)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    # The window must reach from any stroke to paper, and be smaller than a shadow.
    window = max(9, min(size) // 3) | 1
    paper = cv2.dilate(cv2.medianBlur(small, 3), np.ones((window, window), np.uint8))
    paper = cv2.blur(paper, (window, window), borderType=cv2.BORDER_REPLICATE)
    low, high = np.percentile(paper, [2, 98])
    if high - low < 20:
        return grey
    paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.divide(grey, cv2.max(paper, np.full_like(paper, 1)), scale=float(high))


def crop(ink: np.ndarray, margin: int = 0) -> np.ndarray:
    """Cuts out the writing, and puts `margin` pixels of paper around it.

    Specks far from the writing, and lines and frames along the picture's border that keep a
    distance from the writing, are left out (and wiped out where they reach into the rest).

    Args:
      ink: uint8 `[height, width]`, 0 is paper.

    Raises:
      BlankImageError: there is nothing but paper and specks.
    """
    top, left, bottom, right = _writing_box(ink)
    cut = ink[top:bottom, left:right]
    if not margin:
        return cut
    return cv2.copyMakeBorder(cut, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)


def _writing_box(ink: np.ndarray) -> tuple[int, int, int, int]:
    """The top, left, bottom and right of the writing (ends exclusive)."""
    _, mask = cv2.threshold(ink, INK_THRESHOLD - 1, 255, cv2.THRESH_BINARY)
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        raise BlankImageError("the picture is blank: there is no writing in it")
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mask[y : y + height, x : x + width])
    boxes = boxes[1:].copy()  # The first is the paper.
    boxes[:, 0] += x
    boxes[:, 1] += y
    keep = _is_writing(boxes, ink.shape)
    if not keep.any():
        raise BlankImageError("the picture is blank: there are only specks in it")
    kept = boxes[keep]
    left, top = kept[:, :2].min(axis=0)
    right, bottom = (kept[:, :2] + kept[:, 2:4]).max(axis=0)
    return int(top), int(left), int(bottom), int(right)


def _is_writing(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which components are writing, bool `[components]`.

    Args:
      boxes: left, top, width, height and area of each, `[components, 5]`.
      shape: height and width of the picture.
    """
    left, top, width, height, area = boxes.T
    size = np.maximum(width, height)
    solid = size >= 3
    if not solid.any():
        return solid
    letter = float(np.median(height[solid]))
    right, bottom = left + width, top + height
    rows, columns = shape

    # Lines and frames along the border: thin for their length.
    touching = (left <= 1) | (top <= 1) | (right >= columns - 1) | (bottom >= rows - 1)
    thin = area <= 0.06 * size * size
    along = (width >= 0.8 * columns) | (height >= 0.8 * rows)
    border = touching & thin & along
    if border.any() and (solid & ~border).any():
        rest = boxes[solid & ~border]
        inner_left, inner_top = rest[:, :2].min(axis=0)
        inner_right, inner_bottom = (rest[:, :2] + rest[:, 2:4]).max(axis=0)
        # \overline, \sqrt, \boxed and \frac reach the border of a tight picture too, but they
        # keep close to what they belong to.
        around = (left < inner_left) & (right > inner_right)
        around &= (top < inner_top) & (bottom > inner_bottom)
        gap = np.maximum.reduce(
            [left - inner_right, inner_left - right, top - inner_bottom, inner_top - bottom]
        )
        clear = np.minimum.reduce(
            [inner_left - left, right - inner_right, inner_top - top, bottom - inner_bottom]
        )
        border &= (gap > letter) | (around & (clear > letter))
    else:
        border[:] = False

    # Specks: much smaller than a letter, and farther from the writing than a trailing period.
    small = (size <= 0.35 * letter) & ~border
    keep = solid & ~small & ~border
    if not keep.any():
        return solid & ~border
    reach = 6 * letter
    pending = ~keep & ~border
    while pending.any():
        box_left, box_top = boxes[keep, :2].min(axis=0) - reach
        box_right, box_bottom = (boxes[keep, :2] + boxes[keep, 2:4]).max(axis=0) + reach
        near = pending & (right > box_left) & (left < box_right)
        near &= (bottom > box_top) & (top < box_bottom)
        if not near.any():
            break
        keep |= near
        pending &= ~near
    return keep


def halve(ink: np.ndarray) -> np.ndarray:
    """Averages blocks of 2 x 2 pixels; odd sides are made even with paper."""
    height, width = ink.shape
    even = pad(ink, height + height % 2, width + width % 2)
    return cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)


def pad(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Adds paper at the right and at the bottom, up to `height` and `width`.

    Raises:
      ImageError: the picture is larger than that.
    """
    rows, columns = ink.shape
    if rows > height or columns > width:
        raise ImageError(
            f"a picture {columns} wide and {rows} high does not fit into {width} x {height}"
        )
    padded = np.zeros((height, width), ink.dtype)
    padded[:rows, :columns] = ink
    return padded


def resize(ink: np.ndarray, factor: float) -> np.ndarray:
    """Scales a picture: area average down, cubic up.

    Raises:
      ImageError: the result would be larger than MAX_PREPARED_PIXELS.
    """
    height, width = ink.shape
    new_height, new_width = max(1, round(height * factor)), max(1, round(width * factor))
    if new_height * new_width > MAX_PREPARED_PIXELS:
        raise ImageError(
            f"the writing is {new_width} x {new_height} pixels large at the network's scale: "
            "more than one formula; cut out a single one"
        )
    if (new_height, new_width) == (height, width):
        return ink
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(ink, (new_width, new_height), interpolation=method)


def estimate_scale(ink: np.ndarray) -> float:
    """The factor that brings a picture to the network's scale, from the size of its writing."""
    _, mask = cv2.threshold(ink, 127, 255, cv2.THRESH_BINARY)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mask)
    heights = boxes[1:, 3]
    if not len(heights):
        raise BlankImageError("the picture is blank: there is no writing in it")
    return 9.0 / float(np.median(heights[heights >= 0.3 * np.median(heights)]))


def prepare(source: Source, *, margin: int = MARGIN, rescale: float | bool = False) -> np.ndarray:
    """Any picture to the network's input: uint8 ink `[height, width]`, 0 is paper.

    Args:
      source: whatever `read` takes.
      margin: pixels of paper around the writing, at the network's scale.
      rescale: False for pictures that are at the network's scale (training), True to estimate the
        size of the writing, or the factor to scale by.

    Raises:
      ImageError: the source is not a usable picture (BlankImageError: nothing is written on it).
    """
    ink = to_ink(read(source))
    try:
        ink = crop(ink)
        if rescale is not False:
            ink = resize(ink, estimate_scale(ink) if rescale is True else rescale)
    except ImageError as error:
        raise type(error)(f"{describe(source)}: {error}") from error
    return cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
