"""im2latex_jax: pictures of formulas to LaTeX, with JAX and Flax."""

__version__ = "0.1.0"
