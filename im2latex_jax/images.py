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

# Grey levels from here on count as white paper, levels up to BLACK as black ink.
WHITE, BLACK = 250, 95
# The sizes of connected components in formulas at the network's scale, as a mixture of normal
# distributions of (log height, log width): weight, median height and width in pixels, and spread
# of the two logarithms. Capitals and digits are 11 high, letters without ascender 7.4, minus
# signs 0.6 by 10, brackets 16, and so on. Fitted by expectation maximization to 29,000 components
# of 330 formulas (im2latex-100k validation lines past the 1,000th, and arXiv) that latex and
# dvipng drew at 60 to 600 dpi, scaled to 102 dpi: halved pages of im2latex-100k come out 1 to 4 %
# larger than dvipng's pictures at 100 dpi, and this lies between the two.
COMPONENT_SIZES = np.array([
    (0.259, 11.08, 8.67, 0.086, 0.365),
    (0.232, 7.36, 6.30, 0.082, 0.388),
    (0.101, 0.56, 10.20, 0.282, 0.113),
    (0.081, 16.38, 3.64, 0.076, 0.129),
    (0.059, 4.73, 5.61, 0.157, 0.406),
    (0.046, 14.13, 10.20, 0.166, 0.368),
    (0.044, 5.17, 2.15, 0.118, 0.300),
    (0.034, 13.22, 2.46, 0.192, 0.144),
    (0.032, 0.67, 6.41, 0.716, 0.289),
    (0.031, 1.27, 1.41, 0.291, 0.196),
    (0.018, 38.08, 8.30, 0.178, 0.496),
    (0.017, 0.56, 26.78, 0.285, 0.567),
    (0.017, 15.28, 22.61, 0.401, 0.286),
    (0.011, 16.34, 0.64, 0.124, 0.361),
    (0.010, 3.78, 1.00, 0.127, 0.301),
    (0.008, 5.14, 4.48, 0.168, 0.273),
])  # fmt: skip
OUTLIERS = 0.03
BLUR = 0.6
STROKE = 0.70
# The scales that are tried: writing drawn at 25 to 2,500 dpi.
LOG_SCALE_STEP = 0.03
LOG_SCALES = np.arange(np.log(0.04), np.log(4.0), LOG_SCALE_STEP)
MAX_CANDIDATES = 4
CANDIDATE_RANGE = 6.0
# An estimate this close to 1 is within its own error: not worth the blur of resampling.
SCALE_TOLERANCE = 0.04

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
    white), and EXIF orientation is applied. Of an animation or multi-page file the first frame is
    taken, of an open PIL image the frame that it stands at. Colours become luminance, or, where
    some writing differs from the paper in colour more than in luminance (yellow on white), 255
    minus the distance from the paper's colour.

    Args:
      source: a path, the bytes of a picture file, a binary file object, a PIL image, or an array
        `[height, width]` or `[height, width, 1 to 4]` (grey, grey and alpha, RGB, RGBA): bool,
        uint8, uint16 (12 or 16 bits), or floating point in 0 to 1 or 0 to 255.

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
            width, height, depth, colour = struct.unpack(">IIBB3x", header)
            _check_size(height, width, name)
            # The pictures that training reads by the hundred thousand. Anything odd about the
            # file leaves this path for Pillow, which says what is wrong.
            if colour == PNG_GREY and depth <= 8 and _is_plain_png(data):
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
        pixels, palette = _pixels(image)
    except Exception as error:  # As in _open_pil.
        raise ImageError(f"{name}: is a damaged picture: {_one_line(error)}") from error
    if palette is None:
        return _grey_from_array(pixels, name)
    # As composing and greying every pixel, but on the palette's 256 colours where that will do.
    unused = _histogram(pixels) == 0
    palette[0, unused] = palette[0, np.argmin(unused)]
    composed = _compose(palette[:, :, :3], palette[:, :, 3:])
    if _is_grey(composed):
        return cv2.LUT(pixels, np.ascontiguousarray(composed[:, :, 0])).reshape(pixels.shape)
    return _grey_from_rgb(composed[0, pixels])


def _pixels(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """The current frame's pixels, upright, and the palette `[1, 256, RGBA]` that they point into.

    Without palette: `[height, width]` or `[height, width, 3 or 4]` for `_grey_from_array`.
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
        return _eight_bit(np.asarray(image)), None
    return np.asarray(image.convert("RGB")), None


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
    elif array.dtype != np.uint8:
        if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
            raise ImageError(f"{name}: has values of type {array.dtype}; expected numbers")
        array = _eight_bit(array)
    array = np.ascontiguousarray(array)
    channels = array.shape[2]
    if channels >= 3 and _is_grey(array):
        array = array[:, :, 0::3]  # Grey, and alpha where there is one.
        channels -= 2
    if channels in (2, 4):
        array = _compose(array[:, :, :-1], array[:, :, -1:])
    return np.ascontiguousarray(array[:, :, 0]) if channels <= 2 else _grey_from_rgb(array)


def _is_grey(rgb: np.ndarray) -> bool:
    """Whether red, green and blue are equal everywhere, `[height, width, 3 or more]`."""
    red, green, blue = (cv2.extractChannel(rgb, channel) for channel in range(3))
    return np.array_equal(red, green) and np.array_equal(green, blue)


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
    if _is_grey(rgb):
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
    histogram = _histogram(grey)
    if _is_light_on_dark(histogram):
        grey = cv2.bitwise_not(grey)
        histogram = histogram[::-1]
    if _is_clean(histogram):
        return cv2.bitwise_not(grey)
    grey = _even_light(grey)
    histogram = _histogram(grey)
    paper = int(histogram.argmax())
    # Noise makes paper lighter as well as darker, or darker only where the paper is white
    # already; there, levels that are far from the paper are ink.
    contrast = paper - int(np.flatnonzero(histogram)[0])
    darker = histogram[paper - contrast // 10 : paper + 1][::-1]
    noise = max(_deviation(histogram[paper:]), _deviation(darker))
    ink = cv2.subtract(np.full_like(grey, paper), grey)
    ink[ink <= 3 * noise] = 0
    levels = _histogram(ink)
    levels[: MIN_CONTRAST // 2] = 0
    if not levels.any():
        return np.zeros_like(grey)
    # Noise is single pixels and fades when averaged over neighbours, strokes do not.
    if cv2.blur(ink, (3, 3)).max() < max(MIN_CONTRAST, 2 * noise):
        return np.zeros_like(grey)
    full = int(np.searchsorted(np.cumsum(levels), 0.99 * levels.sum()))
    return cv2.convertScaleAbs(ink, alpha=255 / full)


def _histogram(values: np.ndarray) -> np.ndarray:
    """How many pixels have each level, `[256]`."""
    return cv2.calcHist([values], [0], None, [256], [0, 256]).reshape(-1)


def _deviation(histogram: np.ndarray) -> float:
    """Root mean square distance from the paper, of the levels to one side of it, in levels."""
    return float(np.sqrt(histogram @ np.arange(len(histogram)) ** 2.0 / histogram.sum()))


def _is_light_on_dark(histogram: np.ndarray) -> bool:
    """Paper is most of the picture, so that ink is the longer tail about the median."""
    cumulative = np.cumsum(histogram)
    deviation = np.arange(256.0) - np.searchsorted(cumulative, cumulative[-1] / 2)
    return bool(np.dot(histogram, deviation * deviation * deviation) > 0)


def _is_clean(histogram: np.ndarray) -> bool:
    """Black on white: most is white, some is black, and little lies between.

    Edges of antialiased strokes have light and middle greys about equally often (at most 2.6 to 1
    in any drawn by dvipng or matplotlib); JPEG artefacts are light (4 to 1 and more).
    """
    total = histogram.sum()
    black, middle = histogram[: BLACK + 1].sum(), histogram[180:205].sum()
    return bool(
        histogram[WHITE:].sum() >= total / 2
        and black
        and histogram[128:WHITE].sum() <= 0.35 * total
        and histogram[230:255].sum() <= max(3.5 * middle, 0.01 * total)
    )


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
    distance from the writing, are left out.

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
    boxes = _components(mask[y : y + height, x : x + width])
    boxes[:, :2] += (x, y)
    keep = _is_writing(boxes, ink.shape)
    if not keep.any():
        raise BlankImageError("the picture is blank: there are only specks in it")
    left, top, right, bottom = _bounds(boxes[keep])
    # The faint feet of antialiased strokes reach a pixel farther than the threshold.
    top -= int(top > 0 and ink[top - 1, left:right].any())
    bottom += int(bottom < ink.shape[0] and ink[bottom, left:right].any())
    left -= int(left > 0 and ink[top:bottom, left - 1].any())
    right += int(right < ink.shape[1] and ink[top:bottom, right].any())
    return top, left, bottom, right


def _components(mask: np.ndarray) -> np.ndarray:
    """Left, top, width, height and area of each connected component, `[components, 5]`."""
    # Labels of 16 bits take a third of the time; at most one pixel of four starts a component.
    labels = cv2.CV_16U if mask.size < 4 * 65535 else cv2.CV_32S
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mask, ltype=labels)
    return boxes[1:]  # The first is the paper.


def _is_writing(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which components are writing, bool `[components]`.

    Args:
      boxes: left, top, width, height and area of each, `[components, 5]`.
      shape: height and width of the picture.
    """
    size = boxes[:, 2:4].max(axis=1)
    solid = size >= 3
    if not solid.any():
        return solid
    border = _is_border(boxes, size, solid, shape)
    # The area-weighted median: dust has many components, but little ink.
    heights = boxes[:, 3]
    order = np.argsort(heights)
    ink = np.cumsum(np.where(border, 0, boxes[:, 4])[order])
    letter = float(heights[order[np.searchsorted(ink, ink[-1] / 2)]])
    keep = solid & ~border & (size > 0.35 * letter)
    # Dots and dashes belong to the writing that they are near to: nearer than \qquad and a
    # trailing period. Farther ones are specks.
    pending = ~keep & ~border
    reach = 6 * letter
    while pending.any():
        left, top, right, bottom = _bounds(boxes[keep])
        near = pending & (boxes[:, 0] + boxes[:, 2] > left - reach)
        near &= (boxes[:, 0] < right + reach) & (boxes[:, 1] < bottom + reach)
        near &= boxes[:, 1] + boxes[:, 3] > top - reach
        if not near.any():
            break
        keep |= near
        pending &= ~near
    return keep


def _is_border(
    boxes: np.ndarray, size: np.ndarray, solid: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Which components are lines or frames along the picture's border, bool `[components]`."""
    left, top, width, height, area = boxes.T
    right, bottom = left + width, top + height
    rows, columns = shape
    touching = (left <= 1) | (top <= 1) | (right >= columns - 1) | (bottom >= rows - 1)
    along = (width >= 0.8 * columns) | (height >= 0.8 * rows)
    thin = area <= 0.06 * size * size
    border = touching & along & thin
    rest = solid & ~border
    if not border.any() or not rest.any():
        return np.zeros_like(border)
    # \overline, \sqrt, \boxed and \frac reach the border of a tight picture too, but they
    # keep within a letter's height of what they belong to.
    letter = float(np.median(height[rest]))
    inner_left, inner_top, inner_right, inner_bottom = _bounds(boxes[rest])
    sides = [left - inner_right, inner_left - right, top - inner_bottom, inner_top - bottom]
    beside = np.maximum.reduce(sides) > letter
    clear = [inner_left - left, right - inner_right, inner_top - top, bottom - inner_bottom]
    around = np.minimum.reduce(clear) > letter
    return border & (beside | around)


def _bounds(boxes: np.ndarray) -> tuple[int, int, int, int]:
    """The left, top, right and bottom (ends exclusive) of all boxes together."""
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:4]).max(axis=0)
    return int(left), int(top), int(right), int(bottom)


def use_one_thread() -> None:
    """Keeps OpenCV from starting threads: for worker processes, which have every processor."""
    cv2.setNumThreads(1)


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
    """The factor that brings a picture to the network's scale, from the size of its writing.

    Raises:
      BlankImageError: there is nothing but paper.
    """
    return scale_candidates(ink)[0]


def scale_candidates(ink: np.ndarray) -> list[float]:
    """Plausible factors to the network's scale, the likeliest first; one where it is clear.

    A maximum-likelihood estimate over a grid of scales: the heights and widths of the connected
    components under COMPONENT_SIZES, and the thickness of the strokes. Pictures of few symbols
    may be read at several scales (a lone x is a smaller X): each peak of the likelihood within
    CANDIDATE_RANGE of the highest is a candidate.

    Args:
      ink: uint8 `[height, width]`, 0 is paper, cropped to the writing.

    Raises:
      BlankImageError: there is nothing but paper.
    """
    shrink = min(1.0, (MAX_PREPARED_PIXELS / ink.size) ** 0.5)
    if shrink < 1:
        ink = resize(ink, 0.99 * shrink)
    log_likelihood = _size_log_likelihood(ink) + _thickness_log_likelihood(ink)
    # A peak is at least as high as its neighbours; the parabola through the three is its place.
    left = np.concatenate([[-np.inf], log_likelihood[:-1]])
    right = np.concatenate([log_likelihood[1:], [-np.inf]])
    peaks = np.flatnonzero((log_likelihood >= left) & (log_likelihood > right))
    peaks = peaks[np.argsort(-log_likelihood[peaks], kind="stable")]
    best = log_likelihood[peaks[0]]
    candidates = []
    for peak in peaks[:MAX_CANDIDATES]:
        if log_likelihood[peak] < best - CANDIDATE_RANGE:
            break
        log_scale = LOG_SCALES[peak]
        if 0 < peak < len(LOG_SCALES) - 1:
            below, above = log_likelihood[peak - 1], log_likelihood[peak + 1]
            curvature = below - 2 * log_likelihood[peak] + above
            if curvature < 0:
                log_scale += 0.5 * (below - above) / curvature * LOG_SCALE_STEP
        # Rounded, because sums of floating point differ in the last digits from run to run.
        candidates.append(round(float(np.exp(log_scale)) * shrink, 4))
    return candidates


def _size_log_likelihood(ink: np.ndarray) -> np.ndarray:
    """Log likelihood of the components' sizes at each of LOG_SCALES, `[scales]`."""
    _, mask = cv2.threshold(ink, INK_THRESHOLD - 1, 255, cv2.THRESH_BINARY)
    sizes = _components(mask)[:, [cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH]]
    if not len(sizes):
        raise BlankImageError("the picture is blank: there is no writing in it")
    large = sizes.max(axis=1) >= 3
    sizes = sizes[large] if large.any() else sizes
    # More components tell no more, and cost time.
    sizes = sizes[np.linspace(0, len(sizes) - 1, min(len(sizes), 96)).astype(int)]
    # Antialiasing makes everything look larger by about BLUR.
    log_sizes = np.log(np.maximum(sizes - BLUR, 0.5))
    weight, height, width, height_spread, width_spread = COMPONENT_SIZES.T
    # Broadcast to [scales, components, kinds].
    scaled = log_sizes + LOG_SCALES[:, None, None]
    exponent = ((scaled[:, :, :1] - np.log(height)) / height_spread) ** 2
    exponent += ((scaled[:, :, 1:] - np.log(width)) / width_spread) ** 2
    density = np.exp(-0.5 * exponent) @ (weight / (2 * np.pi * height_spread * width_spread))
    # Some components are none of these (letters that touch, dirt): uniform over 4 by 4 e-folds.
    likelihood = (1 - OUTLIERS) * density + OUTLIERS / 16
    # Components are not independent: the same letter comes again. n of them count as n ** 0.7.
    return np.log(likelihood).sum(axis=1) * len(sizes) ** -0.3


def _thickness_log_likelihood(ink: np.ndarray) -> np.ndarray:
    """Log likelihood of the strokes' thickness at each of LOG_SCALES, `[scales]`."""
    # A stroke of length l and thickness t has an area of l t and an outline of 2 l; the outline
    # is the sum of the gradient's length, which antialiasing does not change.
    paper = cv2.copyMakeBorder(ink, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0).astype(np.float32)
    across = paper[:, 1:] - paper[:, :-1]
    down = paper[1:] - paper[:-1]
    outline = 0.5 * cv2.magnitude(across[1:] + across[:-1], down[:, 1:] + down[:, :-1])
    thickness = 2 * float(paper.sum(dtype=np.float64)) / float(outline.sum(dtype=np.float64))
    # Strokes are STROKE pixels thick at the network's scale, and blurred by a pixel at any.
    expected = np.sqrt(1.1 + (STROKE * np.exp(-LOG_SCALES)) ** 2)
    deviation = (np.log(thickness) - np.log(expected)) / 0.08
    # Student's t with 3 degrees of freedom: bold and light fonts must not outvote the sizes.
    return -2 * np.log1p(deviation**2 / 3)


def prepare(source: Source, *, margin: int = MARGIN, rescale: float | bool = False) -> np.ndarray:
    """Any picture to the network's input: uint8 ink `[height, width]`, 0 is paper.

    Args:
      source: whatever `read` takes.
      margin: pixels of paper around the writing, at the network's scale.
      rescale: False for pictures that are at the network's scale (training), True to estimate the
        size of the writing, or the factor to scale by.

    Raises:
      ImageError: the source is not a usable picture (BlankImageError: nothing is written on it).
      ValueError: the factor is not a positive number.
    """
    if rescale is not False and rescale is not True and not 0 < rescale < np.inf:
        raise ValueError(f"rescale must be a bool or a positive factor, not {rescale}")
    ink = to_ink(read(source))
    try:
        ink = crop(ink)
        if rescale is not False:
            factor = estimate_scale(ink) if rescale is True else rescale
            if rescale is not True or abs(np.log(factor)) > SCALE_TOLERANCE:
                ink = resize(ink, factor)
    except ImageError as error:
        raise type(error)(f"{describe(source)}: {error}") from error
    return cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
