"""Your own pictures and formulas."""
