"""All figures of a recognizer's answers to pictures whose formulas are known.

Formulas are compared as tokens in their normal form, in their canonical form (which folds spellings
that draw the same, see `latex.canonical`), and as pictures (see `picture_metrics`).
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from im2latex_jax import images
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation import bootstrap, calibration, image_metrics, text_metrics
from im2latex_jax.evaluation.cases import Case, normal_tokens
from im2latex_jax.latex.canonical import canonicalize
from im2latex_jax.recognizer import Recognition
from im2latex_jax.rendering.tex.render import Rendered

# Lengths of the true formula, in tokens, up to which a bin goes.
LENGTH_BINS = (20, 40, 60, 90, 130)
NUM_CONFUSIONS = 40
# Figures that are not between 0 and 1.
UNBOUNDED = frozenset(("bleu", "token_edit_distance", "char_edit_distance"))


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """One answer beside the truth.

    Attributes:
      case: the picture and the true tokens.
      answer: what was read.
      prediction: its tokens in the normal form.
      canonical_prediction, canonical_truth: tokens in the canonical form.
      picture: how near the drawn prediction comes; None where the truth cannot be drawn, or nothing
        was drawn.
      drawn, drawn_truth: the pictures (PNG at 200 dpi), or why there is none; None where nothing
        was drawn.
    """

    case: Case
    answer: Recognition
    prediction: list[str]
    canonical_prediction: list[str]
    canonical_truth: list[str]
    picture: image_metrics.PictureScore | None = None
    drawn: Rendered | None = None
    drawn_truth: Rendered | None = None

    @property
    def exact(self) -> bool:
        """Whether every token is right in the normal form."""
        return self.prediction == self.case.truth

    @property
    def canonical(self) -> bool:
        """Whether every token is right in the canonical form."""
        return self.canonical_prediction == self.canonical_truth


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """Answers and the figures over them.

    Attributes:
      examples: in the order of the cases.
      figures: what `im2latex evaluate --json` prints:
        the names of `result.json` for the normal form;
        `canonical`, the same for the canonical form, and `canonical_exact_match`;
        `pictures`: see `PictureMetrics`; None where nothing was drawn;
        `intervals`: 95 % intervals, in the same layout;
        `by_length`: a list of the same, with `min_length` and `max_length` in true tokens;
        `calibration_error` and `calibration` (see `calibration.Bin`);
        `confusions`: see `metrics.Confusion`, in the canonical form;
        `num_unreadable`: pictures that could not be read, which count as wrong.
    """

    examples: list[Scored]
    figures: dict[str, Any]


def canonical_tokens(tokens: Sequence[str]) -> list[str]:
    """One spelling for all that draw the same picture; what cannot be parsed stays as it is."""
    try:
        return canonicalize(" ".join(tokens)).split(" ")
    except Im2latexError:
        return list(tokens)


def score(
    cases: Sequence[Case],
    answers: Sequence[Recognition],
    *,
    pictures: bool = True,
    jobs: int | None = None,
    seed: int = 0,
) -> Scores:
    """Compares answers with the truth.

    Args:
      cases: at least one.
      answers: one for each case.
      pictures: whether to draw the formulas and compare the pictures, which needs TeX.
      jobs: batches drawn at a time; by default the number of processor cores.
      seed: of the intervals' bootstrap.

    Raises:
      MissingProgramError: TeX is not installed, and pictures are wanted.
    """
    examples = [_scored(case, answer) for case, answer in zip(cases, answers, strict=True)]
    if pictures:
        examples = _draw(examples, jobs)
    return Scores(examples, _figures(examples, pictures, seed))


def _scored(case: Case, answer: Recognition) -> Scored:
    prediction = normal_tokens(answer.normal_form) if answer.normal_form else []
    return Scored(
        case, answer, prediction, canonical_tokens(prediction), canonical_tokens(case.truth)
    )


def _draw(examples: Sequence[Scored], jobs: int | None) -> list[Scored]:
    """The examples with their drawings, and those compared."""
    texts = [(" ".join(e.prediction), " ".join(e.case.truth)) for e in examples]
    drawn = image_metrics.draw([text for pair in texts for text in pair if text], jobs)
    nothing = Rendered(-1, None, "there is no formula")
    return [
        _compared(example, drawn.get(prediction, nothing), drawn.get(truth, nothing))
        for example, (prediction, truth) in zip(examples, texts, strict=True)
    ]


def _compared(example: Scored, drawn: Rendered, truth: Rendered) -> Scored:
    picture = None
    if truth.png is not None:
        mine = None if drawn.png is None else images.read(drawn.png)
        picture = image_metrics.compare(mine, images.read(truth.png))
    return dataclasses.replace(example, picture=picture, drawn=drawn, drawn_truth=truth)


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """A group of figures: what each example adds to them, and how sums become figures."""

    rows: np.ndarray
    figures: Callable[[np.ndarray, int], dict[str, float]]

    def all(self, chosen: np.ndarray) -> dict[str, float]:
        return self.figures(self.rows[chosen].sum(axis=0), int(chosen.sum()))

    def intervals(self, chosen: np.ndarray, seed: int) -> dict[str, list[float]]:
        found = bootstrap.intervals(self.rows[chosen], self.figures, seed)
        return {name: value for name, value in found.items() if name != "num_examples"}


def _text_figures(sums: np.ndarray, count: int) -> dict[str, float]:
    return dataclasses.asdict(text_metrics.from_sums(sums, count))


def _picture_figures(sums: np.ndarray, _: int) -> dict[str, float]:
    return dataclasses.asdict(image_metrics.from_sums(sums))


def _figures(examples: Sequence[Scored], pictures: bool, seed: int) -> dict[str, Any]:
    truths = [e.case.truth for e in examples]
    normal = _Part(text_metrics.rows([e.prediction for e in examples], truths), _text_figures)
    parts = {
        "canonical": _Part(
            text_metrics.rows(
                [e.canonical_prediction for e in examples], [e.canonical_truth for e in examples]
            ),
            _text_figures,
        )
    }
    if pictures:
        compiled = [e.drawn is not None and e.drawn.png is not None for e in examples]
        rows = image_metrics.rows([e.picture for e in examples], compiled)
        parts["pictures"] = _Part(rows, _picture_figures)
    tell = functools.partial(_tell, normal, parts, seed)
    everything = np.ones(len(examples), bool)
    figures = tell(everything)
    confidences = [e.answer.confidence for e in examples]
    right = [e.exact for e in examples]
    return {
        **figures,
        "canonical_exact_match": figures["canonical"]["exact_match"],
        "calibration_error": calibration.expected_calibration_error(confidences, right),
        "calibration": [dataclasses.asdict(b) for b in calibration.reliability(confidences, right)],
        "by_length": [
            {"min_length": low, "max_length": high, **tell(chosen)}
            for low, high, chosen in length_bins([len(truth) for truth in truths])
        ],
        "confusions": [
            dataclasses.asdict(confusion)
            for confusion in text_metrics.confusions(
                [e.canonical_prediction for e in examples],
                [e.canonical_truth for e in examples],
                NUM_CONFUSIONS,
            )
        ],
        "num_unreadable": sum(e.answer.error is not None for e in examples),
    }


def _tell(normal: _Part, parts: dict[str, _Part], seed: int, chosen: np.ndarray) -> dict[str, Any]:
    """All figures of the chosen examples, with their intervals."""
    return {
        **normal.all(chosen),
        "canonical": parts["canonical"].all(chosen),
        "pictures": parts["pictures"].all(chosen) if "pictures" in parts else None,
        "intervals": {
            **normal.intervals(chosen, seed),
            **{name: part.intervals(chosen, seed) for name, part in parts.items()},
        },
    }


def length_bins(lengths: Sequence[int]) -> list[tuple[int, int, np.ndarray]]:
    """The bins that hold any formula: least and greatest length, and who is in it, [N] bool."""
    sizes = np.asarray(lengths)
    edges = [*LENGTH_BINS, max(LENGTH_BINS[-1] + 1, int(sizes.max()))]
    start = min(0, int(sizes.min()) - 1)  # an empty formula belongs to the first bin
    bins = []
    for low, high in zip([start, *edges], edges, strict=False):
        chosen = (sizes > low) & (sizes <= high)
        if chosen.any():
            bins.append((low + 1, high, chosen))
    return bins


def table(figures: dict[str, Any]) -> str:
    """Figures as text of several lines, for people; shares and distances as in `--json`."""
    intervals, canonical = figures["intervals"], figures["canonical"]
    lines = [f"{'':<26}{'normal form':<30}canonical form"]
    for name in (field.name for field in dataclasses.fields(text_metrics.Metrics)):
        if name != "num_examples":
            mine = _with_interval(name, figures[name], intervals[name])
            folded = _with_interval(name, canonical[name], intervals["canonical"][name])
            lines.append(f"{name:<26}{mine:<30}{folded}".rstrip())
    if figures.get("loss") is not None:
        lines.append(f"{'loss':<26}{figures['loss']:.4f}")
    if figures["pictures"] is not None:
        lines += ["", f"{'':<26}drawn prediction and drawn truth"]
        for name, interval in intervals["pictures"].items():
            value = _with_interval(name, figures["pictures"][name], interval)
            lines.append(f"{name:<26}{value}")
        lines.append(f"{'pictures compared':<26}{figures['pictures']['num_examples']}")
    lines += ["", f"{'length in tokens':<26}examples    bleu  exact_match  canonical  same picture"]
    for part in figures["by_length"]:
        span = f"{part['min_length']} to {part['max_length']}"
        drawn = part["pictures"]
        same = "" if drawn is None else f"{drawn['exact_match']:>14.3f}"
        lines.append(
            f"{span:<26}{part['num_examples']:>8}{part['bleu']:>8.1f}{part['exact_match']:>13.3f}"
            f"{part['canonical']['exact_match']:>11.3f}{same}"
        )
    lines += ["", f"{'calibration_error':<26}{figures['calibration_error']:.4f}"]
    lines.append(f"{'num_unreadable':<26}{figures['num_unreadable']}")
    lines.append(f"{'num_examples':<26}{figures['num_examples']}")
    return "\n".join(lines)


def _with_interval(name: str, value: float, interval: Sequence[float]) -> str:
    digits = 2 if name in UNBOUNDED else 4
    low, high = (f"{end:.{digits}f}" for end in interval)
    return f"{value:.{digits}f} ({low} to {high})"
