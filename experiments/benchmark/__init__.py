"""Measures how fast the network trains and reads; see `python -m experiments.benchmark --help`."""
