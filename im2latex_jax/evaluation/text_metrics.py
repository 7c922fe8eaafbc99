"""How near predicted formulas come to the true ones. Formulas are lists of tokens."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

Tokens = Sequence[str]

_ORDER = 4  # of the longest n-grams of BLEU
# Columns of `rows`: four figures of the formula, and what BLEU is made of.
_NUM_MEANS = 4
_MATCHES = slice(_NUM_MEANS, _NUM_MEANS + _ORDER)
_NGRAMS = slice(_MATCHES.stop, _MATCHES.stop + _ORDER)
_LENGTHS = slice(_NGRAMS.stop, _NGRAMS.stop + 2)


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Figures over a set of formulas; the names are those of `result.json`.

    Attributes:
      bleu: corpus BLEU-4 over tokens, 0 to 100 (sacrebleu, its tokenization off).
      exact_match: share of formulas with every token right, 0 to 1.
      token_edit_distance: mean Levenshtein distance of a formula, in tokens.
      char_edit_distance: the same in characters of the tokens joined by spaces.
      normalized_edit_distance: mean of the token distance over the longer formula's length, 0 to 1.
      num_examples: formulas compared.
    """

    bleu: float
    exact_match: float
    token_edit_distance: float
    char_edit_distance: float
    normalized_edit_distance: float
    num_examples: int


@dataclasses.dataclass(frozen=True)
class Confusion:
    """A token taken for another: `truth` is empty where one was added, `prediction` where lost."""

    truth: str
    prediction: str
    count: int


def compare(predictions: Sequence[Tokens], truths: Sequence[Tokens]) -> Metrics:
    """Compares predictions with the truths at the same places.

    Raises:
      ValueError: if the two are not of one length, or empty.
    """
    values = rows(predictions, truths)
    return from_sums(values.sum(axis=0), len(values))


def rows(predictions: Sequence[Tokens], truths: Sequence[Tokens]) -> np.ndarray:
    """What each formula adds to the sums of `from_sums`: float64 [formulas, columns].

    Raises:
      ValueError: if the two are not of one length, or empty.
    """
    from rapidfuzz.distance import Levenshtein
    from sacrebleu.metrics import BLEU

    if len(predictions) != len(truths) or not truths:
        raise ValueError(f"{len(predictions)} predictions for {len(truths)} formulas")
    bleu = BLEU(tokenize="none", force=True, effective_order=True)
    values = []
    for prediction, truth in zip(map(list, predictions), map(list, truths), strict=True):
        texts = " ".join(prediction), " ".join(truth)
        ngrams = bleu.sentence_score(texts[0], [texts[1]])
        values.append(
            [
                prediction == truth,
                Levenshtein.distance(prediction, truth),
                Levenshtein.distance(*texts),
                Levenshtein.normalized_distance(prediction, truth),
                *ngrams.counts,
                *ngrams.totals,
                ngrams.sys_len,
                ngrams.ref_len,
            ]
        )
    return np.asarray(values, float)


def from_sums(sums: np.ndarray, count: int) -> Metrics:
    """The figures of `count` formulas from the sums over their `rows`, [columns]."""
    from sacrebleu.metrics import BLEU

    hypothesis_length, reference_length = sums[_LENGTHS].astype(int).tolist()
    bleu = BLEU.compute_bleu(
        sums[_MATCHES].astype(int).tolist(),
        sums[_NGRAMS].astype(int).tolist(),
        hypothesis_length,
        reference_length,
        smooth_method="exp",
    )
    exact, token, char, normalized = (sums[:_NUM_MEANS] / count).tolist()
    return Metrics(bleu.score, exact, token, char, normalized, count)


def confusions(
    predictions: Iterable[Tokens], truths: Iterable[Tokens], limit: int | None = None
) -> list[Confusion]:
    """What shortest edits from truth to prediction change, the most frequent first."""
    from rapidfuzz.distance import Levenshtein

    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for prediction, truth in zip(map(list, predictions), map(list, truths), strict=True):
        for edit in Levenshtein.editops(truth, prediction):
            lost = truth[edit.src_pos] if edit.tag != "insert" else ""
            added = prediction[edit.dest_pos] if edit.tag != "delete" else ""
            counts[lost, added] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Confusion(*pair, count) for pair, count in ordered[:limit]]
