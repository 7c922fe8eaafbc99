"""Random screenshots, scans and photos of training pictures, as the recognizer would read them.

`augment` spoils a picture of a formula the way printers, cameras and screens do, and brings it back
to ink by the functions that recognition uses (`images.to_ink`, `images.crop`, `images.resize`): the
network sees in training what those make of such a picture in use. A picture in which that loses a
stroke or leaves dirt is not used: its label would be wrong.

The library is OpenCV, called directly. albumentations, which wraps it, ended in June 2025, and its
successor AlbumentationsX is under the AGPL, which a project under the Apache licence cannot depend
on. imgaug and Augraphy have had no release since 2020 and 2023; torchvision and Kornia need
PyTorch. Random numbers come from the caller's NumPy generator alone, never from OpenCV's global
one, and OpenCV's operations on 8 bits do not depend on the number of threads: the same seed gives
the same bytes.
"""

import dataclasses
import math
import statistics
from typing import TypeVar

import cv2
import numpy as np

from im2latex_jax import images
from im2latex_jax.errors import Im2latexError

# Pixels of paper that a blurred or thickened stroke reaches into, on either side.
FEET = 2
# Paper around the writing in the spoiled picture, at the least: room for the feet.
MIN_MARGIN = 4
# Thinner and thicker strokes are a blend with the next smaller and larger morphological neighbour.
# Strokes are little more than a pixel thick, so that a full erosion would leave nothing.
THINNEST = 0.5
# A stroke pixel, and what counts as there: hairlines between two rows of pixels have ink 64.
STROKE = 64
# A mean ink of this over 5 x 5 pixels of paper is dirt; single specks are no more than 10.
DIRT = 32
# Correlation of the ink with what was printed. Below this the smallest indices break up.
MIN_CORRELATION = 0.95
# 256 equally likely values of a standard normal distribution, so that a random byte is a sample.
NORMAL = np.array(
    [statistics.NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)], np.float32
)


class AugmentationError(Im2latexError):
    """A setting of the augmentation is out of its range."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much training pictures are changed: `Settings(**config.augmentation)`.

    A picture is augmented with `probability`; of an augmented one, each effect takes part with
    probability `rate`, by an amount that is uniform between none and its strength (both ways where
    it has a sign). A strength of 0 turns an effect off.

    Attributes:
      probability: that a picture is augmented at all; 0 to 1.
      rate: probability of each effect in an augmented picture; 0 to 1.
      rotation: degrees, both ways.
      shear: slant of the verticals, horizontal per vertical pixel, both ways.
      scale: change of size as a share, both ways: what the estimate of the scale is off by.
      thickness: of strokes: blend with the dilated (1: half to one pixel more on each side) or, at
        half the strength, the eroded picture; 0 to 1.
      blur: standard deviation of a Gaussian, pixels.
      low_resolution: loss of resolution as a share: 0.3 draws at 70 % of the size; 0 to 0.9.
      shift: pixels, a fraction of one at the most, by which the writing is off the pixel grid.
      margin: pixels of additional paper at each side, which `crop` has to take away.
      colours: of ink and paper: distance from black and white as a share, and in a third of the
        cases light on dark; 0 to 1.
      contrast: loss of contrast as a share; 0 to 0.9.
      uneven_light: darkening of corners as a share; 0 to 0.9.
      noise: standard deviation, grey levels of 255, at full contrast.
      jpeg: loss of quality: 70 is JPEG quality 30; 0 to 95.
      max_growth: bound on the height and the width, as a multiple of the picture's own ...
      max_extra: ... plus this many pixels. See `max_size`.
    """

    probability: float = 0.5
    rate: float = 0.35
    rotation: float = 1.0
    shear: float = 0.06
    scale: float = 0.08
    thickness: float = 0.5
    blur: float = 0.7
    low_resolution: float = 0.3
    shift: float = 0.5
    margin: float = 16
    colours: float = 0.5
    contrast: float = 0.5
    uneven_light: float = 0.4
    noise: float = 10
    jpeg: float = 50
    max_growth: float = 1.08
    max_extra: int = 6

    def __post_init__(self) -> None:
        at_most = {
            "probability": 1.0,
            "rate": 1.0,
            "rotation": 45.0,
            "scale": 0.9,
            "thickness": 1.0,
            "low_resolution": 0.9,
            "shift": 1.0,
            "colours": 1.0,
            "contrast": 0.9,
            "uneven_light": 0.9,
            "jpeg": 95.0,
        }
        for field in dataclasses.fields(self):
            low = 1.0 if field.name == "max_growth" else 0.0
            high = at_most.get(field.name, math.inf)
            value = getattr(self, field.name)
            if not low <= value <= high:
                raise AugmentationError(
                    f"augmentation: {field.name} is {value}: set it to a number of at least "
                    f"{low:g}" + (f" and at most {high:g}" if high < math.inf else "")
                )


OFF = Settings(probability=0)

# In the order in which they are drawn: new ones go to the end, so that seeds keep their meaning.
SIGNED = ("rotation", "shear", "scale", "thickness", "shift")
EFFECTS = (
    *SIGNED,
    *("blur", "low_resolution", "margin", "colours", "contrast", "uneven_light", "noise", "jpeg"),
)


_AUGMENTATION = 2  # first number of the seeds of augmentation, see also `input_pipeline`


@dataclasses.dataclass(frozen=True)
class Draw:
    """Which examples are augmented in which epoch: known ahead, so that batches can be planned.

    A pure function of seed, epoch and example, by a hash that is evenly spread (SplitMix64:
    Steele, Lea and Flood 2014).

    Attributes:
      seed: of the run.
      probability: that an example is augmented in an epoch.
    """

    seed: int
    probability: float

    def __call__(self, epoch: int, numbers: np.ndarray) -> np.ndarray:
        """Whether each of the examples `numbers` [N] is augmented in `epoch`: [N] bool."""
        start = np.random.SeedSequence((_AUGMENTATION, self.seed, epoch)).generate_state(
            1, np.uint64
        )
        x = start + np.asarray(numbers).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
        return x < np.uint64(min(self.probability * 2.0**64, 2.0**64 - 2**11))

    def rng(self, epoch: int, number: int) -> np.random.Generator:
        """The random numbers that an example is augmented with."""
        return np.random.default_rng((_AUGMENTATION, self.seed, epoch, number))


Side = TypeVar("Side", int, np.ndarray)


def max_size(height: Side, width: Side, settings: Settings) -> tuple[Side, Side]:
    """The largest `(height, width)` in pixels that `augment` gives for a picture of this size.

    Integers, or integer arrays of the sizes of many pictures.
    """
    if not settings.probability:
        return height, width
    return _largest(height, settings), _largest(width, settings)


def _largest(side: Side, settings: Settings) -> Side:
    growth = np.floor(side * (settings.max_growth - 1)).astype(int)
    return side + growth + int(settings.max_extra)


def augment(ink: np.ndarray, rng: np.random.Generator, settings: Settings) -> np.ndarray:
    """A picture of the same formula, spoiled and prepared again; or the picture itself.

    The result depends on the arguments alone. It is the picture itself where no augmentation is
    drawn (see `Settings.probability`), and where the drawn one would lose a stroke, leave dirt, or
    not fit into `max_size`.

    Args:
      ink: uint8 `[height, width]`, 0 is paper, 255 is ink, cropped to the writing.
      rng: seed it by example and epoch: `np.random.default_rng((seed, epoch, number))`.
      settings: strengths of the effects.

    Returns:
      uint8 ink `[new height, new width]`, cropped to the writing, at most of `max_size`.
    """
    if rng.random() >= settings.probability:
        return ink
    amounts = _draw(rng, settings)
    printed = _print(ink, amounts, rng)
    height, width = ink.shape
    target = max_size(height, width, settings)
    printed, resolution = _place(printed, (height, width), target, amounts)
    amounts["blur"] *= resolution
    taken = images.to_ink(_take(printed, amounts, rng))
    if not _is_faithful(printed, taken):
        return ink
    try:
        prepared = images.crop(taken)
    except images.BlankImageError:
        return ink
    if not _is_whole(printed, prepared):
        return ink
    prepared = images.resize(prepared, 1 / resolution)
    return prepared if _fits(prepared.shape, target) else ink


def _draw(rng: np.random.Generator, settings: Settings) -> dict[str, float]:
    """The amount of each effect, 0 for those that take no part."""
    # Always as many random numbers, so that one effect's strength does not change the others.
    takes_part, share = rng.random((2, len(EFFECTS))).tolist()
    amounts = {}
    for effect, drawn, amount in zip(EFFECTS, takes_part, share, strict=True):
        if effect in SIGNED:
            amount = 2 * amount - 1
        amounts[effect] = amount * getattr(settings, effect) if drawn < settings.rate else 0.0
    return amounts


def _print(ink: np.ndarray, amounts: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """The writing on a sheet of paper, ink `[height + margins, width + margins]`."""
    sides = MIN_MARGIN + amounts["margin"] * rng.random(4)
    top, bottom, left, right = (round(side) for side in sides.tolist())
    sheet = cv2.copyMakeBorder(ink, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
    thickness = amounts["thickness"]
    if not thickness:
        return sheet
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    if thickness > 0:
        return cv2.addWeighted(cv2.dilate(sheet, cross), thickness, sheet, 1 - thickness, 0)
    thickness *= -THINNEST
    return cv2.addWeighted(cv2.erode(sheet, cross), thickness, sheet, 1 - thickness, 0)


def _place(
    sheet: np.ndarray,
    size: tuple[int, int],
    target: tuple[int, int],
    amounts: dict[str, float],
) -> tuple[np.ndarray, float]:
    """Turns, slants, scales and shifts a sheet, and draws it at the picture's resolution.

    Rotation and slant are limited so that writing of `size` may come out no larger than `target`;
    where it would all the same, it is made smaller, by no more than `scale` does.

    Returns:
      The sheet, and its resolution: how many of its pixels a pixel of the network's scale is.
    """
    resolution = 1 - amounts["low_resolution"]
    if resolution < 1:
        sheet = images.resize(sheet, resolution)
    if not any(amounts[effect] for effect in ("rotation", "shear", "scale", "shift")):
        return sheet, resolution
    (height, width), (max_height, max_width) = size, target
    rise = _limit(math.sin(math.radians(amounts["rotation"])), (max_height - height - FEET) / width)
    shear = _limit(amounts["shear"], (max_width - width - FEET) / height - abs(rise))
    fit = min(
        (max_height - FEET) / (height + abs(rise) * width),
        (max_width - FEET) / (width + abs(shear + rise) * height),
    )
    scale = min(1 + amounts["scale"], max(fit, 1 - abs(amounts["scale"])))
    cosine = math.sqrt(1 - rise * rise)
    # Slant first, then rotation: the columns are the pictures of a step right and a step down.
    linear = scale * np.array([
        [cosine, rise + shear * cosine],
        [-rise, cosine - shear * rise],
    ])  # fmt: skip
    rows, columns = sheet.shape
    corners = linear @ np.array([[0, columns, 0, columns], [0, 0, rows, rows]])
    low, high = corners.min(axis=1), corners.max(axis=1)
    # Pixel centres are at whole numbers: half a pixel is added before and taken off after.
    offset = linear @ [0.5, 0.5] - 0.5 - low + amounts["shift"]
    new_columns, new_rows = np.ceil(high - low + 1).astype(int).tolist()
    matrix = np.column_stack([linear, offset])
    return cv2.warpAffine(sheet, matrix, (new_columns, new_rows)), resolution


def _limit(value: float, bound: float) -> float:
    bound = max(0.0, bound)
    return min(bound, max(-bound, value))


def _take(sheet: np.ndarray, amounts: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """Takes a picture of an ink sheet: uint8 grey levels of the same shape."""
    if amounts["blur"]:
        sheet = cv2.GaussianBlur(sheet, (5, 5), amounts["blur"])
    paper, writing = _levels(amounts, rng)
    grey = cv2.convertScaleAbs(sheet, alpha=(writing - paper) / 255, beta=paper)
    if amounts["uneven_light"]:
        # Each corner is darker by a share of its own.
        light = 255 * (1 - amounts["uneven_light"] * rng.random((2, 2)))
        field = cv2.resize(light.astype(np.uint8), grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
        grey = cv2.multiply(grey, field, scale=1 / 255)
    if amounts["noise"]:
        # Noise belongs to the light that is there: cameras amplify low contrast with its noise,
        # but nobody takes a picture in which the noise hides the writing.
        deviation = amounts["noise"] * abs(paper - writing) / 255
        table = np.rint(NORMAL * deviation).astype(np.int16)
        noise = table[rng.integers(0, 256, grey.shape, np.uint8)]
        grey = cv2.add(grey, noise, dtype=cv2.CV_8U)
    if amounts["jpeg"]:
        quality = round(100 - amounts["jpeg"])
        _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
        grey = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return grey


def _levels(amounts: dict[str, float], rng: np.random.Generator) -> tuple[float, float]:
    """Grey levels of the paper and of the full ink, 0 to 255."""
    paper, writing = 255.0, 0.0
    if amounts["colours"]:
        colours = np.array([[255.0], [0.0]]) + [[-1], [1]] * (
            255 * amounts["colours"] * rng.random((2, 3))
        )
        if rng.random() < 1 / 3:
            colours = 255 - colours
        # As the recognizer reads them: luminance, or the distance where luminance is alike.
        strip = np.repeat(colours.astype(np.uint8), [7, 1], axis=0)[None]
        levels = images.read(strip)[0].tolist()
        paper, writing = float(levels[0]), float(levels[-1])
    return paper, writing + amounts["contrast"] * (paper - writing)


def _is_faithful(printed: np.ndarray, taken: np.ndarray) -> bool:
    """Whether `taken` has ink where `printed` has strokes, little elsewhere, and reads the same."""
    near = cv2.dilate(taken, np.ones((3, 3), np.uint8))
    if np.any((printed >= STROKE) & (near < images.INK_THRESHOLD)):
        return False
    # The window reaches FEET far: where nothing is printed in it, there must be paper.
    window = 2 * FEET + 1
    written = cv2.dilate(printed, np.ones((window, window), np.uint8))
    if np.any((cv2.blur(taken, (window, window)) >= DIRT) & (written == 0)):
        return False
    return _correlation(printed, taken) >= MIN_CORRELATION


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation of two pictures' pixels, -1 to 1; 0 where one is of a single level."""
    # By sums of squares, which OpenCV takes of bytes ten times as fast as NumPy of floats.
    squares = [cv2.norm(picture, cv2.NORM_L2SQR) for picture in (first, second)]
    sums = [cv2.sumElems(picture)[0] for picture in (first, second)]
    product = (sum(squares) - cv2.norm(first, second, cv2.NORM_L2SQR)) / 2
    covariance = product - sums[0] * sums[1] / first.size
    variances = [
        square - total * total / first.size for square, total in zip(squares, sums, strict=True)
    ]
    return covariance / math.sqrt(variances[0] * variances[1]) if min(variances) > 0 else 0.0


def _is_whole(printed: np.ndarray, prepared: np.ndarray) -> bool:
    """Whether the cropped writing is as large as it was printed: no part has been cropped away."""
    _, mask = cv2.threshold(printed, STROKE - 1, 255, cv2.THRESH_BINARY)
    _, _, width, height = cv2.boundingRect(mask)
    return prepared.shape[0] >= height - FEET and prepared.shape[1] >= width - FEET


def _fits(size: tuple[int, ...], target: tuple[int, int]) -> bool:
    return size[0] <= target[0] and size[1] <= target[1]
