"""How well a network reads a split: every picture decoded and compared with its formula."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from im2latex_jax import input_pipeline
from im2latex_jax.decoding import search
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation import text_metrics
from im2latex_jax.input_pipeline.examples import Examples
from im2latex_jax.latex.vocabulary import PAD
from im2latex_jax.model.im2latex import Im2Latex
from im2latex_jax.runtime import compilation, sharding
from im2latex_jax.training import state as train_state

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

    metrics: text_metrics.Metrics
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


def make_eval_step(model: Im2Latex, layout: sharding.Layout = sharding.ONE_DEVICE):
    """The jitted step: (params, batch) to what `evaluate` needs, whole on every device.

    That is the loss of all tokens, their number, the decoded tokens [B, T], their log-probability
    [B], and the batch's ids [B].
    """

    @compilation.jit
    def eval_step(params, batch):
        params = layout.whole(params)
        inputs, targets = batch["tokens"][:, :-1], batch["tokens"][:, 1:]
        logits, _ = model.apply({"params": params}, batch["images"], batch["sizes"], inputs)
        loss = train_state.token_loss(logits, targets).sum()
        decoded, log_probs = search.greedy(
            model, params, batch["images"], batch["sizes"], targets.shape[1] + EXTRA_STEPS
        )
        return layout.whole(
            (loss, (targets != PAD).sum(), decoded, log_probs.sum(axis=1), batch["ids"])
        )

    return eval_step


def evaluate(
    eval_step,
    params,
    examples: Examples,
    buckets: Sequence[input_pipeline.Bucket],
    batch_size: int,
    limit: int | None = None,
    layout: sharding.Layout = sharding.ONE_DEVICE,
    num_threads: int = 2,
) -> Evaluation:
    """Evaluates a split, or `limit` examples spread over it, with a step of `make_eval_step`.

    Of several processes each loads its rows of a batch, and all get the same evaluation. The batch
    size is rounded up to a multiple of the devices.

    Raises:
      Im2latexError: every record is damaged.
    """
    assignment = examples.assign(buckets)
    kept = np.flatnonzero(assignment >= 0)
    if limit is not None and len(kept) > limit:
        chosen = kept[np.linspace(0, len(kept) - 1, limit).astype(int)]
        assignment = np.where(np.isin(np.arange(len(assignment)), chosen), assignment, -1)
    plan = input_pipeline.EvaluationPlan(buckets, assignment, layout.round_up(batch_size))
    source = input_pipeline.BatchSource(
        plan, examples.load, host=jax.process_index(), num_hosts=jax.process_count()
    )
    loss, count = 0.0, 0
    ids: list[int] = []
    predictions: list[list[str]] = []
    log_probs: list[float] = []
    for batch in input_pipeline.iterate(source, num_threads=num_threads):
        batch_loss, batch_count, decoded, row_log_probs, batch_ids = jax.device_get(
            eval_step(params, layout.put_batch(batch))
        )
        loss += float(batch_loss)
        count += int(batch_count)
        for number, row, log_prob in zip(batch_ids, decoded, row_log_probs, strict=True):
            if number >= 0:
                ids.append(int(number))
                predictions.append(examples.vocabulary.decode(row))
                log_probs.append(float(log_prob))
    if not count:
        raise Im2latexError(
            f"no record of split {examples.split.name!r} can be read: build the data set again"
        )
    truths = [examples.formula(number) for number in ids]
    figures = text_metrics.compare(predictions, truths)
    return Evaluation(figures, loss / count, ids, predictions, truths, log_probs)
