"""Formula to picture: `mathtext` (matplotlib alone) and `tex` (latex and dvipng)."""
