"""A model's files: there and back, and what is refused."""

import json
import shutil

import jax
import numpy as np
import pytest

from im2latex_jax.errors import Im2latexError
from im2latex_jax.model import saved_model
from tests.support import tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model.save(tmp_path_factory.mktemp("saved") / "model")


def test_a_model_comes_back_from_its_folder_and_from_a_work_directory(tmp_path):
    model = tiny_model.build()
    tiny_model.save(tmp_path / "run" / "model")
    for path in (tmp_path / "run" / "model", tmp_path / "run"):
        loaded = saved_model.load(path)
        assert loaded.vocabulary == model.vocabulary
        assert loaded.buckets == model.buckets
        assert (loaded.temperature, loaded.scale) == (model.temperature, model.scale)
        assert loaded.network == model.network
        jax.tree.map(np.testing.assert_array_equal, loaded.params, model.params)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(Im2latexError, match=r"no model"):
        saved_model.load(tmp_path)


def test_another_vocabulary_is_refused(tmp_path):
    folder = tiny_model.save(tmp_path / "model")
    path = folder / "vocabulary.json"
    tokens = json.loads(path.read_text())
    longer, turned = [*tokens, "extra"], [*tokens[:-2], tokens[-1], tokens[-2]]
    for other in (longer, turned):
        path.write_text(json.dumps(other))
        with pytest.raises(Im2latexError, match="the vocabulary of another model"):
            saved_model.load(folder)
    # A model that was saved without a digest has only the vocabulary's size to be compared with.
    description = json.loads((folder / "model.json").read_text())
    del description["vocabulary_sha256"]
    (folder / "model.json").write_text(json.dumps(description))
    assert saved_model.load(folder).vocabulary.tokens == tuple(turned)
    path.write_text(json.dumps(longer))
    with pytest.raises(Im2latexError, match="the weights are of another network"):
        saved_model.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"buckets": []},
        {"buckets": [[64, 157, 32]]},
        {"buckets": [[0, 160, 32]]},
        {"buckets": [["x", 160, 32]]},
        {"temperature": 0},
        {"temperature": None},
        {"scale": float("nan")},
        {"model": None},
        {"model": {}},
        {"model": {"hidden": -1}},
        {"model": {"features": []}},
        {"model": {"strides": [[1]]}},
        {"model": {"dtype": "x"}},
    ],
)
def test_a_broken_description_is_refused_in_one_line(change, folder, tmp_path):
    description = json.loads((folder / "model.json").read_text())
    if change.get("model"):
        change = {"model": {**description["model"], **change["model"]}}
    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken" / "model.json").write_text(json.dumps({**description, **change}))
    with pytest.raises(Im2latexError, match="is no model's description") as caught:
        saved_model.load(tmp_path / "broken")
    assert "\n" not in str(caught.value)


def test_other_settings_than_the_weights_are_refused(tmp_path):
    folder = tiny_model.save(tmp_path / "model")
    path = folder / "model.json"
    description = json.loads(path.read_text())
    description["model"]["blocks"] = [0, 2]
    path.write_text(json.dumps(description))
    with pytest.raises(Im2latexError, match="missing from the file"):
        saved_model.load(folder)


def test_truncated_weights_are_refused_in_one_line(tmp_path):
    folder = tiny_model.save(tmp_path / "model")
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(Im2latexError, match="cannot read the weights") as caught:
        saved_model.load(folder)
    assert "\n" not in str(caught.value)
