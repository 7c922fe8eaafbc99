"""Commands that prepare data, models and comparisons."""
