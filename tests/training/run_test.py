"""A training run end to end, on a data set of seconds: results, exactness, resuming, bad input."""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from im2latex_jax import datasets, images, input_pipeline
from im2latex_jax.datasets.records import Split
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.vocabulary import Vocabulary
from im2latex_jax.model import saved_model
from im2latex_jax.training import memory, metrics_log, provenance, run, validation
from im2latex_jax.training.checkpoints import Checkpoints
from im2latex_jax.training.experiment import set_up
from im2latex_jax.training.loop import TrainLoop
from tests.support import damaged_records, tiny_run

ROOT = pathlib.Path(__file__).resolve().parents[2]


def before_step(monkeypatch, number, action):
    """Has `action(loop)` happen before a step (from 1)."""
    take_step = TrainLoop._take_step

    def acting(self, batch):
        if self.step + 1 == number:
            action(self)
        take_step(self, batch)

    monkeypatch.setattr(TrainLoop, "_take_step", acting)


def stop(*_):
    os.kill(os.getpid(), signal.SIGTERM)


def assert_same_end(workdir, finished, settings):
    """The state at the end, the exported weights and the validations are those of a run alone."""
    alone, alone_progress = tiny_run.final_state(finished[0], settings)
    ended, progress = tiny_run.final_state(workdir, settings)
    for a, b in zip(alone, ended, strict=True):
        np.testing.assert_array_equal(a, b)
    assert progress.next_batch == alone_progress.next_batch
    assert progress.examples == alone_progress.examples
    assert tiny_run.weights(workdir) == tiny_run.weights(finished[0])
    result = json.loads((workdir / "result.json").read_text())
    assert result["loss"] == finished[1]["loss"]

    def validations(folder):
        lines = metrics_log.read(folder / "metrics.jsonl")
        return [(x["step"], x["loss"]) for x in lines if x["kind"] == "validation"]

    assert validations(workdir) == validations(finished[0])


def test_a_run_writes_everything_it_promises(finished):
    workdir, result = finished
    assert json.loads((workdir / "result.json").read_text()) == result
    assert result.keys() >= {
        "bleu", "exact_match", "token_edit_distance", "char_edit_distance",
        "normalized_edit_distance", "loss", "num_examples", "train_seconds",
        "examples_per_second", "num_parameters", "seed",
    }  # fmt: skip
    assert result["num_examples"] == 8
    assert result["train"]["num_examples"] == 8
    assert result["train"]["loss"] != result["loss"]
    assert result["skipped_records"] == 0
    assert result["left_out"] == {"train": 0, "validation": 0, "test": 0}
    assert 0 < result["loss"] < 10
    assert result["train_seconds"] > 0
    assert result["num_parameters"] > 1000
    assert 0 <= result["calibration_error"] <= 1
    for name in ("loss.png", "samples.png"):
        assert images.read(workdir / name).size > 10_000
    lines = metrics_log.read(workdir / "metrics.jsonl")
    kinds = {line["kind"] for line in lines}
    assert kinds == {"train", "validation"}
    losses = [line["loss"] for line in lines if line["kind"] == "train"]
    assert losses[-1] < losses[0]
    exact = metrics_log.read(workdir / "exact.jsonl")
    assert sum(len(line["losses"]) for line in exact) == result["step"] == 12
    assert len({line["parameters"] for line in exact}) == len(exact)
    assert any((workdir / "tensorboard").iterdir())
    environment = json.loads((workdir / "environment.json").read_text())
    assert environment.keys() >= {"code", "packages", "device", "seed", "data_fingerprint"}


def test_the_exported_model_is_the_best_one(finished):
    workdir, _ = finished
    model = saved_model.load(workdir)
    assert len(model.vocabulary) > 20
    assert model.buckets


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(training, finished):
    again = training / "again"
    run.run(tiny_run.config(training / "data", num_threads=3, log_every=5), again)
    assert tiny_run.weights(again) == tiny_run.weights(finished[0])

    class Enough(Exception):
        pass

    def watch(line):
        seen.append(line)
        raise Enough

    seen = []
    with pytest.raises(Enough):
        run.run(tiny_run.config(training / "data", seed=1), training / "other", watch)
    assert seen[0]["losses"] != metrics_log.read(finished[0] / "exact.jsonl")[0]["losses"]


def test_stopped_early_and_resumed_with_worker_processes_gives_the_same_bytes(
    training, finished, monkeypatch
):
    workdir = training / "stopped-early"
    with monkeypatch.context() as patch:
        before_step(patch, 4, stop)
        with pytest.raises(run.Interrupted, match="stopped at step 3 of 12, everything is saved"):
            run.run(tiny_run.config(training / "data"), workdir)
    assert not (workdir / "result.json").exists()
    settings = tiny_run.config(training / "data", num_workers=2)
    run.run(settings, workdir)
    assert_same_end(workdir, finished, settings)


def test_stopped_in_an_evaluation_and_resumed_gives_the_same_bytes(training, finished, monkeypatch):
    workdir = training / "stopped-evaluating"
    settings = tiny_run.config(training / "data")

    def interrupted(*arguments, **settings):
        stop()
        return original(*arguments, **settings)

    original = validation.evaluate
    with monkeypatch.context() as patch:
        patch.setattr(validation, "evaluate", interrupted)
        with pytest.raises(run.Interrupted, match="stopped at step 6 of 12"):
            run.run(settings, workdir)
    kinds = [x["kind"] for x in metrics_log.read(workdir / "metrics.jsonl")]
    assert kinds == ["train"] * len(kinds)
    run.run(settings, workdir)
    assert_same_end(workdir, finished, settings)


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(
    training, finished, monkeypatch, capsys
):
    workdir = training / "damaged"
    settings = tiny_run.config(training / "data")
    with monkeypatch.context() as patch:
        before_step(patch, 8, stop)
        with pytest.raises(run.Interrupted, match="stopped at step 7 of 12"):
            run.run(settings, workdir)
    largest = max(
        (p for p in (workdir / "checkpoints" / "7").rglob("*") if p.is_file()),
        key=lambda path: path.stat().st_size,
    )
    os.truncate(largest, largest.stat().st_size // 2)
    capsys.readouterr()
    run.run(settings, workdir)
    said = capsys.readouterr().err.splitlines()
    assert any(
        "checkpoints/7: cannot restore this checkpoint" in x and "going on from step 6" in x
        for x in said
    )
    assert_same_end(workdir, finished, settings)


def test_a_disk_that_takes_no_more_ends_in_one_line_and_harms_nothing(
    training, finished, monkeypatch
):
    workdir = training / "full"
    settings = tiny_run.config(training / "data")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(loop):
        loop._checkpoints.wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, limits[1]))

    with monkeypatch.context() as patch:
        before_step(patch, 5, fill)
        try:
            with pytest.raises(Im2latexError, match="File too large: what was saved") as caught:
                run.run(settings, workdir)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        assert checkpoints.latest == 4
    run.run(settings, workdir)
    assert_same_end(workdir, finished, settings)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(
    training, finished, monkeypatch
):
    workdir = training / "diverged"
    settings = tiny_run.config(training / "data")
    poisoned = []

    def poison(loop):
        loop.state = loop.state.replace(
            params=jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), loop.state.params)
        )
        poisoned.extend(loop._experiment.plan[loop.step][1].tolist())

    with monkeypatch.context() as patch:
        before_step(patch, 6, poison)
        with pytest.raises(Im2latexError, match="the loss is nan") as caught:
            run.run(settings, workdir)
    assert "at step 6 (training examples" in str(caught.value)
    assert ", ".join(map(str, poisoned)) in str(caught.value)
    assert "lower --config.optimizer.learning_rate" in str(caught.value)
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        assert checkpoints.latest == 4
    run.run(settings, workdir)
    assert_same_end(workdir, finished, settings)


def test_a_damaged_record_is_named_and_fatal_or_skipped_and_counted(
    training, finished, tmp_path, capsys
):
    shutil.copytree(training / "data", tmp_path / "data")
    settings = tiny_run.config(tmp_path / "data")
    split = set_up(settings).train.split
    number, _, _ = damaged_records.damage_one(split)
    place = split.place(number)
    with pytest.raises(Im2latexError) as caught:
        run.run(settings, tmp_path / "fails")
    assert str(caught.value).startswith(f"{place} cannot be read")
    assert "--config.dataset.on_corrupt=skip" in str(caught.value)

    settings.dataset.on_corrupt = "skip"
    result = run.run(settings, tmp_path / "skips")
    assert result["skipped_records"] == 1
    assert capsys.readouterr().err.count(f"skipped a record of split 'train': {place}") >= 1
    plan = set_up(settings).plan
    assert number in np.concatenate([plan[step][1] for step in range(len(plan))])


def test_token_ids_stay_when_a_run_goes_on_without_a_record(
    training, finished, tmp_path, monkeypatch
):
    shutil.copytree(training / "data", tmp_path / "data")
    settings = tiny_run.config(tmp_path / "data")
    with monkeypatch.context() as patch:
        before_step(patch, 4, stop)
        with pytest.raises(run.Interrupted):
            run.run(settings, tmp_path / "run")
    began_with = provenance.read_vocabulary(tmp_path / "run")
    split = set_up(settings).train.split
    # One without which the data have another vocabulary.
    tokens = [formula.split() for formula in split.formulas]
    others = [Vocabulary.build(tokens[:n] + tokens[n + 1 :]) for n in range(len(tokens))]
    needed = [n for n, vocabulary in enumerate(others) if vocabulary != began_with]
    number, _, _ = damaged_records.damage_one(split, needed)
    pathlib.Path(split.directory, "statistics-train.npz").unlink()
    settings.dataset.on_corrupt = "skip"
    assert set_up(settings).vocabulary == others[number]
    run.run(settings, tmp_path / "run")
    assert saved_model.load(tmp_path / "run").vocabulary == began_with


def test_a_start_reads_no_records(training, finished, monkeypatch):
    def read(*_):
        raise AssertionError("read a record")

    monkeypatch.setattr(Split, "__getitem__", read)
    experiment = set_up(tiny_run.config(training / "data"))
    assert experiment.train.fingerprint()


def test_a_finished_run_started_again_trains_no_further(training, finished):
    before = tiny_run.weights(finished[0])
    result = run.run(tiny_run.config(training / "data", log_every=3), finished[0])
    assert tiny_run.weights(finished[0]) == before
    assert result["bleu"] == finished[1]["bleu"]
    assert result["train_seconds"] == finished[1]["train_seconds"]


def files(folder):
    return {p: p.stat().st_mtime_ns for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_work_directory_of_another_configuration_is_refused_unharmed(training, finished):
    before = files(finished[0])
    with pytest.raises(Im2latexError, match=r"config\.model\.hidden was 16 and is now 24"):
        run.run(tiny_run.config(training / "data", **{"model.hidden": 24}), finished[0])
    assert files(finished[0]) == before


def test_a_run_that_another_start_began_in_the_meantime_is_not_gone_on_with(
    training, finished, monkeypatch
):
    """Both starts have passed the first check; the other one has the lock first."""
    workdir = training / "contested"

    def begun_by_another(*arguments):
        other = tiny_run.config(training / "data", seed=7)
        provenance.write(workdir, other, None, set_up(other).vocabulary)
        return original(*arguments)

    original = run.run_lock.held
    (workdir).mkdir()
    monkeypatch.setattr(run.run_lock, "held", begun_by_another)
    with pytest.raises(Im2latexError, match=r"config\.seed was 7 and is now 0"):
        run.run(tiny_run.config(training / "data"), workdir)
    assert not (workdir / "checkpoints").exists()


def test_evaluations_load_with_as_many_threads_as_training(training, monkeypatch):
    class Enough(Exception):
        pass

    def batches(source, *, num_threads=2, num_workers=0):
        seen.append(num_threads)
        raise Enough

    seen = []
    settings = tiny_run.config(training / "data", num_threads=5)
    experiment = set_up(settings)
    monkeypatch.setattr(validation.input_pipeline, "iterate", batches)
    with pytest.raises(Enough):
        validation.evaluate(None, None, experiment.test, experiment.eval_buckets, 8, num_threads=5)
    assert seen == [5]
    loop = TrainLoop(experiment, training, None, None, None, None)
    loop.state = experiment.initial_state()
    with pytest.raises(Enough):
        loop._evaluate()
    assert seen == [5, 5]


def test_a_work_directory_of_other_data_is_refused(training, finished):
    path = finished[0] / "environment.json"
    text = path.read_text()
    path.write_text(text.replace('"data_fingerprint": "', '"data_fingerprint": "0'))
    with pytest.raises(Im2latexError, match="holds a run on other training data"):
        run.run(tiny_run.config(training / "data"), finished[0])
    path.write_text(text)


def test_what_does_not_fit_into_memory_is_told_before_anything_is_written(
    training, finished, monkeypatch
):
    monkeypatch.setattr(memory, "available", lambda: 2**19)
    with pytest.raises(Im2latexError, match=r"step needs about .* lower --config\.batch"):
        run.run(tiny_run.config(training / "data"), training / "large")
    assert not (training / "large").exists()


def test_a_signal_while_the_data_is_built_is_heard_at_once(training, monkeypatch):
    def build(*_, **__):
        stop()
        raise AssertionError("went on")

    monkeypatch.setattr(datasets, "load", build)
    with pytest.raises(run.Interrupted, match="the same command goes on from here"):
        run.run(tiny_run.config(training / "data"), training / "never")
    assert not (training / "never").exists()


def test_limits_that_leave_nothing_are_named(training):
    with pytest.raises(Im2latexError, match=r"raise --config\.limits\.max_height"):
        run.run(
            tiny_run.config(training / "data", **{"limits.max_height": 5}), training / "nothing"
        )
    assert not (training / "nothing").exists()


def test_augmentation_changes_the_batches_but_not_their_repeatability(training, finished):
    settings = tiny_run.config(training / "data", **{"augmentation.probability": 0.8})
    first, second = (
        list(input_pipeline.iterate(input_pipeline.BatchSource(x.plan, x.train.load)))
        for x in (set_up(settings), set_up(settings))
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a["images"], b["images"])
    plain = set_up(tiny_run.config(training / "data"))
    ids = [batch["ids"].tolist() for batch in first]
    inks = {n: plain.train.load(n)[0] for n in ids[0]}
    assert any(
        ink.shape != tuple(size) for ink, size in zip(inks.values(), first[0]["sizes"], strict=True)
    )


def main(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "experiments.main", *arguments],
        cwd=ROOT,
        env={**os.environ, "IM2LATEX_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--config.no_such_key=1", "--workdir", "{}/x"], 1, "no_such_key"),
        (["--config", "no/such/file.py", "--workdir", "{}/x"], 1, "no/such/file.py"),
        ([], 2, "workdir"),
        (["--config.dataset.name=imagenet", "--workdir", "{}/x"], 1, "unknown data set 'imagenet'"),
        (
            ["--config", "experiments/configs/paper.py", "--config.dataset.options.source=/none",
             "--workdir", "{}/x"],
            1,
            "/none",
        ),
    ],
)  # fmt: skip
def test_bad_arguments_end_in_one_line(tmp_path, arguments, status, message):
    ended = main(tmp_path, *[a.format(tmp_path) for a in arguments])
    assert ended.returncode == status
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "x").exists()
