"""What a worker process does for the embedded data set; imports neither TFDS nor JAX."""

import dataclasses
import gc
from typing import Any

import numpy as np

from im2latex_jax.datasets.synthetic import grammar
from im2latex_jax.rendering import mathtext


@dataclasses.dataclass(frozen=True)
class Look:
    """How formulas may be drawn: see the fields of the same names in `builder.SyntheticConfig`."""

    fonts: tuple[str, ...]
    font_sizes: tuple[float, ...]
    dpi: int
    max_height: int
    max_width: int


def prepare_worker() -> None:
    """Sets a worker process up: matplotlib's own settings, and cheaper collection of garbage.

    Settings of the user (`matplotlibrc`) would change the pictures.
    """
    import matplotlib

    matplotlib.rcdefaults()
    mathtext.draw("x")
    # The objects of the libraries, loaded by now, need not be searched for garbage each time.
    gc.collect()
    gc.freeze()


def draw_chunk(
    seed: int, look: Look, short: bool, indices: range
) -> list[tuple[int, dict[str, Any]]]:
    """Draws the formulas, or the short formulas, with these numbers: pairs of number and record.

    Those whose pictures are larger than the limits are missing in the result.
    """
    drawn = ((index, _draw(seed, look, short, index)) for index in indices)
    return [(index, record) for index, record in drawn if record is not None]


def _draw(seed: int, look: Look, short: bool, index: int) -> dict[str, Any] | None:
    generate = grammar.generate_short if short else grammar.generate
    formula = " ".join(generate(seed, index))
    rng = np.random.default_rng((seed, index, 3 if short else 1))  # not a stream of the grammar
    font = look.fonts[rng.integers(len(look.fonts))]
    font_size = look.font_sizes[rng.integers(len(look.font_sizes))]
    picture = mathtext.draw(formula, font, font_size, look.dpi)
    height, width = picture.shape
    if height > look.max_height or width > look.max_width:
        return None
    return {
        "image": mathtext.encode_png(picture),
        "formula": formula,
        "id": f"synthetic-{seed}-{'short' if short else 'long'}-{index:07d}",
        "height": height,
        "width": width,
    }
