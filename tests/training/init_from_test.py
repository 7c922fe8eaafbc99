"""Runs that begin with a trained model."""

import dataclasses
import json
import types

import jax
import numpy as np
import pytest
from PIL import Image

from experiments.configs import finetune
from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.latex.vocabulary import SPECIAL_TOKENS, Vocabulary
from im2latex_jax.model import saved_model
from im2latex_jax.rendering import mathtext
from im2latex_jax.training import init_from, run
from im2latex_jax.training.experiment import set_up
from tests.support import tiny_model

FORMULAS = ["x", "y+1", r"\alpha", "x=y", r"\frac{x}{y}", "x^1", "y_1", r"\sqrt{x}"]
LARGE = Bucket(192, 1024, 64)  # none of the pairs needs it


@pytest.fixture(scope="module")
def initial(tmp_path_factory):
    """A model that does not know \\beta."""
    folder = tmp_path_factory.mktemp("initial")
    return tiny_model.save(folder, buckets=(Bucket(64, 160, 32), LARGE))


@pytest.fixture(scope="module")
def pairs_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    lines = []
    for number, formula in enumerate([*FORMULAS, *(rf"\beta+{f}" for f in FORMULAS)]):
        Image.fromarray(mathtext.draw(formula)).save(folder / f"{number}.png")
        lines.append(f"{number}.png\t{formula}\n")
    (folder / "pairs.tsv").write_text("".join(lines))
    return folder / "pairs.tsv"


@pytest.fixture
def config(initial, pairs_file, tmp_path):
    """A run of two steps."""
    config = finetune.get_config()
    config.init_from = str(initial)
    config.dataset.data_dir = str(tmp_path / "data")
    config.dataset.options.file = str(pairs_file)
    config.num_buckets = config.num_eval_buckets = 1
    config.num_epochs, config.batch_size, config.eval_batch_size = 1, 4, 4
    config.augmentation.probability = 0.0
    config.num_samples = 1
    config.quiet = True
    return config


def test_a_model_keeps_its_buckets_and_gets_those_that_are_larger():
    known = (Bucket(64, 160, 32), Bucket(32, 320, 48))
    fitting, wider, longer = Bucket(32, 96, 16), Bucket(64, 176, 16), Bucket(32, 96, 64)
    merged = init_from.merge_buckets(known, (fitting, wider, longer))
    assert merged == (longer, known[1], known[0], wider)
    assert init_from.merge_buckets((), (wider, fitting)) == (fitting, wider)


def test_old_tokens_keep_their_ids_and_new_ones_come_after_them():
    old = Vocabulary((*SPECIAL_TOKENS, "b", "a"))
    captions = Vocabulary((*SPECIAL_TOKENS, "c", "a", "d"))
    assert init_from.extend(old, captions).tokens == (*SPECIAL_TOKENS, "b", "a", "c", "d")
    assert init_from.extend(old, old) == old


def test_trained_values_stay_and_new_tokens_have_fresh_ones():
    trained = {"embedding": np.ones((2, 3)), "bias": np.ones(2), "kernel": np.ones((4, 4))}
    fresh = {"embedding": np.zeros((5, 3)), "bias": np.zeros(3), "kernel": np.zeros((4, 4))}
    grown = init_from.grow(trained, fresh)
    np.testing.assert_array_equal(grown["embedding"], [[1] * 3, [1] * 3, *[[0] * 3] * 3])
    np.testing.assert_array_equal(grown["bias"], [1, 1, 0])
    np.testing.assert_array_equal(grown["kernel"], np.ones((4, 4)))


def test_a_run_begins_with_the_model_and_its_network(config, initial, tmp_path):
    config.optimizer.learning_rate = 0.0
    run.run(config, tmp_path / "run")
    before, after = saved_model.load(initial), saved_model.load(tmp_path / "run")
    size = len(before.vocabulary)
    assert after.vocabulary.tokens[:size] == before.vocabulary.tokens
    assert "\\beta" in after.vocabulary.tokens[size:]
    assert after.config.hidden == before.config.hidden

    def old_part(new, old):
        return np.asarray(new)[tuple(slice(n) for n in old.shape)]

    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(old_part, after.params, before.params),
                 before.params)  # fmt: skip
    assert LARGE in after.buckets  # it still reads pictures that the pairs do not have
    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert saved["model"]["hidden"] == before.config.hidden
    assert saved["model"]["dropout"] == config.model.dropout
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["initial_fingerprint"]


def test_training_changes_the_model_and_resumes(config, initial, tmp_path):
    result = run.run(config, tmp_path / "run")
    before, after = saved_model.load(initial).params, saved_model.load(tmp_path / "run").params
    changed = jax.tree.map(lambda old, new: not np.array_equal(old, new), before, after)
    assert all(jax.tree.leaves(changed["encoder"]))
    assert run.run(config, tmp_path / "run") == result


def test_says_that_there_is_no_such_model(config, tmp_path):
    config.init_from = str(tmp_path / "nowhere")
    with pytest.raises(Im2latexError, match="nowhere: no model here"):
        run.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def stages(config, initial, folder, **second) -> tuple:
    """A model that was trained on `config`'s data, and the configuration of a second stage."""
    first = set_up(config)
    trained_on = init_from.lineage(None, first.train.split, config.dataset.data_dir)
    assert len(trained_on) == 1
    saved_model.save(folder, dataclasses.replace(saved_model.load(initial), trained_on=trained_on))
    config.init_from = str(folder)
    config.dataset.on_leak = "fail"
    config.dataset.options.update(second)
    return first, config


def test_a_second_stage_on_other_splits_is_refused_or_leaves_out_what_was_trained_on(
    config, initial, tmp_path
):
    config.dataset.options.test_share = config.dataset.options.validation_share = 0.3
    first, config = stages(config, initial, tmp_path / "first", seed=1)
    known = set(first.train.split.formulas)
    with pytest.raises(
        Im2latexError, match=r"first was trained on \d of 5 validation and"
    ) as caught:
        set_up(config)
    assert "on_leak=skip" in str(caught.value)
    config.dataset.on_leak = "skip"
    second = set_up(config)
    for examples in (second.validation, second.test):
        formulas = np.asarray(examples.split.formulas)
        assert set(formulas[examples.kept]) == set(formulas) - known != set()
    (remark,) = (remark for remark in second.remarks if not remark.startswith("metrics on"))
    assert "was trained on" in remark and remark.endswith("formulas: they are left out")
    # its model has been trained on both
    assert len(second.trained_on) == 2


def test_a_second_stage_on_the_same_splits_leaves_nothing_out(config, initial, tmp_path):
    _, config = stages(config, initial, tmp_path / "first")
    second = set_up(config)
    assert second.validation.kept.all() and second.test.kept.all()
    assert second.remarks == ()
    assert len(second.trained_on) == 1


def test_formulas_that_the_own_training_split_has_too_are_no_leak(monkeypatch):
    def split(*digests):
        return types.SimpleNamespace(
            statistics=types.SimpleNamespace(
                digests=np.asarray(digests, np.uint64), fingerprint=str(digests)
            )
        )

    before = split(1, 2, 3, 4)
    monkeypatch.setattr(init_from, "_statistics", lambda _: before.statistics)
    trained = types.SimpleNamespace(
        trained_on=(saved_model.TrainingData("d", before.statistics.fingerprint),)
    )
    splits = {"train": split(2, 9), "validation": split(1, 2, 7, 1), "test": split(8, 9)}
    masks, remarks = init_from.leaked(trained, splits, "")
    assert masks["validation"].tolist() == [True, False, False, True]
    assert not masks["test"].any() and not remarks
    among = init_from._among(np.uint64([5, 1, 5, 2]), np.uint64([2, 3, 5]), chunk=2)
    assert among.tolist() == [True, False, True, True]


@pytest.mark.parametrize("lost", ["provenance", "data", "other data"])
def test_what_cannot_be_compared_is_said(config, initial, tmp_path, lost):
    first, config = stages(config, initial, tmp_path / "first", seed=1)
    if lost == "provenance":
        config.init_from = str(initial)
        expected = "does not tell what it was trained on"
    elif lost == "data":
        config.dataset.data_dir = str(tmp_path / "elsewhere")
        expected = "is not in"
    else:
        path = tmp_path / "first" / "model.json"
        digest = first.train.fingerprint()
        path.write_text(path.read_text().replace(digest, digest[::-1]))
        expected = "has changed since"
    second = set_up(config)
    assert any(expected in remark for remark in second.remarks)
