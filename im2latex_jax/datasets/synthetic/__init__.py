"""The embedded data set: generated formulas, drawn by mathtext."""

from im2latex_jax.datasets.synthetic.synthetic import Synthetic, SyntheticConfig

__all__ = ["Synthetic", "SyntheticConfig"]
