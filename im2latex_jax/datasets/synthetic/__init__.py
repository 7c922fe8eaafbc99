"""The embedded data set: generated formulas, drawn by mathtext; see `builder`."""
