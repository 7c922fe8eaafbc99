"""A model's files: there and back, and what is refused."""

import json

import jax
import numpy as np
import pytest
import tiny_model

from im2latex_jax import model_files
from im2latex_jax.errors import Im2latexError


def test_a_model_comes_back_from_its_folder_and_from_a_work_directory(tmp_path):
    model = tiny_model.build()
    tiny_model.save(tmp_path / "run" / "model")
    for path in (tmp_path / "run" / "model", tmp_path / "run"):
        loaded = model_files.load(path)
        assert loaded.vocabulary == model.vocabulary
        assert loaded.buckets == model.buckets
        assert (loaded.temperature, loaded.scale) == (model.temperature, model.scale)
        assert loaded.network == model.network
        jax.tree.map(np.testing.assert_array_equal, loaded.params, model.params)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(Im2latexError, match=r"no model"):
        model_files.load(tmp_path)


def test_a_vocabulary_of_another_size_is_refused(tmp_path):
    folder = tiny_model.save(tmp_path / "model")
    path = folder / "vocabulary.json"
    path.write_text(json.dumps([*json.loads(path.read_text()), "extra"]))
    with pytest.raises(Im2latexError, match="the weights are of another network"):
        model_files.load(folder)


def test_other_settings_than_the_weights_are_refused(tmp_path):
    folder = tiny_model.save(tmp_path / "model")
    path = folder / "model.json"
    description = json.loads(path.read_text())
    description["model"]["blocks"] = [0, 2]
    path.write_text(json.dumps(description))
    with pytest.raises(Im2latexError, match="missing from the file"):
        model_files.load(folder)


def test_truncated_weights_are_refused_in_one_line(tmp_path):
    folder = tiny_model.save(tmp_path / "model")
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(Im2latexError, match="cannot read the weights") as caught:
        model_files.load(folder)
    assert "\n" not in str(caught.value)
