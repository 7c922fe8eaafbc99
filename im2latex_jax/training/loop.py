"""The loop of a training run: steps, logs, evaluations, checkpoints; ready to be stopped anywhere.

What happens at which step follows from the configuration alone. A checkpoint holds everything that
the next step depends on, and is written after the evaluation of its step: a run that is killed goes
on from its newest checkpoint and does again, to the same bytes, what it had done after it.
"""

import math
import pathlib
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np

from im2latex_jax import input_pipeline
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation import calibration
from im2latex_jax.model import saved_model
from im2latex_jax.runtime import compilation, multihost, sharding
from im2latex_jax.runtime.preemption import Interrupted, Signals
from im2latex_jax.runtime.programs import Programs
from im2latex_jax.training import fingerprints, init_from, metrics_log, optimizer, plots
from im2latex_jax.training import validation as evaluate
from im2latex_jax.training.checkpoints import Checkpoints, Progress
from im2latex_jax.training.experiment import Experiment
from im2latex_jax.training.state import TrainState

# Gets each line of exact.jsonl as it is written.
Watch = Callable[[dict], None]


class TrainLoop:
    """Steps from a progress to the end of the plan.

    Attributes:
      state: after the last step.
      step: steps done.
    """

    def __init__(
        self,
        experiment: Experiment,
        workdir: pathlib.Path,
        checkpoints: Checkpoints,
        train_step: Programs,
        eval_step: Programs,
        signals: Signals,
        watch: Watch | None = None,
    ):
        """Takes what a run computes with, where it saves, and whom it listens to."""
        self._experiment = experiment
        self._config = experiment.config
        self._workdir = workdir
        self._checkpoints = checkpoints
        self._train_step = train_step
        self._eval_step = eval_step
        self._signals = signals
        self._watch = watch
        self._num_steps = len(experiment.plan)
        self._rate = optimizer.learning_rate(experiment.config.optimizer, self._num_steps)
        # Of the steps since the last log: step, ids of the batch, metrics still on the device.
        self._pending: list[tuple[int, np.ndarray, dict]] = []

    def run(self, state: TrainState, progress: Progress, remarks: Sequence[str] = ()) -> Progress:
        """Runs to the end and returns the progress there; the remarks are said first.

        Raises:
          Interrupted: after a signal, everything saved.
          Im2latexError: a loss is not finite.
        """
        self.state, self.step = state, progress.next_batch
        self._before = progress
        self._examples = progress.examples
        self._saved_progress = progress
        self._saved = self._checkpoints.latest is not None  # the state after this very step
        self._best_bleu = self._checkpoints.best[1] if self._checkpoints.best else -math.inf
        self._started = self._window = time.perf_counter()
        owes_evaluation = self._evaluation_due() and not self._checkpoints.evaluated(self.step)
        with self._open_log(evaluated=not owes_evaluation) as log, self._signals.deferred():
            self._log = log
            self._announce(remarks)
            try:
                if owes_evaluation:  # the run was stopped in its midst
                    self._evaluate()
                for batch in self._batches():
                    self._take_step(batch)
            except Interrupted:
                self._save_interrupted()
                multihost.part()
                raise Interrupted(
                    f"stopped at step {self.step} of {self._num_steps}, everything is saved: "
                    "the same command goes on from here"
                ) from None
            self._checkpoints.wait()
        return self._saved_progress

    def _open_log(self, *, evaluated: bool) -> metrics_log.Logs | metrics_log.NoLogs:
        if not multihost.is_first():
            return metrics_log.NoLogs()
        return metrics_log.Logs(
            self._workdir,
            first_step=self.step,
            num_steps=self._num_steps,
            quiet=self._config.quiet,
            evaluated=evaluated,
        )

    def _announce(self, remarks: Sequence[str]) -> None:
        for remark in remarks:
            self._log.say(remark)
        if self.step == 0:
            self._log.say(describe(self._experiment, self.state))
        elif self.step < self._num_steps:
            self._log.say(f"resuming at step {self.step} of {self._num_steps}")

    def _batches(self):
        source = input_pipeline.BatchSource(
            self._experiment.plan,
            self._experiment.train.load,
            start=self.step,
            host=jax.process_index(),
            num_hosts=jax.process_count(),
        )
        return input_pipeline.iterate(
            source, num_threads=self._config.num_threads, num_workers=self._config.num_workers
        )

    @property
    def _progress(self) -> Progress:
        return Progress(
            next_batch=self.step,
            train_seconds=self._before.train_seconds + time.perf_counter() - self._started,
            examples=self._examples,
        )

    def _evaluation_due(self) -> bool:
        at_end = self.step == self._num_steps
        return self.step > 0 and (at_end or self.step % self._config.eval_every == 0)

    def _take_step(self, batch: input_pipeline.Batch) -> None:
        """One step and what is due after it."""
        ids = batch.pop("ids")
        self.state, metrics = self._train_step(self.state, self._experiment.layout.put_batch(batch))
        _, batch_ids = self._experiment.plan[self.step]  # of all processes
        self._examples += int((batch_ids >= 0).sum())
        self.step += 1
        self._saved = False
        self._pending.append((self.step, batch_ids, metrics))
        self._log.step(self.step)
        if (ids < -1).any():
            self._experiment.train.split.corrupt.update((-2 - ids[ids < -1]).tolist())
        evaluating = self._evaluation_due()
        saving = self.step % self._config.checkpoint_every == 0
        if evaluating or saving or self.step % self._config.log_every == 0:
            self._log_figures()
        if evaluating:
            self._evaluate()
        elif saving:
            self._save()

    def _log_figures(self) -> None:
        """Logs the means over the steps since the last time."""
        metrics = _fetch(self._pending)
        figures = {name: float(np.mean([m[name] for m in metrics])) for name in metrics[0]}
        now = time.perf_counter()
        figures["learning_rate"] = float(self._rate(self.step - 1))
        figures["epoch"] = self._experiment.plan.epoch_of(self.step - 1) + 1
        examples = sum(int((ids >= 0).sum()) for _, ids, _ in self._pending)
        figures["examples_per_second"] = examples / (now - self._window)
        self._log.write(self.step, "train", figures)
        exact = self._log.write_exact(
            self.step, [m["loss"] for m in metrics], fingerprints.of_tree(self.state.params)
        )
        self._pending.clear()
        self._window = now
        if self._watch:
            self._watch(exact)

    def _evaluate(self) -> None:
        """Evaluates on the validation split, saves, and exports the best model so far."""
        evaluation = evaluate.evaluate(
            self._eval_step,
            self.state.best_params,
            self._experiment.validation,
            self._experiment.eval_buckets,
            self._config.eval_batch_size,
            self._config.eval_examples,
            self._experiment.layout,
            num_threads=self._config.num_threads,
        )
        figures = evaluation.figures()
        self._log.write(self.step, "validation", figures)
        self._save(figures)
        if figures["bleu"] > self._best_bleu:
            self._best_bleu = figures["bleu"]
            export(self._experiment, self._workdir, self.state, evaluation)
        if multihost.is_first():
            plots.loss(
                metrics_log.read(self._workdir / metrics_log.METRICS), self._workdir / "loss.png"
            )
        self._window = time.perf_counter()

    def _save(self, figures: dict[str, float] | None = None) -> None:
        self._saved_progress = self._progress
        self._log.sync()  # a checkpoint without the lines before it would leave a hole
        self._checkpoints.save(self.state, self._saved_progress, figures)
        self._saved = True

    def _save_interrupted(self) -> None:
        if self._pending:
            self._log_figures()
        if not self._saved:
            self._save()
        self._checkpoints.wait()


def _fetch(pending: list[tuple[int, np.ndarray, dict]]) -> list[dict]:
    """The metrics of steps, on the host.

    Raises:
      Im2latexError: if a loss is not finite; names the step and the examples.
    """
    fetched = jax.device_get([metrics for _, _, metrics in pending])
    for (step, ids, _), metrics in zip(pending, fetched, strict=True):
        if not np.isfinite(metrics["loss"] + metrics["gradient_norm"]):
            raise Im2latexError(
                f"the loss is {metrics['loss']}, the gradient's norm {metrics['gradient_norm']} at "
                f"step {step} (training examples {', '.join(map(str, ids[ids >= 0]))}); the "
                "checkpoints before it are good: lower --config.optimizer.learning_rate or set "
                "--config.optimizer.clip_norm, with another --workdir"
            )
    return fetched


def export(
    experiment: Experiment,
    workdir: pathlib.Path,
    state: TrainState,
    validation: evaluate.Evaluation,
) -> float:
    """Writes the model with a temperature fitted on a validation; returns the temperature.

    Of several processes all call it, and the first one writes.
    """
    fit = calibration.calibrate(validation.log_probs, validation.correct)
    params = sharding.fetch(state.best_params)
    if not multihost.is_first():
        return fit.temperature
    # Few shapes, which hold all examples: each is a program that recognition compiles. What the
    # model could read before it was fine-tuned may be larger.
    known = experiment.initial.buckets if experiment.initial else ()
    trained = saved_model.TrainedModel(
        experiment.model,
        experiment.config.model,
        params,
        experiment.vocabulary,
        init_from.merge_buckets(known, experiment.eval_buckets),
        fit.temperature,
        experiment.train.writing_scale(),
        experiment.trained_on,
    )
    saved_model.save(workdir / "model", trained)
    return fit.temperature


def num_parameters(state: TrainState) -> int:
    """Numbers in the network's parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(state.params))


def describe(experiment: Experiment, state: TrainState) -> str:
    """What is trained on what, in three lines."""
    train = experiment.train
    useful = experiment.useful_work_share()
    shapes = ", ".join(f"{b.height}x{b.width}/{b.length}" for b in experiment.buckets)
    return (
        f"{int(train.kept.sum())} training examples ({int((~train.kept).sum())} left out), "
        f"{len(experiment.vocabulary)} tokens, {num_parameters(state):,} parameters\n"
        f"buckets (height x width / steps): {shapes}\n"
        f"{useful:.0%} of the work is useful, the rest is padding\n"
        f"{len(experiment.plan)} steps of {experiment.config.batch_size} examples, "
        f"on {_devices()}, {experiment.config.model.dtype}, XLA's options: "
        f"{compilation.options_name()}"
    )


def _devices() -> str:
    count, kind = jax.device_count(), jax.devices()[0].device_kind
    if count == 1:
        return kind
    where = f" of {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return f"{count} devices{where} ({kind})"
