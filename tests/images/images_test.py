"""Tests of im2latex_jax.images."""

import concurrent.futures
import functools
import io
import threading
import time
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from matplotlib import mathtext
from matplotlib.font_manager import FontProperties
from PIL import Image, ImageFile

from im2latex_jax import images
from tests.support.damage import damage

FORMULAS = (
    r"\dfrac{a+b}{\sqrt{x^2-1}} = \sum_{n=1}^{\infty} \dfrac{x^n}{n!}",
    r"\int_0^1 f(x)\,dx = F(1) - F(0)",
    r"\alpha_i \leq \beta^{2} + \Gamma(k)",
    r"E = mc^2",
    r"\left( \dfrac{\partial u}{\partial t} \right)_{V} = -\nabla p + \mu \nabla^2 u",
)
# Pillow's warnings about damaged metadata, which pytest shows and the module hides elsewhere.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]

FORMATS = {
    "PNG": {},
    "JPEG": {"quality": 92},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
    "GIF": {},
    "BMP": {},
}


@functools.cache
def draw(formula: str, dpi: float, margin: int = 0) -> np.ndarray:
    """A formula in 12pt Computer Modern, black on white, uint8 grey."""
    properties = FontProperties(math_fontfamily="cm", size=12)
    ink = np.asarray(mathtext.MathTextParser("agg").parse(f"${formula}$", dpi, properties).image)
    return 255 - np.pad(ink, margin)


def encode(picture: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, kind, **options)
    return file.getvalue()


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """The correlation of two prepared pictures of about the same size, at the best shift."""
    if first.shape != second.shape:
        second = cv2.resize(second, first.shape[::-1], interpolation=cv2.INTER_AREA)
    smooth = [
        cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1)
        for picture in (first, np.pad(second, 2))
    ]
    return float(cv2.matchTemplate(smooth[1], smooth[0], cv2.TM_CCOEFF_NORMED).max())


# Reading.


@pytest.mark.parametrize("kind", FORMATS)
def test_read_decodes_every_format_from_every_kind_of_source(kind, tmp_path):
    grey = draw(FORMULAS[0], 100, margin=5)
    data = encode(grey, kind, **FORMATS[kind])
    path = tmp_path / f"formula.{kind.lower()}"
    path.write_bytes(data)
    tolerance = 40 if kind == "JPEG" else 0
    for source in (data, path, str(path), io.BytesIO(data), Image.open(path)):
        difference = np.abs(images.read(source).astype(int) - grey)
        assert difference.max() <= tolerance
    assert images.read(data).dtype == np.uint8


def test_read_takes_every_mode_of_pillow():
    grey = draw(FORMULAS[1], 100, margin=5)
    image = Image.fromarray(grey)
    for mode in ("L", "RGB", "RGBA", "LA", "P", "CMYK", "YCbCr", "HSV", "I", "F", "PA"):
        difference = np.abs(images.read(image.convert(mode)).astype(int) - grey)
        assert difference.max() <= 2, mode
    black_and_white = image.convert("1")
    np.testing.assert_array_equal(
        images.read(encode(black_and_white)), np.asarray(black_and_white) * np.uint8(255)
    )


def test_read_takes_sixteen_bits_and_twelve_in_sixteen():
    grey = draw(FORMULAS[1], 100, margin=5)
    sixteen = grey.astype(np.uint16) * 257
    np.testing.assert_array_equal(images.read(encode(sixteen)), grey)
    np.testing.assert_array_equal(images.read(sixteen), grey)
    twelve = np.rint(grey * (4095 / 255)).astype(np.uint16)
    np.testing.assert_allclose(images.read(encode(twelve)), grey, atol=1)


def test_read_takes_arrays():
    grey = draw(FORMULAS[1], 100)
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    opaque = np.full_like(grey, 255)
    for array in (grey, grey[:, :, None], rgb, np.dstack([rgb, opaque]), np.dstack([grey, opaque]),
                  grey / 255, (grey / 255).astype(np.float32), grey.astype(np.int64)):  # fmt: skip
        np.testing.assert_array_equal(images.read(array), grey)
    np.testing.assert_array_equal(images.read(grey > 127), np.where(grey > 127, 255, 0))


@pytest.mark.parametrize("shape", [(5,), (0, 7), (4, 4, 5), (2, 2, 2, 2)])
def test_read_refuses_arrays_of_other_shapes(shape):
    with pytest.raises(images.ImageError):
        images.read(np.zeros(shape, np.uint8))
    with pytest.raises(images.ImageError):
        images.read(np.full((4, 4), "x"))


def test_read_composes_transparency_over_white():
    ink = 255 - draw(FORMULAS[2], 100)
    black = np.zeros((*ink.shape, 4), np.uint8)
    black[:, :, 3] = ink
    np.testing.assert_array_equal(images.read(encode(black)), 255 - ink)
    # Index 0 is transparent red, index 1 opaque blue.
    palette = Image.fromarray((ink > 127).astype(np.uint8)).convert("L")
    palette = Image.frombytes("P", palette.size, palette.tobytes())
    palette.putpalette([255, 0, 0, 0, 0, 255])
    read = images.read(encode(palette, transparency=0))
    assert (read[ink <= 127] == 255).all() and (read[ink > 127] == 29).all()


def test_read_composes_white_writing_over_black():
    ink = 255 - draw(FORMULAS[2], 100)
    white = np.full((*ink.shape, 4), 255, np.uint8)
    white[:, :, 3] = ink
    np.testing.assert_array_equal(images.read(encode(white)), ink)


def test_read_sees_colour_that_luminance_loses():
    ink = 255 - draw(FORMULAS[2], 100, margin=4)
    yellow = np.dstack([np.full_like(ink, 255), np.full_like(ink, 255), 255 - ink])
    np.testing.assert_array_equal(images.to_ink(images.read(yellow)), ink)


def test_read_applies_the_orientation():
    grey = draw(FORMULAS[3], 100)
    exif = Image.Exif()
    exif[0x0112] = 6  # To be shown turned by a quarter clockwise.
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(grey)))
    np.testing.assert_array_equal(images.read(encode(turned, exif=exif)), grey)
    tiff = encode(turned, "TIFF", exif=exif)
    np.testing.assert_array_equal(images.read(tiff), grey)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_first_frame_is_read_and_frames_are_counted(kind, tmp_path):
    pages = [Image.fromarray(draw(FORMULAS[3], 100, margin=m)) for m in (4, 4, 4)]
    pages[1:] = [Image.new("L", pages[0].size, shade) for shade in (0, 128)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(pages[0], kind, save_all=True, append_images=pages[1:], **options)
    np.testing.assert_array_equal(images.read(data), np.asarray(pages[0]))
    assert images.frames(data) == 3
    file = io.BytesIO(data)
    assert images.frames(file) == 3 and file.tell() == 0
    assert images.frames(encode(pages[0], kind, **options)) == 1
    assert images.frames(np.asarray(pages[0])) == 1


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return len(body).to_bytes(4, "big") + kind + body + checksum.to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + b"\x08\x00\x00\x00\x00")
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"x^2 + y^2\n" * 9, "not a picture"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (encode(draw(FORMULAS[0], 100))[:700], "damaged"),
        (encode(draw(FORMULAS[0], 100))[:20], "damaged|not a picture"),
        (encode(draw(FORMULAS[0], 100), "JPEG")[:900], "damaged"),
        (png_header(100_000, 100_000), "more than"),
        (png_header(0, 10), "no pixels|not a picture|damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "no pixels|not a picture|damaged"),
    ],
)
def test_bad_files_are_one_line_with_their_name(data, message, tmp_path):
    path = tmp_path / "formula.png"
    path.write_bytes(data)
    with pytest.raises(images.ImageError, match=message) as error:
        images.prepare(path)
    assert "formula.png" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_files_and_folders_are_image_errors(tmp_path):
    for path in (tmp_path, tmp_path / "none.png", "a\0b.png"):
        with pytest.raises(images.ImageError, match="cannot be read"):
            images.read(path)
    with (
        open(__file__, encoding="utf8") as file,
        pytest.raises(images.ImageError, match="binary"),
    ):
        images.read(file)  # type: ignore[arg-type]


def test_a_mislabelled_picture_is_read_by_its_content(tmp_path):
    path = tmp_path / "formula.jpg"
    path.write_bytes(encode(draw(FORMULAS[0], 100)))
    np.testing.assert_array_equal(images.read(path), draw(FORMULAS[0], 100))


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "GIF"])
def test_pixels_are_counted_before_decoding(kind, monkeypatch):
    # Pictures of 100 million white pixels: a few kilobytes, whose decoding takes seconds.
    options = {"compression": "group4"} if kind == "TIFF" else {}
    bomb = encode(Image.new("1", (10_000, 10_000), 1), kind, **options)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("was decoded"))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("was decoded"))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("was decoded"))
    assert images.frames(bomb) == 1
    with pytest.raises(images.ImageError, match="more than"):
        images.read(bomb)


# Ink.


def test_clean_picture_becomes_exactly_its_ink():
    for formula in FORMULAS:
        for dpi in (60, 100, 300):
            grey = draw(formula, dpi, margin=3)
            np.testing.assert_array_equal(images.to_ink(grey), 255 - grey)
            np.testing.assert_array_equal(images.to_ink(255 - grey), 255 - grey)


def test_blank_picture_has_no_ink():
    noise = np.random.default_rng(0).normal(0, 4, (200, 300))
    for level in (0, 90, 255):
        assert not images.to_ink(np.full((20, 30), level, np.uint8)).any()
        with pytest.raises(images.BlankImageError, match="blank"):
            images.prepare(np.full((20, 30), level, np.uint8))
        noisy = np.clip(level + noise, 0, 255).astype(np.uint8)
        with pytest.raises(images.BlankImageError, match="blank"):
            images.prepare(noisy)


@pytest.mark.parametrize(
    ("paper", "writing"),
    [(255, 150), (200, 20), (170, 120), (30, 220), (90, 130), (0, 255), (255, 225)],
)
def test_low_contrast_and_dark_paper_are_stretched(paper, writing):
    ink = 255 - draw(FORMULAS[0], 150, margin=6)
    grey = np.rint(paper + (writing - paper) * (ink / 255)).astype(np.uint8)
    difference = np.abs(images.to_ink(grey).astype(int) - ink)
    assert difference.max() <= 255 / abs(paper - writing) * 3 + 6


@pytest.mark.parametrize("paper", [(250, 235, 190), (20, 30, 80), (0, 100, 0), (255, 200, 220)])
def test_coloured_paper(paper):
    ink = 255 - draw(FORMULAS[1], 150, margin=6)
    writing = np.array((240, 240, 255) if sum(paper) < 300 else (30, 0, 90))
    rgb = paper + (writing - np.array(paper)) * (ink[:, :, None] / 255)
    prepared = images.prepare(np.rint(rgb).astype(np.uint8))
    assert agreement(images.prepare(255 - ink), prepared) > 0.995


@pytest.mark.parametrize("dark", [False, True])
def test_uneven_light_is_evened_out(dark):
    clean = draw(FORMULAS[0], 200, margin=40)
    rows, columns = np.indices(clean.shape) / np.array(clean.shape)[:, None, None]
    light = 1 - 0.35 * columns - 0.2 * rows
    grey = (clean * 0.8 + 30) * light
    grey = (255 - grey if dark else grey).astype(np.uint8)
    assert agreement(images.prepare(clean), images.prepare(grey)) > 0.97


def test_noise_and_jpeg_leave_clean_paper():
    clean = draw(FORMULAS[0], 150, margin=20)
    noise = np.random.default_rng(1).normal(0, 6, clean.shape)
    noisy = np.clip(clean * 0.8 + 25 + noise, 0, 255).astype(np.uint8)
    # The halo of JPEG strokes can shift the cut by a pixel or two.
    for picture, least in ((noisy, 0.98), (encode(clean, "JPEG", quality=75), 0.93)):
        prepared = images.prepare(picture)
        assert agreement(images.prepare(clean), prepared) > least
        assert (prepared[: images.MARGIN] == 0).all()


# Cropping.


def test_crop_is_the_bounding_box_with_margin():
    ink = np.zeros((50, 80), np.uint8)
    ink[10:21, 30:37] = 255
    ink[12:18, 45:49] = 255
    np.testing.assert_array_equal(images.crop(ink), ink[10:21, 30:49])
    np.testing.assert_array_equal(images.crop(ink, margin=3), ink[7:24, 27:52])


def test_crop_ignores_specks_but_keeps_dots():
    tight = 255 - draw(r"x_1 + y.", 100)
    tight = images.crop(tight)
    page = np.pad(tight, 150)
    page[5, 8] = page[290, 3] = page[7:9, 200] = 255
    np.testing.assert_array_equal(images.crop(page), tight)


def test_crop_ignores_frames_and_border_lines():
    tight = images.crop(255 - draw(FORMULAS[0], 100))
    page = np.pad(tight, 40)
    framed = page.copy()
    cv2.rectangle(framed, (0, 0), (page.shape[1] - 1, page.shape[0] - 1), 255, 2)
    lined = page.copy()
    lined[0:2] = 255
    lined[:, -3:] = 255
    for picture in (framed, lined):
        np.testing.assert_array_equal(images.crop(picture), tight)


@pytest.mark.parametrize("formula", [r"\overline{a+b}", r"\sqrt{x+y+z}", r"\frac{a}{b+c+d}", "-"])
def test_crop_keeps_lines_that_belong_to_the_formula(formula):
    ink = 255 - draw(formula, 100)
    rows, columns = np.nonzero(ink)
    box = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    np.testing.assert_array_equal(images.crop(box), box)
    np.testing.assert_array_equal(images.crop(np.pad(box, 30)), box)


def test_crop_keeps_a_box_around_a_formula():
    inner = np.pad(images.crop(255 - draw("x=1", 100)), 4)
    cv2.rectangle(inner, (0, 0), (inner.shape[1] - 1, inner.shape[0] - 1), 255, 1)
    np.testing.assert_array_equal(images.crop(inner), inner)


def test_crop_of_specks_only_is_blank():
    ink = np.zeros((100, 100), np.uint8)
    ink[20, 30] = ink[80:82, 3] = 255
    with pytest.raises(images.BlankImageError, match="specks"):
        images.crop(ink)


def test_pages_of_im2latex_100k_are_cropped_to_their_ink(shared_data):
    folder = shared_data / "im2latex-100k-sample" / "formula_images"
    ratios = []
    for path in sorted(folder.glob("*.png"))[:20]:
        grey = images.read(path)
        rows, columns = np.nonzero(grey < 255)
        box = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        ink = images.crop(images.to_ink(grey))
        np.testing.assert_array_equal(ink, 255 - box)
        ratios.append(images.estimate_scale(ink) / 0.5)
    assert 0.95 < np.median(ratios) < 1.05
    assert np.mean(np.abs(np.log(ratios)) < 0.1) >= 0.9


# Scaling and padding.


def test_halve_averages_and_pads_with_paper():
    ink = np.array([[0, 100, 8], [100, 200, 0], [40, 0, 80]], np.uint8)
    np.testing.assert_array_equal(images.halve(ink), [[100, 2], [10, 20]])


def test_pad_puts_the_picture_at_the_top_left():
    ink = np.full((2, 3), 7, np.uint8)
    padded = images.pad(ink, 4, 5)
    assert padded.shape == (4, 5) and padded.sum() == 42
    np.testing.assert_array_equal(padded[:2, :3], ink)
    with pytest.raises(images.ImageError, match="does not fit"):
        images.pad(ink, 1, 5)


@pytest.mark.parametrize("dpi", [60, 80, 100, 150, 200, 300, 600])
def test_estimated_scale_is_near_the_true_one(dpi):
    ratios = [
        images.estimate_scale(images.crop(images.to_ink(draw(formula, dpi)))) * dpi / 100
        for formula in FORMULAS
    ]
    assert 0.93 < np.median(ratios) < 1.08
    assert min(ratios) > 0.85 and max(ratios) < 1.18


def test_candidates_start_with_the_estimate_and_are_few():
    for formula in (*FORMULAS, "x", "-", "."):
        ink = images.crop(images.to_ink(draw(formula, 200, margin=9)))
        candidates = images.scale_candidates(ink)
        assert candidates[0] == images.estimate_scale(ink)
        assert 1 <= len(candidates) <= images.MAX_CANDIDATES
        assert len(set(candidates)) == len(candidates)
    with pytest.raises(images.BlankImageError):
        images.scale_candidates(np.zeros((9, 9), np.uint8))


@pytest.mark.parametrize("formula", FORMULAS)
def test_same_formula_gives_nearly_the_same_prepared_picture(formula):
    reference = images.prepare(draw(formula, 100))
    for dpi in (60, 100, 150, 200, 300, 600):
        for dark in (False, True):
            for margin in (0, dpi // 2):
                picture = draw(formula, dpi, margin)
                picture = 255 - picture if dark else picture
                prepared = images.prepare(encode(picture, compress_level=1), rescale=True)
                ratio = np.array(prepared.shape) / reference.shape
                assert np.all(np.abs(np.log(ratio)) < 0.17), (dpi, dark, margin)
                # At 60 dpi a letter is four pixels high, and snaps to them.
                least = 0.8 if dpi == 60 else 0.9
                assert agreement(reference, prepared) > least, (dpi, dark, margin)


def test_prepare_keeps_the_scale_unless_asked():
    ink = images.crop(255 - draw(FORMULAS[0], 200))
    np.testing.assert_array_equal(images.prepare(255 - ink, margin=0), ink)
    halved = images.prepare(255 - ink, margin=2, rescale=0.5)
    assert halved.shape == (round(ink.shape[0] / 2) + 4, round(ink.shape[1] / 2) + 4)
    assert not halved[:2].any() and not halved[:, -2:].any()
    with pytest.raises(ValueError, match="rescale"):
        images.prepare(255 - ink, rescale=-1.0)


def test_a_picture_too_large_at_the_networks_scale_is_refused():
    with pytest.raises(images.ImageError, match="more than one formula"):
        images.prepare(draw(FORMULAS[0], 100), rescale=100.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (2, 3)])
@pytest.mark.parametrize("rescale", [False, True])
def test_tiny_pictures_end_in_a_picture_or_an_image_error(shape, rescale):
    rng = np.random.default_rng(0)
    for picture in (np.zeros(shape, np.uint8), rng.integers(0, 256, shape, np.uint8)):
        try:
            assert images.prepare(picture, rescale=rescale).dtype == np.uint8
        except images.ImageError as error:
            assert str(error)


# Damage.


def test_damaged_pictures_end_in_a_picture_or_an_image_error():
    rng = np.random.default_rng(20)
    files = []
    for number, (kind, options) in enumerate(FORMATS.items()):
        grey = draw(FORMULAS[number % len(FORMULAS)], 80, margin=4)
        files.append(encode(grey, kind, **options))
        files.append(encode(Image.fromarray(grey).convert("RGB"), kind, **options))
    prepared = 0
    refused = 0
    start = time.process_time()
    for trial in range(600):
        data = damage(files[trial % len(files)], rng)
        try:
            ink = images.prepare(data, rescale=True)
        except images.ImageError as error:
            refused += 1
            assert "\n" not in str(error)
        else:
            prepared += 1
            assert ink.dtype == np.uint8 and ink.ndim == 2 and ink.any()
    assert prepared > 50 and refused > 50
    assert time.process_time() - start < 20


# Hostile images, and those that change.


def _seconds(call) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def test_specks_in_a_row_take_linear_time():
    def dots(width: int) -> np.ndarray:
        ink = np.zeros((3, width), np.uint8)
        ink[1, ::3] = 255
        ink[:, :8] = 255  # writing, which reaches one speck farther with each that it takes
        return ink

    expected = images.crop(dots(48_012))
    assert expected.shape[1] > 48_000
    short, long = (_seconds(lambda w=w: images.crop(dots(w))) for w in (48_012, 192_048))
    assert short < 0.5 and long < 8 * short + 0.2


@pytest.mark.parametrize("shape", [(1, 262_001), (3, 87_001), (600, 600)])
def test_the_most_components_that_an_image_can_have(shape):
    ink = np.zeros(shape, np.uint8)
    ink[::2, ::2] = 255
    try:
        assert images.crop(ink).size or True
    except images.ImageError as error:
        assert "separate marks" in str(error) or "specks" in str(error)


def test_directories_of_a_tiff_are_not_counted_for_long():
    first = encode(Image.new("L", (4, 4), 255), "TIFF")
    start = int.from_bytes(first[4:8], "little")
    count = int.from_bytes(first[start : start + 2], "little")
    directory = first[start : start + 2 + 12 * count]
    data = bytearray(first + bytes(len(first) % 2))
    data[4:8] = len(data).to_bytes(4, "little")
    for _ in range(6000):
        end = len(data) + len(directory) + 4
        data += directory + end.to_bytes(4, "little")
    data += directory + bytes(4)
    assert _seconds(lambda: images.frames(bytes(data))) < 1
    assert images.frames(bytes(data)) > 10
    assert "at least" in images.open_image(bytes(data)).frames


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floating_point_images(dtype):
    grey = draw(FORMULAS[3], 100, margin=5)
    unit = (grey / 255).astype(dtype)
    over = unit.copy()
    over[2, 2], over[3, 3] = 1.0001, -0.02
    assert np.abs(images.read(over).astype(int) - grey)[5:-5].max() == 0
    np.testing.assert_array_equal(images.read(unit * 2 - 1), grey)
    broken = unit.copy()
    broken[1, 1:4] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(images.read(broken), grey)
    with pytest.raises(images.ImageError, match="no finite values"):
        images.read(np.full((4, 4), np.nan, dtype))


def test_transparency_takes_little_memory():
    pixels = np.zeros((2000, 2000, 4), np.uint8)
    pixels[900:1000, 900:1000] = (10, 200, 30, 200)
    tracemalloc.start()
    images.read(pixels)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 14 * 2000 * 2000


def test_snapshots_do_not_change_with_their_sources(tmp_path):
    grey = draw(FORMULAS[3], 100)
    array, buffer = grey.copy(), bytearray(encode(grey))
    path = tmp_path / "x.png"
    path.write_bytes(buffer)
    opened = Image.open(path)
    sources = [array, buffer, opened, io.BytesIO(bytes(buffer))]
    copies = [images.snapshot(source) for source in sources]
    array[:] = 0
    buffer[:] = bytes(len(buffer))
    opened.paste(0, (0, 0, *opened.size))
    sources[3].close()
    for copy in copies:
        np.testing.assert_array_equal(images.read(copy), grey)
    assert images.snapshot(path) is path
    assert images.describe(copies[2]) == str(path)


def test_the_budget_bounds_what_threads_hold():
    budget = images.PixelBudget(100)
    held, most = 0, 0
    lock = threading.Lock()

    def work(pixels: int) -> None:
        nonlocal held, most
        with budget.reserve(pixels):
            with lock:
                held += min(pixels, 100)
                most = max(most, held)
            time.sleep(0.002)
            with lock:
                held -= min(pixels, 100)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [30, 60, 500, 10, 90, 40, 20] * 4))
    assert 40 < most <= 100 and held == 0


def test_a_deadline_ends_the_preparation():
    images.Deadline(60).check()
    with pytest.raises(images.ImageError, match="takes more than"):
        images.Deadline(-1).check()
