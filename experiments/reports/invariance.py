"""Does the answer stay the same when only the look of the picture changes?

    python -m experiments.reports.invariance FORMULAS [--checkpoint MODEL] [--engine latex|mathtext]

Draws the formulas of a file (text or table, may be packed) at several resolutions, dark on light
and light on dark, cropped tightly and with wide margins, and reads them. Of the formulas that are
read right at 100 dpi it prints, for each look, the share that gives the same LaTeX.
"""

import json
import sys
from collections.abc import Sequence

import numpy as np

from experiments import command_line
from im2latex_jax import images
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation import cases as evaluation_sets
from im2latex_jax.recognizer import Recognizer

PLAIN_DPI = 100
DPIS = (60, 100, 150, 200, 300, 600)
LOOKS = ("tight", "wide", "dark", "dark, wide")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command_line.parser("reports.invariance", __doc__)
    parser.add_argument("formulas", help="file of formulas")
    parser.add_argument("--checkpoint", help="a run, its model, or by default the released model")
    parser.add_argument("--engine", choices=("latex", "mathtext"), default="latex")
    parser.add_argument("--limit", type=int, default=200, help="lines read (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args(arguments)
    try:
        recognizer = Recognizer.load(parsed.checkpoint)
        figures = measure(recognizer, parsed.formulas, parsed.engine, parsed.limit)
    except Im2latexError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=2) if parsed.json else describe(figures))
    return 0


def measure(recognizer: Recognizer, path: str, engine: str, limit: int) -> dict:
    """Share of the formulas right at 100 dpi that give the same LaTeX, by resolution and look.

    Raises:
      Im2latexError: see `evaluation_sets.from_formulas`; or no formula is read right.
    """
    drawn = {
        dpi: evaluation_sets.from_formulas(path, engine=engine, dpi=dpi, limit=limit).cases
        for dpi in DPIS
    }
    plain = {case.name: case for case in drawn[PLAIN_DPI]}
    answers = recognizer([case.picture for case in plain.values()])
    right = {
        name: answer.normal_form
        for (name, case), answer in zip(plain.items(), answers, strict=True)
        if answer.tokens == case.truth
    }
    if not right:
        raise Im2latexError(f"{path}: no formula is read right at {PLAIN_DPI} dpi")
    shares = {}
    for dpi, cases in drawn.items():
        chosen = [case for case in cases if case.name in right]
        pictures = [images.read(case.picture) for case in chosen]
        for look in LOOKS:
            answers = recognizer([changed(picture, look, dpi) for picture in pictures])
            same = [
                a.normal_form == right[case.name] for case, a in zip(chosen, answers, strict=True)
            ]
            shares[f"{dpi} dpi, {look}"] = float(np.mean(same))
    return {
        "formulas": len(plain),
        "right": len(right),
        "same": shares,
        "same_in_the_mean": float(np.mean(list(shares.values()))),
    }


def changed(picture: np.ndarray, look: str, dpi: int) -> np.ndarray:
    """A cropped grey picture (0 ink, 255 paper) in another look; margins of half an inch."""
    if "wide" in look:
        margin = dpi // 2
        picture = np.pad(picture, margin, constant_values=255)
    return 255 - picture if "dark" in look else picture


def describe(figures: dict) -> str:
    """The figures as a table: a row a resolution, a column a look."""
    rows = [f"{'':>8}" + "".join(f"{look:>12}" for look in LOOKS)]
    for dpi in DPIS:
        shares = (figures["same"][f"{dpi} dpi, {look}"] for look in LOOKS)
        rows.append(f"{dpi:>4} dpi" + "".join(f"{share:>12.3f}" for share in shares))
    return "\n".join(
        [
            f"{figures['right']} of {figures['formulas']} formulas are read right at "
            f"{PLAIN_DPI} dpi; the share of these that gives the same LaTeX:",
            *rows,
            f"in the mean {figures['same_in_the_mean']:.3f}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
