"""Trials: each changes one thing, none is done twice, and the table says what came out."""

import json

import pytest

from experiments.configs import release
from experiments.tools import trials
from im2latex_jax.training import run


@pytest.fixture
def configs(monkeypatch):
    """What each trial was to be trained with, instead of training."""
    given = {}

    def record(config, workdir):
        given[workdir.name] = config
        workdir.mkdir(parents=True)
        result = dict.fromkeys(trials.COLUMNS, 1.0) | {"bleu": 10.0 * len(given)}
        (workdir / "result.json").write_text(json.dumps(result))
        return result

    monkeypatch.setattr(run, "run", record)
    return given


def flat(config) -> dict:
    return json.loads(config.to_json())


def test_every_trial_changes_something_that_there_is():
    base = release.get_config()
    for name, changes in trials.TRIALS.items():
        differs = flat(trials.changed(base, changes)) != flat(base)
        assert differs == (name != "as configured"), name
    assert flat(base) == flat(release.get_config())


def test_trials_that_are_done_are_not_done_again(configs, tmp_path):
    base = release.get_config()
    trials.run(base, ["as configured", "larger GRU"], tmp_path)
    assert list(configs) == ["as_configured", "larger_GRU"]
    assert configs["larger_GRU"].model.hidden == 640
    assert configs["as_configured"].model.hidden == base.model.hidden
    results = trials.run(base, ["as configured", "larger GRU", "dropout 0.1"], tmp_path)
    assert list(configs) == ["as_configured", "larger_GRU", "dropout_0.1"]
    lines = (tmp_path / "trials.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| dropout 0.1",
        "| larger GRU",
        "| as configured",
    ]
    assert lines[2].split(" | ")[1] == "30.0"
    assert len(results) == 3
