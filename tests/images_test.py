"""Tests of im2latex_jax.images."""

import cv2
import numpy as np
import pytest

from im2latex_jax import images


def test_clean_picture_becomes_exactly_its_ink():
    grey = np.full((40, 90), 255, np.uint8)
    cv2.putText(grey, "x+y", (5, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 0, 2, cv2.LINE_AA)
    np.testing.assert_array_equal(images.to_ink(grey), 255 - grey)
    np.testing.assert_array_equal(images.to_ink(255 - grey), 255 - grey)


def test_blank_picture_is_refused():
    with pytest.raises(images.BlankImageError, match="blank"):
        images.prepare(np.full((40, 90), 255, np.uint8))
