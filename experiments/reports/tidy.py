r"""Measures `latex.tidy`: does it draw the same image, can pandoc read it, how fast is it.

    python -m experiments.reports.tidy --formulas val.formulas.norm.txt [--limit 5000]

Draws every formula (200 dpi) as the network writes it and as `tidy` does, and compares the images
pixel for pixel. Spaces at a formula's ends move a centred formula, which changes how TeX's
positions are rounded to pixels: they are left out of both, and the figure with them is given too.
What differs is printed. pandoc, where it is installed, converts all formulas to a Word document.
"""

import io
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence

import numpy as np
from absl import app, flags
from PIL import Image

from im2latex_jax.latex.files import read_formulas
from im2latex_jax.latex.lexer import detokenize
from im2latex_jax.latex.spacing import SPACES
from im2latex_jax.latex.tidy import tidy
from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex.render import render_formulas

_FORMULAS = flags.DEFINE_string("formulas", None, "formulas in the normal form", required=True)
_LIMIT = flags.DEFINE_integer("limit", 5000, "the first formulas only")
_FIRST_LENGTH = re.compile(r"^\\hspace \{[^}]*\}")
_LAST_LENGTH = re.compile(r"\\hspace \{[^}]*\}$")
_DPI = flags.DEFINE_integer("dpi", 200, "of the images that are compared")


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    lines = read_formulas(_FORMULAS.value).lines[: _LIMIT.value]
    formulas = [line.formula for line in lines if line.problem is None]
    start = time.process_time()
    tidied = [tidy(formula) for formula in formulas]
    seconds = (time.process_time() - start) / len(formulas)
    print(f"time: {1000 * seconds:.2f} ms a formula")
    print(f"idempotent: {sum(tidy(text) == text for text in tidied)} of {len(tidied)}")
    for name, originals in (
        ("as they are", [detokenize(formula.split()) for formula in formulas]),
        ("without spaces at the ends", [without_end_spaces(formula) for formula in formulas]),
    ):
        drawn, differing = compare(originals, tidied, _DPI.value)
        print(f"same image, {name}: {drawn - len(differing)} of {drawn}")
    for number in differing:
        print(f"  {formulas[number]}\n  {tidied[number]}")
    if shutil.which("pandoc") is not None:
        for name, texts in (
            ("the normal form", [detokenize(formula.split()) for formula in formulas]),
            ("tidy", tidied),
            ("tidy, portable", [tidy(formula, portable=True) for formula in formulas]),
        ):
            print(f"not converted by pandoc, {name}: {len(pandoc_refusals(texts))}")


def compare(
    originals: Sequence[str], tidied: Sequence[str], dpi: int = 200
) -> tuple[int, list[int]]:
    """Draws formulas in two spellings by TeX.

    Returns:
      How many originals can be drawn, and the numbers of those whose image is not the same, pixel
      for pixel.
    """
    images = [
        None if result.png is None else np.asarray(Image.open(io.BytesIO(result.png)).convert("L"))
        for result in render_formulas([*originals, *tidied], RenderStyle(dpi=dpi))
    ]
    drawn = [number for number in range(len(originals)) if images[number] is not None]
    return len(drawn), [
        number for number in drawn if not _same(images[number], images[len(originals) + number])
    ]


def pandoc_refusals(formulas: Sequence[str]) -> list[str]:
    """pandoc's complaints as it writes formulas into a Word document, one for each it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "formulas.md")
        source.write_text("\n\n".join(f"$${formula}$$" for formula in formulas), encoding="utf-8")
        run = subprocess.run(
            ["pandoc", "-f", "markdown", "-o", source.with_suffix(".docx"), source],
            capture_output=True,
            text=True,
            check=True,
        )
    return [text for text in run.stderr.split("[WARNING] ") if text.startswith("Could not convert")]


def _same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is not None and other is not None and np.array_equal(one, other)


def without_end_spaces(formula: str) -> str:
    """A formula in the normal form, compact, without the spaces at its ends."""
    formula = _FIRST_LENGTH.sub("", _LAST_LENGTH.sub("", formula))
    tokens = formula.split()
    while tokens and tokens[-1] in SPACES:
        tokens.pop()
    while tokens and tokens[0] in SPACES:
        del tokens[0]
    return detokenize(tokens)


if __name__ == "__main__":
    app.run(main)
