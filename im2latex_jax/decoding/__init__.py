"""Greedy and beam search, constrained to formulas that compile."""
