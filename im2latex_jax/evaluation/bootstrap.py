"""How sure a figure is: 95 % intervals by the percentile bootstrap (Efron 1979)."""

from collections.abc import Callable, Mapping

import numpy as np

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)


def intervals(
    rows: np.ndarray,
    figures: Callable[[np.ndarray, int], Mapping[str, float]],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, list[float]]:
    """The interval of each figure over sets of examples drawn with replacement.

    Args:
      rows: what each example adds to the sums that the figures are made of, [examples, columns].
      figures: the figures by name, from the sums [columns] and the number of examples.
      seed: of the drawing.
      resamples: sets drawn.

    Returns:
      Lower and upper end by the figure's name.
    """
    rng = np.random.default_rng(seed)
    count = len(rows)
    drawn = [
        figures(rows[rng.integers(count, size=count)].sum(axis=0), count) for _ in range(resamples)
    ]
    return {
        name: np.percentile([figure[name] for figure in drawn], PERCENTILES).tolist()
        for name in drawn[0]
    }
