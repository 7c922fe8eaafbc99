"""Pictures of a run: its loss, and samples of what it reads."""

import pathlib
from collections.abc import Sequence

import numpy as np


def loss(lines: Sequence[dict], path: pathlib.Path) -> None:
    """Draws training and validation loss by step (the paper's Figure 3), and validation BLEU.

    Args:
      lines: of metrics.jsonl.
      path: of the PNG.
    """
    from matplotlib.figure import Figure

    train = [line for line in lines if line["kind"] == "train"]
    validation = [line for line in lines if line["kind"] == "validation"]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss a token", title="Loss")
    axes.plot([x["step"] for x in train], [x["loss"] for x in train], color="0.6", label="training")
    axes.set_yscale("log")
    if validation:
        steps = [x["step"] for x in validation]
        axes.plot(steps, [x["loss"] for x in validation], "o-", color="C0", label="validation")
        right = axes.twinx()
        right.set_ylabel("validation BLEU", color="C1")
        right.set_ylim(0, 100)
        right.plot(steps, [x["bleu"] for x in validation], "s--", color="C1")
    axes.legend(loc="upper center")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def samples(rows: Sequence[tuple[np.ndarray, str, str]], path: pathlib.Path, title: str) -> None:
    """Draws pictures with their true and predicted formulas.

    Args:
      rows: (ink [height, width] uint8, true formula, predicted formula).
      path: of the PNG.
      title: above all.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 0.8 * len(rows) + 0.6))
    figure.suptitle(title, y=1 - 0.2 / figure.get_figheight(), fontsize=11)
    grid = figure.add_gridspec(
        len(rows), 2, width_ratios=(2, 5), left=0.02, right=0.99, bottom=0.01,
        top=1 - 0.5 / figure.get_figheight(), hspace=0.15, wspace=0.03,
    )  # fmt: skip
    widest = max(ink.shape[1] for ink, _, _ in rows)
    for number, (ink, truth, prediction) in enumerate(rows):
        picture = figure.add_subplot(grid[number, 0])
        picture.imshow(255 - ink, cmap="gray", vmin=0, vmax=255, aspect="equal")
        picture.set_xlim(0, widest)
        picture.set_anchor("W")
        picture.set_axis_off()
        text = figure.add_subplot(grid[number, 1])
        text.set_axis_off()
        right = truth == prediction
        for y, color, content in (
            (0.68, "black", truth),
            (0.28, "green" if right else "firebrick", prediction or "(nothing)"),
        ):
            shown = content if len(content) <= 110 else content[:107] + "..."
            text.text(0, y, shown, color=color, family="monospace", fontsize=8, va="center",
                      parse_math=False)  # fmt: skip
    figure.savefig(path, dpi=120)
