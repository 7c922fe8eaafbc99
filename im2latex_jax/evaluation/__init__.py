"""Metrics of a model's answers, calibration of its confidence, and the report that shows them."""
