"""What a start costs, on few examples that are not there."""

from experiments.reports import scale
from im2latex_jax.datasets import statistics


def test_a_start_is_measured_on_statistics_alone(tmp_path):
    scale.make(tmp_path, "train", 2_000)
    for name in ("validation", "test"):
        scale.make(tmp_path, name, scale._HELD_OUT)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        *(f"digests-{name}.npy" for name in ("test", "train", "validation")),
        *(f"statistics-{name}.npz" for name in ("test", "train", "validation")),
    ]
    kept = statistics.read(tmp_path, "train", 2_000)
    assert kept is not None and 20 <= kept.widths.min() < kept.widths.max() <= 700
    assert statistics.read(tmp_path, "train", 1_999) is None
    figures = scale.measure(tmp_path, 2_000)
    assert figures["steps_per_epoch"] > 0
    total = sum(step["seconds"] for step in figures["steps"].values())
    assert figures["seconds"] == total > 0
    text = scale.table(figures)
    assert text.startswith("| 2,000 examples |") and "At 10^8 examples:" in text
