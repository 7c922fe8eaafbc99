"""Connected components of ink."""

import cv2
import numpy as np

from im2latex_jax.images.errors import ImageError

# Ink from here on belongs to the writing; below it lie the faint feet of antialiased strokes.
INK_THRESHOLD = 32
# Full pages of small print have ten thousand. More are noise, a texture or a photo.
MAX_COMPONENTS = 100_000


def components(mask: np.ndarray) -> np.ndarray:
    """Left, top, width, height and area of each connected component, `[components, 5]`.

    Raises:
      ImageError: there are more than MAX_COMPONENTS.
    """
    return labelled_components(mask)[1]


def labelled_components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The label of each pixel (0 is paper), and the boxes of labels 1 and up: see `components`."""
    # Labels of 16 bits take a third of the time. At most one pixel in a block of 2 x 2 starts a
    # component.
    most = -(-mask.shape[0] // 2) * -(-mask.shape[1] // 2)
    labels = cv2.CV_16U if most < 65535 else cv2.CV_32S
    count, labelled, boxes, _ = cv2.connectedComponentsWithStats(mask, ltype=labels)
    if count - 1 > MAX_COMPONENTS:
        raise ImageError(
            f"has {count - 1:,} separate marks: a photo or noise rather than a formula; cut out "
            "the formula"
        )
    return labelled, boxes[1:]  # The first is the paper.


def bounds(boxes: np.ndarray) -> tuple[int, int, int, int]:
    """The left, top, right and bottom (ends exclusive) of all boxes together."""
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:4]).max(axis=0)
    return int(left), int(top), int(right), int(bottom)
