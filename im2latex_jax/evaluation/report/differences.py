"""What differs between a formula and what was read, as a picture in colour and as marked LaTeX."""

import collections
import html
from collections.abc import Sequence

import numpy as np

from im2latex_jax.evaluation import image_metrics

# Red, green and blue. Told apart also by those who see few colours, and in grey.
PAPER, BOTH, ONLY_TRUTH, ONLY_PREDICTION = (
    (255, 255, 255),
    (70, 70, 70),
    (30, 110, 220),
    (225, 80, 20),
)
_DARK = 128
_SHIFTS = 16  # heights tried at which two pictures may be on one line


def picture(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Two pictures as one, each stretch of columns on its like: uint8 [height, width, 3].

    Ink of both is grey, that of the truth alone blue, that of the prediction alone orange. A sign
    that is missing leaves the rest in its place: the columns are aligned by their shortest edit.

    Args:
      truth, prediction: uint8 [height, width], 0 is ink.
    """
    from rapidfuzz.distance import Levenshtein

    mine, theirs = _on_one_line(prediction <= _DARK, truth <= _DARK)
    numbers, _ = image_metrics.number_columns(np.concatenate([theirs, mine]))
    truth_ids, prediction_ids = np.split(numbers, [len(theirs)])
    parts = []
    for run in Levenshtein.opcodes(truth_ids.tolist(), prediction_ids.tolist()):
        true = theirs[run.src_start : run.src_end]
        read = mine[run.dest_start : run.dest_end]
        width = max(len(true), len(read))
        parts.append(_overlay(_widened(true, width), _widened(read, width)))
    return np.concatenate(parts).transpose(1, 0, 2)


def _on_one_line(prediction: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns [width, height] of ink, moved up or down so that as many as can be are the same."""
    darkness = [picture.sum(axis=1).astype(float) for picture in (prediction, truth)]
    # Rows that the truth must go down: those for which the rows' darkness is most alike.
    shifts = np.argsort(-np.correlate(darkness[0], darkness[1], "full"))[:_SHIFTS] - len(truth) + 1
    candidates = [_moved(prediction, truth, int(shift)) for shift in shifts]
    return max(candidates, key=lambda pair: _num_common(*pair))


def _moved(prediction: np.ndarray, truth: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    above = max(-shift, 0), max(shift, 0)
    height = max(above[0] + len(prediction), above[1] + len(truth))
    placed = [
        np.pad(picture, ((top, height - top - len(picture)), (0, 0))).T
        for picture, top in zip((prediction, truth), above, strict=True)
    ]
    return placed[0], placed[1]


def _num_common(mine: np.ndarray, theirs: np.ndarray) -> int:
    """How many columns with ink both have, wherever they stand."""
    counts = [
        collections.Counter(column.tobytes() for column in columns if column.any())
        for columns in (mine, theirs)
    ]
    return (counts[0] & counts[1]).total()


def _widened(columns: np.ndarray, width: int) -> np.ndarray:
    return np.pad(columns, ((0, width - len(columns)), (0, 0)))


def _overlay(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    colours = np.asarray([PAPER, ONLY_TRUTH, ONLY_PREDICTION, BOTH], np.uint8)
    return colours[truth.astype(int) + 2 * prediction]


def latex(truth: Sequence[str], prediction: Sequence[str]) -> str:
    """HTML of both formulas' tokens in one: <del> holds what was lost, <ins> what was added."""
    from rapidfuzz.distance import Levenshtein

    parts = []
    for run in Levenshtein.opcodes(list(truth), list(prediction)):
        lost = html.escape(" ".join(truth[run.src_start : run.src_end]))
        added = html.escape(" ".join(prediction[run.dest_start : run.dest_end]))
        if run.tag == "equal":
            parts.append(lost)
            continue
        if lost:
            parts.append(f"<del>{lost}</del>")
        if added:
            parts.append(f"<ins>{added}</ins>")
    return " ".join(parts)
