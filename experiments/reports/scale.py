"""python -m experiments.reports.scale [--examples 10000000] [--json]

What a start of training costs per example, measured on synthetic statistics: sizes, token counts
and digests of so many examples, without images or formulas. A start reads nothing else of the data.
Prints time and memory of each step, in a process of its own, and what 10^8 examples would take.
Needs Linux.
"""

import json
import multiprocessing
import pathlib
import re
import sys
import tempfile
import time

import numpy as np

from experiments import command_line

# Widths, heights and lengths of im2latex-100k, see `benchmark.stand_in`.
_MEDIANS, _SPREADS = np.asarray([244, 34, 45]), np.asarray([0.45, 0.35, 0.6])
_SMALLEST, _LARGEST = np.asarray([20, 8, 3]), np.asarray([700, 140, 180])
_NUM_TOKENS = 600
_HELD_OUT = 1_000
_CHUNK = 1_000_000


def main() -> int:
    parser = command_line.parser("reports.scale", __doc__)
    parser.add_argument("--examples", type=int, default=10_000_000, help="of the training split")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make(pathlib.Path(folder), "train", parsed.examples)
        for name in ("validation", "test"):
            make(pathlib.Path(folder), name, _HELD_OUT)
        # Without the memory that making them took.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            figures = pool.apply(measure, (pathlib.Path(folder), parsed.examples))
    print(json.dumps(figures, indent=2) if parsed.json else table(figures))
    return 0


def make(folder: pathlib.Path, name: str, count: int) -> None:
    """Writes the statistics of `count` examples that are not there."""
    from im2latex_jax.datasets import statistics

    rng = np.random.default_rng(count)
    sizes = np.empty((3, count), np.uint16)
    for start in range(0, count, _CHUNK):
        part = sizes[:, start : start + _CHUNK]
        drawn = _MEDIANS * np.exp(_SPREADS * rng.standard_normal((part.shape[1], 3)))
        part[:] = np.clip(drawn, _SMALLEST, _LARGEST).T
    widths, heights, lengths = sizes
    statistics.write(
        folder,
        name,
        statistics.Statistics(
            heights,
            widths,
            lengths,
            rng.integers(2**64, size=count, dtype=np.uint64),
            {f"\\token{n}": 1 + count // (n + 1) for n in range(_NUM_TOKENS)},
            f"{name}{count}",
        ),
    )


class SizesOnly:
    """A split with statistics and without records."""

    corrupt: frozenset[int] = frozenset()

    def __init__(self, folder: pathlib.Path, name: str, count: int):
        from im2latex_jax.datasets import statistics

        self.name, self._count = name, count
        self.statistics = statistics.read(folder, name, count)
        self.heights, self.widths, self.lengths = (
            getattr(self.statistics, x).astype(np.int32) for x in ("heights", "widths", "lengths")
        )

    def __len__(self) -> int:
        return self._count


def measure(folder: pathlib.Path, count: int) -> dict:
    """Seconds and peak memory (bytes above that before the first step) of each step of a start."""
    from im2latex_jax.cli import settings
    from im2latex_jax.training.experiment import set_up

    config = settings.read([], command_line.CONFIGS / "im2latex_100k.py")
    few = SizesOnly(folder, "validation", _HELD_OUT)  # what does not grow with the data
    set_up(config, {"train": few, "validation": few, "test": few})
    before, steps = _peak(), {}
    start = time.perf_counter()

    def done(step: str) -> None:
        nonlocal start
        now = time.perf_counter()
        steps[step] = {"seconds": now - start, "peak_bytes": _peak() - before}
        start = time.perf_counter()

    counts = {"train": count, "validation": _HELD_OUT, "test": _HELD_OUT}
    splits = {name: SizesOnly(folder, name, number) for name, number in counts.items()}
    done("read the statistics")
    experiment = set_up(config, splits)
    done("vocabulary, limits, buckets, plan")
    experiment.digest()
    done("compare with other processes")
    steps_of_epoch = experiment.plan.epoch_ends[0]
    _ = experiment.plan[0]
    done("first batch of an epoch")
    return {
        "examples": count,
        "steps_per_epoch": int(steps_of_epoch),
        "steps": steps,
        "seconds": sum(step["seconds"] for step in steps.values()),
        "bytes_per_example": steps["first batch of an epoch"]["peak_bytes"] / count,
    }


def _peak() -> int:
    """Most memory that this process has had, in bytes."""
    # Not `resource.getrusage`: its peak includes that of the process that started this one.
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


def table(figures: dict) -> str:
    """The figures as Markdown."""
    count = figures["examples"]
    lines = [
        f"| {count:,} examples | seconds | ns an example | peak, bytes an example |",
        "| --- | --: | --: | --: |",
    ]
    for name, step in figures["steps"].items():
        nanoseconds, size = step["seconds"] * 1e9 / count, step["peak_bytes"] / count
        lines.append(f"| {name} | {step['seconds']:.1f} | {nanoseconds:.0f} | {size:.0f} |")
    seconds, size = figures["seconds"], figures["bytes_per_example"]
    lines.append(f"| all of it | {seconds:.1f} | {seconds * 1e9 / count:.0f} | {size:.0f} |")
    scale = 1e8 / count
    lines += ["", f"At 10^8 examples: {seconds * scale:.0f} s, {size * 1e8 / 1e9:.1f} GB."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
