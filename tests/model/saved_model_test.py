"""A model's files: there and back, and what is refused."""

import json
import os
import shutil
import struct
import time

import jax
import numpy as np
import pytest
import safetensors.numpy

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
    longer, turned = [*tokens, r"\extra"], [*tokens[:-2], tokens[-1], tokens[-2]]
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


def _rewritten(folder, place, name: str, content: bytes):
    shutil.copytree(folder, place)
    (place / name).write_bytes(content)
    return place


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.json", b"[" * 100_000, "nested too deeply"),
        ("model.json", b"[]", "not a JSON object"),
        ("model.json", bytes(2 << 20), "bytes, and 1,048,576 are allowed"),
        ("model.json", b"\xff", "cannot read the model"),
        ("vocabulary.json", b"[" * 100_000, "nested too deeply"),
        ("vocabulary.json", bytes(17 << 20), "are allowed"),
        ("weights.safetensors", struct.pack("<Q", 1 << 40), "header is too large"),
        ("weights.safetensors", b"", "cannot read the weights"),
    ],
)
def test_hostile_files_are_refused_in_one_line(name, content, message, folder, tmp_path):
    with pytest.raises(Im2latexError, match=message) as caught:
        saved_model.load(_rewritten(folder, tmp_path / "model", name, content))
    assert name in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    "change",
    [
        {"buckets": [[1 << 20, 1 << 20, 32]]},
        {"buckets": [[64, 1 << 14, 32], [1 << 10, 32, 32]]},  # the one that holds both
        {"buckets": [[64, 160, 32]] * 1000},
        {"buckets": [[64, 160, 10**30]]},
        {"buckets": [[64.0, 160, 32]]},
        {"temperature": 1e-300},
        {"scale": 1e300},
        {"model": {"hidden": 10**9}},
        {"model": {"blocks": [10**4, 2]}},
        {"model": {"features": [8] * 10_000}},
        {"model": {"dtype": "int32"}},
    ],
)
def test_absurd_settings_are_refused_at_once(change, folder, tmp_path):
    description = json.loads((folder / "model.json").read_text())
    if "model" in change:
        change = {"model": {**description["model"], **change["model"]}}
    content = json.dumps({**description, **change}).encode()
    start = time.monotonic()
    with pytest.raises(Im2latexError, match="is no model's description"):
        saved_model.load(_rewritten(folder, tmp_path / "model", "model.json", content))
    assert time.monotonic() - start < 20


def test_tokens_that_are_no_latex_are_refused(folder, tmp_path):
    tokens = json.loads((folder / "vocabulary.json").read_text())
    description = json.loads((folder / "model.json").read_text())
    del description["vocabulary_sha256"]
    for number, token in enumerate(("\x1b[31m", "<script>", "a" * 300, "\u2028x", "\ud800")):
        place = tmp_path / str(number)
        _rewritten(folder, place, "model.json", json.dumps(description).encode())
        (place / "vocabulary.json").write_text(json.dumps([*tokens[:-1], token]))
        with pytest.raises(Im2latexError, match="is not a LaTeX token"):
            saved_model.load(place)


@pytest.mark.parametrize(
    ("values", "message"),
    [(np.float64, "F64: F16 and F32 are read"), (np.int32, "I32"), (np.nan, "not finite")],
)
def test_other_numbers_are_refused(values, message, folder, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(folder, place)
    path = place / "weights.safetensors"
    arrays = safetensors.numpy.load_file(path)
    name = min(arrays)
    changed = arrays[name] * values if values is np.nan else arrays[name].astype(values)
    path.write_bytes(safetensors.numpy.save({**arrays, name: changed}))
    with pytest.raises(Im2latexError, match=message) as caught:
        saved_model.load(place)
    assert name in str(caught.value)


def test_bfloat16_is_refused_in_one_line(folder, tmp_path):
    """NumPy does not have the type, so the header is changed by hand."""
    place = tmp_path / "model"
    shutil.copytree(folder, place)
    path = place / "weights.safetensors"
    arrays = {n: a.astype(np.float16) for n, a in safetensors.numpy.load_file(path).items()}
    data = safetensors.numpy.save(arrays)
    (length,) = struct.unpack("<Q", data[:8])
    header = data[8 : 8 + length].replace(b'"F16"', b'"BF16"').rstrip()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + length :])
    with pytest.raises(Im2latexError, match="BF16: F16 and F32 are read"):
        saved_model.load(place)


def test_pipes_are_not_waited_for(folder, tmp_path):
    for number, name in enumerate(("model.json", "vocabulary.json", "weights.safetensors")):
        place = tmp_path / str(number)
        shutil.copytree(folder, place)
        (place / name).unlink()
        os.mkfifo(place / name)
        with pytest.raises(Im2latexError, match="is not a file"):
            saved_model.load(place)


def test_names_of_arrays_reach_no_terminal(folder, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(folder, place)
    path = place / "weights.safetensors"
    arrays = safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save({**arrays, "\x1b[31m" * 100: np.zeros(1)}))
    with pytest.raises(Im2latexError, match=r"\\x1b\[31m.* is only in the file") as caught:
        saved_model.load(place)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000
