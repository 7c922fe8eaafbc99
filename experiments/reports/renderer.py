"""Measures the TeX renderer: speed, what it rejects, likeness to the original im2latex-100k pages.

    python -m experiments.reports.renderer --data FOLDER

FOLDER holds `arxiv_formulas.tsv.xz` (lines `paper<TAB>display or inline<TAB>formula`) and
`im2latex-100k-sample/` (the release's layout). Each part is left out where its data is missing.
"""

import collections
import dataclasses
import io
import lzma
import pathlib
import re
import resource
import statistics
import time
from collections.abc import Sequence

import numpy as np
from absl import app, flags
from PIL import Image

from im2latex_jax.rendering.tex.render import render_formulas
from im2latex_jax.runtime import workers

_DATA = flags.DEFINE_string("data", None, "folder of the data", required=True)
_NUM_FORMULAS = flags.DEFINE_integer("num_formulas", 20_000, "display formulas to draw")
_JOBS = flags.DEFINE_integer("jobs", None, "batches at a time; default: all processor cores")
_SEED = flags.DEFINE_integer("seed", 0, "of the choice of formulas")


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    data = pathlib.Path(_DATA.value)
    if (data / "arxiv_formulas.tsv.xz").exists():
        report_speed(data / "arxiv_formulas.tsv.xz", _NUM_FORMULAS.value, _SEED.value, _JOBS.value)
    if (data / "im2latex-100k-sample").exists():
        report_likeness(data / "im2latex-100k-sample")


def report_speed(path: pathlib.Path, num_formulas: int, seed: int, jobs: int | None) -> None:
    """Draws a random sample of the display formulas; prints speed and reasons of rejection."""
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        rows = (line.rstrip("\n").split("\t", 2) for line in lines)
        display = [formula for _, kind, formula in rows if kind == "display"]
    chosen = np.random.default_rng(seed).permutation(len(display))[:num_formulas]
    formulas = [display[index] for index in chosen]

    processor_before, start = processor_seconds(), time.perf_counter()
    reasons = [
        result.reason
        for result in render_formulas(formulas, jobs=jobs, progress=True)
        if result.reason is not None
    ]
    seconds = time.perf_counter() - start
    processor = processor_seconds() - processor_before
    jobs = jobs or workers.available_cpus()
    print(
        f"{len(formulas)} formulas in {seconds:.1f} s with {jobs} jobs: "
        f"{len(formulas) / seconds:.0f} a second; "
        f"{1000 * processor / len(formulas):.2f} ms of processor time each"
    )
    print(f"rejected: {len(reasons)} ({len(reasons) / len(formulas):.1%})")
    kinds = collections.Counter(re.sub(r"\\([A-Za-z]+|.)", r"\\…", reason) for reason in reasons)
    for kind, count in kinds.most_common(12):
        print(f"  {count:6d}  {kind}")


def processor_seconds() -> float:
    """User and system time of this process and of the programs that it has run to their end."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@dataclasses.dataclass(frozen=True)
class Likeness:
    """How a drawn picture compares with the original one at half its size.

    Attributes:
      height_ratio, width_ratio: drawn by original.
      agreement: share of the pixels whose ink differs by less than a quarter, once the original is
        scaled to the drawn picture's size.
      correlation: of the two pictures' ink over the pixels, then.
    """

    height_ratio: float
    width_ratio: float
    agreement: float
    correlation: float


def report_likeness(folder: pathlib.Path, split: str = "train") -> None:
    """Compares the drawn formulas of a split with the crops of their original pages."""
    formulas = (folder / "im2latex_formulas.lst").read_text("latin-1").split("\n")
    entries = [line.split() for line in (folder / f"im2latex_{split}.lst").read_text().splitlines()]
    results = list(render_formulas([formulas[int(number)] for number, _, _ in entries]))
    likenesses = []
    for (_, name, _), result in zip(entries, results, strict=True):
        if result.png is None:
            print(f"  not drawn: {name}: {result.reason}")
            continue
        original = page_crop(folder / "formula_images" / f"{name}.png").reduce(2)
        likenesses.append(compare(Image.open(io.BytesIO(result.png)).convert("L"), original))
    print(f"{len(likenesses)} of {len(entries)} {split} pages drawn and compared")
    for field in dataclasses.fields(Likeness):
        values = sorted(getattr(likeness, field.name) for likeness in likenesses)
        fifth, ninety_fifth = (values[int(share * (len(values) - 1))] for share in (0.05, 0.95))
        print(
            f"  {field.name}: median {statistics.median(values):.3f}, "
            f"5th to 95th percentile {fifth:.3f} to {ninety_fifth:.3f}"
        )


def page_crop(path: pathlib.Path) -> Image.Image:
    """An original page over white, grey, cropped to its ink."""
    page = Image.open(path).convert("RGBA")
    paper = Image.new("RGBA", page.size, "white")
    grey = Image.alpha_composite(paper, page).convert("L")
    return grey.crop(grey.point(lambda value: 255 - value).getbbox())


def compare(drawn: Image.Image, original: Image.Image) -> Likeness:
    """Compares two grey pictures, dark on white."""
    drawn_ink = 1 - np.asarray(drawn) / 255
    original_ink = 1 - np.asarray(original.resize(drawn.size, Image.Resampling.BILINEAR)) / 255
    return Likeness(
        height_ratio=drawn.height / original.height,
        width_ratio=drawn.width / original.width,
        agreement=float(np.mean(np.abs(drawn_ink - original_ink) < 0.25)),
        correlation=float(np.corrcoef(drawn_ink.ravel(), original_ink.ravel())[0, 1]),
    )


if __name__ == "__main__":
    app.run(main)
