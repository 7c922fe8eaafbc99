"""A training run end to end, on a data set of seconds: results, exactness, resuming, bad input."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from experiments.configs import tiny
from im2latex_jax import compilation, images, logs, model_files, train
from im2latex_jax.errors import Im2latexError

ROOT = pathlib.Path(__file__).resolve().parent.parent


def config(data_dir, **changes):
    settings = tiny.get_config()
    settings.dataset.data_dir = str(data_dir)
    settings.quiet = True
    with settings.unlocked():
        settings.update_from_flattened_dict(changes)
    return settings


def parameters(workdir):
    """The bytes of the exported weights."""
    return (workdir / "model" / "weights.safetensors").read_bytes()


def final_state(workdir, settings):
    """Every array of the newest checkpoint."""
    import jax

    from im2latex_jax.checkpoints import Checkpoints

    experiment = train.set_up(settings)
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        state, progress = checkpoints.restore(experiment.initial_state(), checkpoints.latest)
    return jax.tree.map(np.asarray, jax.tree.leaves(state)), progress


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IM2LATEX_CACHE", str(folder / "cache"))
        compilation.enable_cache()
        yield folder


@pytest.fixture(scope="module")
def finished(folder):
    """A run left alone: its work directory and its result."""
    workdir = folder / "alone"
    return workdir, train.run(config(folder / "data"), workdir)


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
    assert 0 < result["loss"] < 10
    assert result["train_seconds"] > 0
    assert result["num_parameters"] > 1000
    assert 0 <= result["calibration_error"] <= 1
    for name in ("loss.png", "samples.png"):
        assert images.read(workdir / name).size > 10_000
    lines = logs.read(workdir / "metrics.jsonl")
    kinds = {line["kind"] for line in lines}
    assert kinds == {"train", "validation"}
    losses = [line["loss"] for line in lines if line["kind"] == "train"]
    assert losses[-1] < losses[0]
    assert any((workdir / "tensorboard").iterdir())
    environment = json.loads((workdir / "environment.json").read_text())
    assert environment.keys() >= {"code", "packages", "device", "seed", "data_fingerprint"}


def test_the_exported_model_is_the_best_one(finished):
    workdir, _ = finished
    model = model_files.load(workdir)
    assert len(model.vocabulary) > 20
    assert model.buckets


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(folder, finished):
    again = folder / "again"
    train.run(config(folder / "data"), again)
    assert parameters(again) == parameters(finished[0])
    other = folder / "other"
    train.run(config(folder / "data", seed=1), other)
    assert parameters(other) != parameters(finished[0])


@pytest.mark.parametrize("step", [3, 7])
def test_a_stopped_and_resumed_run_gives_the_bytes_of_one_left_alone(
    folder, finished, monkeypatch, step
):
    """Stopped by a real signal, once before and once after the first evaluation."""
    workdir = folder / f"stopped-{step}"
    settings = config(folder / "data")
    move = logs.Logs.step

    def stop_at(self, number):
        move(self, number)
        if number == step:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(logs.Logs, "step", stop_at)
        with pytest.raises(train.Interrupted, match=f"stopped at step {step} of"):
            train.run(settings, workdir)
    assert not (workdir / "result.json").exists()
    result = train.run(settings, workdir)

    alone, alone_progress = final_state(finished[0], settings)
    resumed, resumed_progress = final_state(workdir, settings)
    for a, b in zip(alone, resumed, strict=True):
        np.testing.assert_array_equal(a, b)
    assert resumed_progress.next_batch == alone_progress.next_batch
    assert resumed_progress.examples == alone_progress.examples
    assert parameters(workdir) == parameters(finished[0])
    assert result["loss"] == finished[1]["loss"]

    def record(folder):
        lines = logs.read(folder / "metrics.jsonl")
        return [(x["step"], x["kind"], x["loss"]) for x in lines if x["kind"] == "validation"]

    assert record(workdir) == record(finished[0])


def test_a_finished_run_started_again_trains_no_further(folder, finished):
    before = parameters(finished[0])
    result = train.run(config(folder / "data", log_every=3), finished[0])
    assert parameters(finished[0]) == before
    assert result["bleu"] == finished[1]["bleu"]
    assert result["train_seconds"] == finished[1]["train_seconds"]


def files(folder):
    return {p: p.stat().st_mtime_ns for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_work_directory_of_another_configuration_is_refused_unharmed(folder, finished):
    before = files(finished[0])
    with pytest.raises(Im2latexError, match=r"config\.model\.hidden was 16 and is now 24"):
        train.run(config(folder / "data", **{"model.hidden": 24}), finished[0])
    assert files(finished[0]) == before


def test_a_work_directory_of_other_data_is_refused(folder, finished):
    path = finished[0] / "environment.json"
    text = path.read_text()
    path.write_text(text.replace('"data_fingerprint": "', '"data_fingerprint": "0'))
    with pytest.raises(Im2latexError, match="holds a run on other training data"):
        train.run(config(folder / "data"), finished[0])
    path.write_text(text)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(
    folder, monkeypatch
):
    workdir = folder / "diverged"
    settings = config(folder / "data", **{"optimizer.learning_rate": 1e30, "log_every": 1})
    with pytest.raises(
        Im2latexError, match=r"the loss is .*(nan|inf).* at step \d+ \(training exam"
    ):
        train.run(settings, workdir)


def test_limits_that_leave_nothing_are_named(folder):
    with pytest.raises(Im2latexError, match=r"raise --config\.limits\.max_height"):
        train.run(config(folder / "data", **{"limits.max_height": 5}), folder / "nothing")
    assert not (folder / "nothing").exists()


def test_augmentation_changes_the_run_but_not_its_repeatability(folder, finished):
    settings = config(folder / "data", **{"augmentation.probability": 0.8, "num_epochs": 1})
    first, second = folder / "augmented", folder / "augmented-again"
    train.run(settings, first)
    train.run(settings, second)
    assert parameters(first) == parameters(second)


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
        ([], 1, "workdir"),
        (["--config.dataset.name=imagenet", "--workdir", "{}/x"], 1, "unknown data set 'imagenet'"),
        (
            ["--config", "experiments/configs/paper.py", "--config.dataset.options.source=/none",
             "--workdir", "{}/x"],
            1,
            "/none",
        ),
    ],
)  # fmt: skip
def test_bad_arguments_end_in_one_line(folder, arguments, status, message):
    ended = main(folder, *[a.format(folder) for a in arguments])
    assert ended.returncode == status
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (folder / "x").exists()
