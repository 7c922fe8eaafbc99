"""From any image to the network's input; shared by training and recognition.

The stages, a module each: `decode` (grey levels; `colour` for depth, colour and transparency) ->
`ink` (0 is paper, 255 is ink) -> `crop` (the writing only) -> `scale`. `prepare` does all of it.
Only NumPy, OpenCV and Pillow are used.

The network's scale is that of im2latex-100k at 100 dpi: 12pt Computer Modern as `dvipng -D 100`
draws it, whose letter x is about 7 pixels high. The original pages are 200 dpi: crop and `halve`.
"""

from im2latex_jax.images.colour import to_grey
from im2latex_jax.images.components import INK_THRESHOLD
from im2latex_jax.images.crop import crop, crop_box
from im2latex_jax.images.decode import (
    FORMATS,
    Opened,
    Source,
    describe,
    frames,
    held_pixels,
    one_line,
    open_image,
    read,
    read_pixels,
    snapshot,
)
from im2latex_jax.images.errors import BlankImageError, ImageError
from im2latex_jax.images.ink import to_ink
from im2latex_jax.images.limits import MAX_PIXELS, Deadline, PixelBudget
from im2latex_jax.images.prepare import prepare, use_one_thread
from im2latex_jax.images.scale import (
    MARGIN,
    MAX_CANDIDATES,
    SCALE_TOLERANCE,
    estimate_scale,
    halve,
    pad,
    resize,
    scale_candidates,
)

__all__ = [
    "FORMATS",
    "INK_THRESHOLD",
    "MARGIN",
    "MAX_CANDIDATES",
    "MAX_PIXELS",
    "SCALE_TOLERANCE",
    "BlankImageError",
    "Deadline",
    "ImageError",
    "Opened",
    "PixelBudget",
    "Source",
    "crop",
    "crop_box",
    "describe",
    "estimate_scale",
    "frames",
    "halve",
    "held_pixels",
    "one_line",
    "open_image",
    "pad",
    "prepare",
    "read",
    "read_pixels",
    "resize",
    "scale_candidates",
    "snapshot",
    "to_grey",
    "to_ink",
    "use_one_thread",
]
