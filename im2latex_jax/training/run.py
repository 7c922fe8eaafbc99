"""A training run: builds the data, trains, evaluates, saves, and resumes by itself.

`run(config, workdir)` is all of it. A run is a function of its configuration: which batch comes at
which step, the random keys and the first parameters all follow from the seed, so a run stopped
anywhere and started again ends with the parameters of one left alone.
"""

import contextlib
import dataclasses
import json
import pathlib
import sys
from typing import Any

import jax
from ml_collections import ConfigDict

from im2latex_jax import input_pipeline
from im2latex_jax.decoding import confidence
from im2latex_jax.errors import Im2latexError
from im2latex_jax.evaluation import calibration
from im2latex_jax.input_pipeline import augmentation, examples
from im2latex_jax.runtime import (
    compilation,
    disk_errors,
    files,
    multihost,
    preemption,
)
from im2latex_jax.runtime.preemption import Interrupted as Interrupted
from im2latex_jax.runtime.programs import Programs
from im2latex_jax.training import (
    fingerprints,
    init_from,
    memory,
    plots,
    provenance,
    run_lock,
)
from im2latex_jax.training import loop as train_loop
from im2latex_jax.training import validation as evaluate
from im2latex_jax.training.checkpoints import CheckpointError, Checkpoints, Progress
from im2latex_jax.training.experiment import Experiment, set_up
from im2latex_jax.training.state import TrainState


def run(
    config: ConfigDict, workdir: pathlib.Path, watch: train_loop.Watch | None = None
) -> dict[str, Any]:
    """Trains, or resumes, and evaluates in `workdir`; returns what `result.json` holds.

    Args:
      config: see `im2latex_jax/config.py`.
      workdir: folder of the run, made if missing.
      watch: gets each line of exact.jsonl as it is written; what it raises ends the run.

    Raises:
      Im2latexError: if the configuration, the data or the work directory cannot be used; nothing in
        the work directory is changed then. Later: if the disk or the device's memory is full, or a
        loss is not finite; what was saved before is good.
      Interrupted: after SIGTERM or Ctrl-C, everything saved.
    """
    try:
        multihost.start(config.distributed)
        with preemption.listening() as signals:
            return _run(config, workdir, signals, watch)
    except Im2latexError:
        raise
    except Exception as error:
        if memory.is_exhausted(error):
            raise Im2latexError(
                f"{workdir}: the device has run out of memory; what was saved before is good: "
                "lower --config.eval_batch_size if it was evaluating, else --config.batch_size, "
                "with another --workdir"
            ) from error
        refused = disk_errors.reason(error)
        if refused is None:
            raise
        raise Im2latexError(
            f"{workdir}: {refused}: what was saved before is good: make room and start the same "
            "command again, which goes on from the newest checkpoint"
        ) from error


def _run(
    config: ConfigDict,
    workdir: pathlib.Path,
    signals: preemption.Signals,
    watch: train_loop.Watch | None,
) -> dict[str, Any]:
    config = init_from.with_network(config, init_from.load(config))
    config = provenance.with_dtype(config, workdir)
    provenance.check(config, workdir)
    if config.deterministic:
        compilation.check_deterministic()
    vocabulary = provenance.read_vocabulary(workdir)
    experiment = multihost.first_then_others(lambda: set_up(config, vocabulary=vocabulary))
    multihost.agree("a vocabulary or training examples", experiment.digest())
    if jax.process_count() > 1:
        signals.share(multihost.Vote())
    train_step = Programs(experiment.train_step(), signals)
    eval_step = Programs(evaluate.make_eval_step(experiment.model, experiment.layout), signals)
    if not (workdir / "result.json").exists():
        _check_memory(experiment, train_step)
    with contextlib.ExitStack() as stack:

        def claim() -> list[str]:
            stack.enter_context(run_lock.held(workdir))
            # Another start may have begun a run there while this one made ready.
            provenance.check(config, workdir)
            return _prepare_workdir(experiment, workdir)

        remarks = [*experiment.remarks, *(multihost.by_first(claim) or [])]
        checkpoints = stack.enter_context(
            Checkpoints(workdir / "checkpoints", config.keep_checkpoints)
        )
        restored = checkpoints.restore_newest(experiment.state_shapes())
        if restored is None:
            state, progress = experiment.initial_state(), Progress()
        else:
            state, progress, remark = restored
            remarks.append(remark)
        loop = train_loop.TrainLoop(
            experiment, workdir, checkpoints, train_step, eval_step, signals, watch
        )
        progress = loop.run(state, progress, [remark for remark in remarks if remark])
        state = _best(checkpoints, loop.state)
        return _finish(experiment, workdir, eval_step, state, progress)


def _check_memory(experiment: Experiment, train_step: Programs) -> None:
    """Compiles the step for the largest bucket and looks whether it fits.

    Raises:
      Im2latexError: it does not; says what to lower.
    """
    bucket, batch_size = input_pipeline.largest(experiment.buckets), experiment.config.batch_size
    state = experiment.state_shapes()
    memory.check(memory.estimate(state), bucket, batch_size)  # if the state alone is too large
    batch = experiment.layout.batch_shapes(input_pipeline.batch_shapes(bucket, batch_size))
    program = train_step.program(state, batch)
    memory.check(memory.estimate(state, program), bucket, batch_size)


def _prepare_workdir(experiment: Experiment, workdir: pathlib.Path) -> list[str]:
    """Writes down what the run is made with; returns remarks."""
    for folder in (workdir, workdir / "model"):
        files.remove_unfinished(folder)
    initial = experiment.initial
    return [
        provenance.write(
            workdir,
            experiment.config,
            experiment.train.fingerprint(),
            experiment.vocabulary,
            fingerprints.of_tree(initial.params) if initial else None,
        )
    ]


def _best(checkpoints: Checkpoints, state: TrainState) -> TrainState:
    """The state with the best validation; of those that can be read."""
    while (best := checkpoints.best) is not None and best[0] != int(state.step):
        try:
            return checkpoints.restore(state, best[0])[0]
        except CheckpointError as error:
            print(f"{error}: taking the next best one", file=sys.stderr)
            checkpoints.set_aside(best[0])
    return state


def _finish(experiment, workdir, eval_step, state, progress) -> dict:
    """Calibrates and exports the best parameters, evaluates them on the test split.

    Writes samples.png and result.json; of several processes, the first one does.
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
            experiment.layout,
            num_threads=config.num_threads,
        )

    temperature = train_loop.export(experiment, workdir, state, evaluated(experiment.validation))
    evaluation = evaluated(experiment.test)
    confidences = [confidence.from_log_prob(x, temperature) for x in evaluation.log_probs]
    result = {
        **evaluation.figures(),
        "calibration_error": calibration.expected_calibration_error(
            confidences, evaluation.correct
        ),
        "train_seconds": progress.train_seconds,
        "examples_per_second": progress.examples / max(progress.train_seconds, 1e-9),
        "num_parameters": train_loop.num_parameters(state),
        "seed": config.seed,
        "step": int(state.step),
        "left_out": {
            split.split.name: sum(split.left_out(config.limits).values())
            for split in (experiment.train, experiment.validation, experiment.test)
        },
        "useful_work_share": experiment.useful_work_share(),
        "skipped_records": sum(
            _num_skipped(split)
            for split in (experiment.train, experiment.validation, experiment.test)
        ),
    }
    if config.eval_train_examples:
        plain = dataclasses.replace(experiment.train, settings=augmentation.OFF)
        result["train"] = evaluated(plain, config.eval_train_examples).figures()
    if multihost.is_first():
        _draw_samples(experiment, evaluation, workdir / "samples.png")
        files.write_text(workdir / "result.json", json.dumps(result, indent=2) + "\n")
    return result


def _num_skipped(split: examples.Examples) -> int:
    """Damaged records that any process has met."""
    return len(multihost.union(split.split.corrupt))


def _draw_samples(
    experiment: Experiment, evaluation: evaluate.Evaluation, path: pathlib.Path
) -> None:
    """A picture of test formulas with what the network reads."""
    count = experiment.config.num_samples
    rows = [
        (example[0], " ".join(truth), " ".join(prediction))
        for number, truth, prediction in list(
            zip(evaluation.ids, evaluation.truths, evaluation.predictions, strict=True)
        )[:: max(1, len(evaluation.ids) // count)][:count]
        if (example := experiment.test.load(number)) is not None
    ]
    title = (
        f"Test split: BLEU {evaluation.metrics.bleu:.1f}, "
        f"exact match {evaluation.metrics.exact_match:.3f} "
        "(black: true formula; below it, green where right: what the network reads)"
    )
    plots.samples(rows, path, title)
