"""A training run: builds the data, trains, evaluates, saves, and resumes by itself.

`run(config, workdir)` is all of it. A run is a function of its configuration: which batch comes at
which step, the random keys and the first parameters all follow from the seed, so a run stopped
anywhere and started again ends with the parameters of one left alone.
"""

import contextlib
import dataclasses
import json
import math
import os
import pathlib
import signal
import time
from collections.abc import Iterator

import jax
import numpy as np
from ml_collections import ConfigDict

from im2latex_jax import (
    augmentation,
    calibration,
    datasets,
    evaluate,
    examples,
    folders,
    input_pipeline,
    logs,
    model_files,
    optimizer,
    plots,
    provenance,
    train_state,
)
from im2latex_jax.checkpoints import Checkpoints, Progress
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.vocabulary import Vocabulary
from im2latex_jax.model import im2latex

# Keys that change how a run is watched or fed, not what it computes: free to change on resuming.
FREE_KEYS = ("log_every", "num_threads", "num_workers", "quiet", "keep_checkpoints", "num_samples")


class Interrupted(Exception):
    """A signal stopped the run; everything is saved."""


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything a run computes with, made from its configuration alone.

    Attributes:
      config: see `experiments/configs/default.py`.
      train, validation, test: the splits.
      buckets: shapes of the training batches.
      eval_buckets: shapes of the evaluation's batches.
      plan: which examples make which batch.
      vocabulary: of the training captions.
      model: the network.
      optimizer: optax's.
    """

    config: ConfigDict
    train: examples.Examples
    validation: examples.Examples
    test: examples.Examples
    buckets: list[input_pipeline.Bucket]
    eval_buckets: list[input_pipeline.Bucket]
    plan: input_pipeline.TrainingPlan
    vocabulary: Vocabulary
    model: im2latex.Im2Latex
    optimizer: object

    def initial_state(self) -> train_state.TrainState:
        """The state before the first step."""
        return train_state.create(
            self.model,
            self.optimizer,
            self.config.seed,
            averaging=self.config.optimizer.ema_decay > 0,
        )


def set_up(config: ConfigDict, splits=None) -> Experiment:
    """Builds or opens the data and assembles what a run computes with.

    Args:
      config: see `experiments/configs/default.py`.
      splits: `train`, `validation` and `test`, instead of the data set that the config names.

    Raises:
      Im2latexError: if the data or the configuration cannot be used.
    """
    if splits is None:
        data_dir = config.dataset.data_dir or folders.cache() / "datasets"
        splits = datasets.load(config.dataset.name, data_dir, **config.dataset.options)
    for name in ("train", "validation", "test"):
        if not len(splits[name]):
            raise Im2latexError(f"data set {config.dataset.name}: split {name!r} is empty")
    vocabulary = Vocabulary.build(
        (formula.split() for formula in splits["train"].formulas),
        min_count=config.dataset.min_token_count,
    )
    train = examples.prepare(
        splits["train"],
        vocabulary,
        config.limits,
        augmentation.Settings(**config.augmentation),
        config.seed,
    )
    validation = examples.prepare(splits["validation"], vocabulary, config.limits)
    test = examples.prepare(splits["test"], vocabulary, config.limits)
    buckets = _plan_buckets(config, config.num_buckets, train)
    eval_buckets = _plan_buckets(config, config.num_eval_buckets, validation, test, train)
    plan = input_pipeline.TrainingPlan(
        buckets=buckets,
        assignment=train.assign(buckets),
        lengths=train.sizes.lengths,
        batch_size=config.batch_size,
        num_epochs=config.num_epochs,
        seed=config.seed,
        curriculum=input_pipeline.Curriculum(tuple(config.curriculum_lengths)),
    )
    model = im2latex.build(config.model, len(vocabulary))
    return Experiment(
        config, train, validation, test, buckets, eval_buckets, plan, vocabulary, model,
        optimizer.build(config.optimizer, len(plan)),
    )  # fmt: skip


def _plan_buckets(config: ConfigDict, count: int, *splits) -> list[input_pipeline.Bucket]:
    """At most `count` buckets that hold all examples of the splits."""
    multiples = (*np.maximum((16, 32), np.prod(config.model.strides, axis=0)).tolist(), 8)
    shapes = np.concatenate([split.sizes.stack()[split.kept] for split in splits])
    return input_pipeline.plan_buckets(input_pipeline.Sizes(*shapes.T), count, multiples)


def run(config: ConfigDict, workdir: pathlib.Path) -> dict:
    """Trains, or resumes, and evaluates in `workdir`; returns what `result.json` holds.

    Raises:
      Im2latexError: if the configuration, the data or the work directory cannot be used; nothing in
        the work directory is changed then.
      Interrupted: after SIGTERM or Ctrl-C, everything saved.
    """
    _check_workdir(config, workdir)
    experiment = set_up(config)
    workdir.mkdir(parents=True, exist_ok=True)
    provenance.write(workdir, config, experiment.train.fingerprint())
    eval_step = evaluate.make_eval_step(experiment.model)
    with Checkpoints(workdir / "checkpoints", config.keep_checkpoints) as checkpoints:
        state, progress = experiment.initial_state(), Progress()
        if checkpoints.latest is not None:
            state, progress = checkpoints.restore(state, checkpoints.latest)
        state, progress = _train(experiment, workdir, checkpoints, eval_step, state, progress)
        best = checkpoints.best
        if best is not None and best[0] != int(state.step):
            state, _ = checkpoints.restore(state, best[0])
    return _finish(experiment, workdir, eval_step, state, progress)


def _train(experiment, workdir, checkpoints, eval_step, state, progress):
    """Steps from `progress` to the end of the plan; saves and evaluates on the way."""
    config, plan = experiment.config, experiment.plan
    train_step = train_state.make_train_step(
        experiment.model,
        experiment.optimizer,
        label_smoothing=config.label_smoothing,
        counting_weight=config.counting_weight,
        ema_decay=config.optimizer.ema_decay,
    )
    num_steps = len(plan)
    step = progress.next_batch
    source = input_pipeline.BatchSource(plan, experiment.train.load, start=step)
    rate = optimizer.learning_rate(config.optimizer, num_steps)
    best_bleu = checkpoints.best[1] if checkpoints.best else -math.inf
    pending: list[tuple[int, np.ndarray, dict]] = []  # metrics still on the device
    before, started = progress, time.perf_counter()

    def progress_now() -> Progress:
        done = step - before.next_batch
        return Progress(
            next_batch=step,
            train_seconds=before.train_seconds + time.perf_counter() - started,
            examples=before.examples + done * config.batch_size,
        )

    with (
        logs.Logs(workdir, first_step=step, num_steps=num_steps, quiet=config.quiet) as log,
        _signals() as stop,
    ):
        if step == 0:
            share = input_pipeline.padding_share(
                experiment.buckets, plan.assignment, experiment.train.sizes
            )
            log.say(_describe(experiment, state, share))
        elif step < num_steps:
            log.say(f"resuming at step {step} of {num_steps}")
        window = time.perf_counter()
        for batch in input_pipeline.batches(
            source, num_threads=config.num_threads, num_workers=config.num_workers
        ):
            ids = batch.pop("ids")
            state, metrics = train_step(state, batch)
            step += 1
            pending.append((step, ids, metrics))
            log.step(step)
            evaluating = step % config.eval_every == 0 or step == num_steps
            saving = step % config.checkpoint_every == 0 or bool(stop)
            if evaluating or saving or step % config.log_every == 0:
                figures = _mean_metrics(pending)
                now = time.perf_counter()
                figures["learning_rate"] = float(rate(step - 1))
                figures["epoch"] = plan.epoch_of(step - 1) + 1
                figures["examples_per_second"] = len(pending) * config.batch_size / (now - window)
                pending.clear()
                log.write(step, "train", figures)
                window = now
            if evaluating:
                evaluation = evaluate.evaluate(
                    eval_step,
                    state.best_params,
                    experiment.validation,
                    experiment.eval_buckets,
                    config.eval_batch_size,
                    config.eval_examples,
                )
                figures = evaluation.figures()
                log.write(step, "validation", figures)
                progress = progress_now()
                checkpoints.save(state, progress, figures)
                if figures["bleu"] > best_bleu:
                    best_bleu = figures["bleu"]
                    _export(experiment, workdir, state, evaluation)
                plots.loss(logs.read(workdir / "metrics.jsonl"), workdir / "loss.png")
                window = time.perf_counter()
            elif saving:
                progress = progress_now()
                checkpoints.save(state, progress)
            if stop:
                checkpoints.wait()
                raise Interrupted(
                    f"stopped at step {step} of {num_steps}, everything is saved: "
                    "the same command goes on from here"
                )
        checkpoints.wait()
    return state, progress


def _finish(experiment, workdir, eval_step, state, progress) -> dict:
    """Calibrates and exports the best parameters, evaluates them on the test split.

    Writes samples.png and result.json.
    """
    config = experiment.config

    def evaluated(split, limit=None):
        return evaluate.evaluate(
            eval_step,
            state.best_params,
            split,
            experiment.eval_buckets,
            config.eval_batch_size,
            limit,
        )

    temperature = _export(experiment, workdir, state, evaluated(experiment.validation))
    evaluation = evaluated(experiment.test)
    confidences = [calibration.confidence(x, temperature) for x in evaluation.log_probs]
    rows = [
        (experiment.test.load(number)[0], " ".join(truth), " ".join(prediction))
        for number, truth, prediction in list(
            zip(evaluation.ids, evaluation.truths, evaluation.predictions, strict=True)
        )[:: max(1, len(evaluation.ids) // config.num_samples)][: config.num_samples]
    ]
    title = (
        f"Test split: BLEU {evaluation.metrics.bleu:.1f}, "
        f"exact match {evaluation.metrics.exact_match:.3f} "
        "(black: true formula; below it, green where right: what the network reads)"
    )
    plots.samples(rows, workdir / "samples.png", title)
    result = {
        **evaluation.figures(),
        "calibration_error": calibration.expected_calibration_error(
            confidences, evaluation.correct
        ),
        "train_seconds": progress.train_seconds,
        "examples_per_second": progress.examples / max(progress.train_seconds, 1e-9),
        "num_parameters": _num_parameters(state),
        "seed": config.seed,
        "step": int(state.step),
    }
    if config.eval_train_examples:
        plain = dataclasses.replace(experiment.train, settings=augmentation.OFF)
        result["train"] = evaluated(plain, config.eval_train_examples).figures()
    part = workdir / "result.json.part"
    part.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    os.replace(part, workdir / "result.json")
    return result


def _export(
    experiment: Experiment, workdir: pathlib.Path, state, validation: evaluate.Evaluation
) -> float:
    """Writes the model with a temperature fitted on a validation; returns the temperature."""
    fit = calibration.calibrate(validation.log_probs, validation.correct)
    trained = model_files.TrainedModel(
        experiment.model,
        experiment.config.model,
        jax.device_get(state.best_params),
        experiment.vocabulary,
        tuple(sorted({*experiment.buckets, *experiment.eval_buckets})),
        fit.temperature,
        experiment.train.writing_scale(),
    )
    model_files.save(workdir / "model", trained)
    return fit.temperature


def _mean_metrics(pending) -> dict[str, float]:
    """Means over the steps since the last log.

    Raises:
      Im2latexError: if a loss is not finite; names the step and the examples.
    """
    fetched = jax.device_get([metrics for _, _, metrics in pending])
    for (step, ids, _), metrics in zip(pending, fetched, strict=True):
        if not np.isfinite(metrics["loss"] + metrics["gradient_norm"]):
            raise Im2latexError(
                f"the loss is {metrics['loss']}, the gradient's norm {metrics['gradient_norm']} at "
                f"step {step} (training examples "
                f"{', '.join(map(str, ids))}); the last checkpoint is good: lower "
                "--config.optimizer.learning_rate or set --config.optimizer.clip_norm"
            )
    return {name: float(np.mean([m[name] for m in fetched])) for name in fetched[0]}


def _check_workdir(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Refuses a work directory that holds a run of another configuration."""
    saved_path = workdir / "config.json"
    if not saved_path.exists():
        if (workdir / "checkpoints").exists():
            raise Im2latexError(
                f"{workdir} holds checkpoints but no config.json: use another --workdir"
            )
        return
    try:
        saved = _flat(json.loads(saved_path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise Im2latexError(f"{saved_path} is damaged ({error}): use another --workdir") from error
    mine = _flat(json.loads(config.to_json()))
    for key in sorted(saved.keys() | mine.keys()):
        if key not in FREE_KEYS and saved.get(key) != mine.get(key):
            raise Im2latexError(
                f"{workdir} holds a run with another configuration: config.{key} was "
                f"{saved.get(key)!r} and is now {mine.get(key)!r}: use another --workdir, or the "
                "configuration it began with"
            )


def _flat(tree: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _num_parameters(state) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(state.params))


def _describe(experiment: Experiment, state, padding: float) -> str:
    train = experiment.train
    shapes = ", ".join(f"{b.height}x{b.width}/{b.length}" for b in experiment.buckets)
    return (
        f"{int(train.kept.sum())} training examples ({int((~train.kept).sum())} over the limits), "
        f"{len(experiment.vocabulary)} tokens, {_num_parameters(state):,} parameters\n"
        f"buckets (height x width / steps): {shapes}; {padding:.0%} of a batch is padding\n"
        f"{len(experiment.plan)} steps of {experiment.config.batch_size} examples, "
        f"on {jax.devices()[0].device_kind}"
    )


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that is non-empty once SIGTERM or Ctrl-C has come; a second Ctrl-C acts at once."""
    received: list[int] = []

    def note(number, _frame):
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        before = {s: signal.signal(s, note) for s in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread: whoever is there looks after signals
        before = {}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
