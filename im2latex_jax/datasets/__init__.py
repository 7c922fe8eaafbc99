"""Data set builders (TFDS, ArrayRecord): the embedded synthetic set, im2latex-100k, corpora."""
