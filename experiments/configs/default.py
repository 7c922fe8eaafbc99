"""The embedded run: synthetic formulas, drawn here, learned in minutes on two CPU cores."""

from im2latex_jax.config import get_config as get_config
