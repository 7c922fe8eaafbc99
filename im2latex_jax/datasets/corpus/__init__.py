"""A data set from any lists of formulas: split, checked, drawn; see `builder`."""
