"""How near predicted formulas come to the true ones. Formulas are lists of tokens."""

import dataclasses
from collections.abc import Sequence

Tokens = Sequence[str]


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


def compare(predictions: Sequence[Tokens], truths: Sequence[Tokens]) -> Metrics:
    """Compares predictions with the truths at the same places.

    Raises:
      ValueError: if the two are not of one length, or empty.
    """
    import sacrebleu
    from rapidfuzz.distance import Levenshtein

    if len(predictions) != len(truths) or not truths:
        raise ValueError(f"{len(predictions)} predictions for {len(truths)} formulas")
    pairs = [(list(p), list(t)) for p, t in zip(predictions, truths, strict=True)]
    text = [(" ".join(p), " ".join(t)) for p, t in pairs]
    bleu = sacrebleu.corpus_bleu(
        [p for p, _ in text], [[t for _, t in text]], tokenize="none", force=True
    )

    def mean(values) -> float:
        return sum(values) / len(pairs)

    return Metrics(
        bleu=bleu.score,
        exact_match=mean([p == t for p, t in pairs]),
        token_edit_distance=mean([Levenshtein.distance(p, t) for p, t in pairs]),
        char_edit_distance=mean([Levenshtein.distance(p, t) for p, t in text]),
        normalized_edit_distance=mean([Levenshtein.normalized_distance(p, t) for p, t in pairs]),
        num_examples=len(pairs),
    )
