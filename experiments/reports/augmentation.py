"""Draws what augmentation does to a formula, and measures how fast it is.

    python -m experiments.reports.augmentation --out DIR

writes `DIR/augmentation.png` (sixteen variants of a formula; the first is the original) and prints
pictures a second on one core, without and with augmentation.
"""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from absl import app, flags

from im2latex_jax import images
from im2latex_jax.input_pipeline.augmentation import OFF, Settings, augment, max_size
from im2latex_jax.rendering import mathtext

_OUT = flags.DEFINE_string("out", None, "folder for augmentation.png", required=True)
_SEED = flags.DEFINE_integer("seed", 1, "of the augmentation")
_SECONDS = flags.DEFINE_float("seconds", 2.0, "to measure each speed for")

FORMULA = r"\sum_{n=1}^{\infty} \dfrac{x_i^{2n}}{n^{2}+\alpha} = \int_0^1 \sqrt{1-t_{k}^2} \, dt"
# Typical in size: about 50 x 250 pixels.
FORMULAS = (
    FORMULA,
    r"\frac{\partial \psi}{\partial t} = - \frac{i}{\hbar} \left( \frac{p^2}{2 m} + V(x) \right)",
    r"\int_{-\infty}^{\infty} e^{-\frac{(x-\mu)^2}{2 \sigma^2}} dx = \sqrt{2 \pi} \, \sigma ,",
    r"\prod_{j=1}^{N} \frac{1 - q^{2 j}}{1 + q^{j - 1}} \leq C_{N} \, \hat{f}(\lambda) + \delta",
)
ROWS, COLUMNS, GAP = 4, 4, 12


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    cv2.setNumThreads(1)
    out = pathlib.Path(_OUT.value)
    out.mkdir(parents=True, exist_ok=True)
    picture = draw_variants(FORMULA, _SEED.value)
    (out / "augmentation.png").write_bytes(mathtext.encode_png(picture))
    print(f"{out / 'augmentation.png'}: {ROWS * COLUMNS} variants, the first is the original")
    report_speed(_SEED.value, _SECONDS.value)


def draw_variants(formula: str, seed: int) -> np.ndarray:
    """A page of variants of a formula, black on white: uint8 `[height, width]`."""
    ink = 255 - mathtext.draw(formula)
    always = dataclasses.replace(Settings(), probability=1)
    height, width = (side + GAP for side in max_size(ink.shape[0], ink.shape[1], always))
    page = np.zeros((ROWS * height, COLUMNS * width), np.uint8)
    for number in range(ROWS * COLUMNS):
        settings = always if number else OFF
        variant = augment(ink, np.random.default_rng((seed, 0, number)), settings)
        row, column = divmod(number, COLUMNS)
        top = row * height + (height - variant.shape[0]) // 2
        left = column * width + (width - variant.shape[1]) // 2
        page[top : top + variant.shape[0], left : left + variant.shape[1]] = variant
    return 255 - page


def report_speed(seed: int, seconds: float) -> None:
    """Prints pictures a second: decoding alone, and with augmentation behind it."""
    files = [mathtext.render(formula) for formula in FORMULAS]
    inks = [255 - images.read(file) for file in files]
    sizes = ", ".join(f"{ink.shape[0]} x {ink.shape[1]}" for ink in inks)
    print(f"pictures of {sizes} pixels; pictures a second on one core:")
    speed = measure(lambda number: 255 - images.read(files[number % len(files)]), seconds)
    print(f"  decoding a stored PNG, without augmentation: {speed:,.0f}")
    for settings in (Settings(), dataclasses.replace(Settings(), probability=1)):

        def load(number: int, settings: Settings = settings) -> np.ndarray:
            ink = 255 - images.read(files[number % len(files)])
            return augment(ink, np.random.default_rng((seed, 0, number)), settings)

        name = f"of {settings.probability:.0%} of the pictures"
        print(f"  decoding and augmentation {name}: {measure(load, seconds):,.0f}")
        unchanged = sum(
            augment(ink, np.random.default_rng((seed, 1, number)), settings) is ink
            for number in range(250)
            for ink in inks
        )
        print(f"    left as they are: {unchanged / (250 * len(inks)):.1%}")


def measure(load: Callable[[int], object], seconds: float) -> float:
    """Calls of `load` a second of processor time, which other programs' load does not change."""
    load(0)
    number, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        load(number)
        number += 1
    return number / (time.process_time() - start)


if __name__ == "__main__":
    app.run(main)
