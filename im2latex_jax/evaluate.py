"""How well a network reads a split: every picture decoded and compared with its formula."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from im2latex_jax import compilation, decoding, input_pipeline, metrics, train_state
from im2latex_jax.examples import Examples
from im2latex_jax.latex.vocabulary import PAD
from im2latex_jax.model.im2latex import Im2Latex

# Steps that decoding may go beyond the longest caption of a bucket before it is cut.
EXTRA_STEPS = 16


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A split's figures and the formulas behind them.

    Attributes:
      metrics: see `metrics.Metrics`.
      loss: mean cross-entropy of a token under teacher forcing.
      ids: numbers of the examples in their split; the lists below have the same order.
      predictions: decoded tokens.
      truths: true tokens.
      log_probs: the network's log-probability of each prediction.
    """

    metrics: metrics.Metrics
    loss: float
    ids: list[int]
    predictions: list[list[str]]
    truths: list[list[str]]
    log_probs: list[float]

    @property
    def correct(self) -> list[bool]:
        """Which predictions have every token right."""
        return [p == t for p, t in zip(self.predictions, self.truths, strict=True)]

    def figures(self) -> dict[str, float]:
        """All figures by the names of `result.json`."""
        return {**dataclasses.asdict(self.metrics), "loss": self.loss}


def make_eval_step(model: Im2Latex):
    """The jitted step: (params, batch) to (loss of all tokens, their number, ids, log-probs)."""

    @compilation.jit
    def eval_step(params, batch):
        inputs, targets = batch["tokens"][:, :-1], batch["tokens"][:, 1:]
        logits, _ = model.apply({"params": params}, batch["images"], batch["sizes"], inputs)
        loss = train_state.token_loss(logits, targets).sum()
        decoded, log_probs = decoding.greedy(
            model, params, batch["images"], batch["sizes"], targets.shape[1] + EXTRA_STEPS
        )
        return loss, (targets != PAD).sum(), decoded, log_probs.sum(axis=1)

    return eval_step


def evaluate(
    eval_step,
    params,
    examples: Examples,
    buckets: Sequence[input_pipeline.Bucket],
    batch_size: int,
    limit: int | None = None,
) -> Evaluation:
    """Evaluates a split, or `limit` examples spread over it, with a step of `make_eval_step`."""
    assignment = examples.assign(buckets)
    kept = np.flatnonzero(assignment >= 0)
    if limit is not None and len(kept) > limit:
        chosen = kept[np.linspace(0, len(kept) - 1, limit).astype(int)]
        assignment = np.where(np.isin(np.arange(len(assignment)), chosen), assignment, -1)
    plan = input_pipeline.EvaluationPlan(buckets, assignment, batch_size)
    loss, count = 0.0, 0
    ids: list[int] = []
    predictions: list[list[str]] = []
    log_probs: list[float] = []
    for batch in input_pipeline.batches(input_pipeline.BatchSource(plan, examples.load)):
        batch_loss, batch_count, decoded, row_log_probs = jax.device_get(eval_step(params, batch))
        loss += float(batch_loss)
        count += int(batch_count)
        for number, row, log_prob in zip(batch["ids"], decoded, row_log_probs, strict=True):
            if number >= 0:
                ids.append(int(number))
                predictions.append(examples.vocabulary.decode(row))
                log_probs.append(float(log_prob))
    truths = [examples.formula(number) for number in ids]
    figures = metrics.compare(predictions, truths)
    return Evaluation(figures, loss / count, ids, predictions, truths, log_probs)
