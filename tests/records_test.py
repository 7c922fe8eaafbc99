"""Damaged records: named, or skipped and counted."""

import contextlib
import errno
import pathlib
import pickle

import damaged_records
import numpy as np
import pytest

from im2latex_jax import datasets, whole_files
from im2latex_jax.datasets.records import Split
from im2latex_jax.errors import CorruptRecordError, Im2latexError

SIZES = {"num_train": 30, "num_short": 0, "num_validation": 3, "num_test": 3, "num_workers": 0}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    splits = datasets.load("synthetic", tmp_path_factory.mktemp("records"), **SIZES)
    _ = splits["train"].heights  # read while nothing is damaged
    return splits


@pytest.fixture
def damaged(built):
    """The number of a damaged training record, and how to open the split; repaired afterwards."""
    split = built["train"]
    number, path, content = damaged_records.damage_one(split)
    yield number, lambda **settings: Split(split.directory, "train", **settings)
    path.write_bytes(content)


def test_a_damaged_record_is_named_by_file_and_number(built, damaged):
    number, opened = damaged
    split = opened()
    with pytest.raises(CorruptRecordError) as caught:
        split[number]
    message = str(caught.value)
    assert f"synthetic-train.array_record-00000-of-00001: record {number} cannot be" in message
    assert f"delete {split.directory}" in message
    assert "\n" not in message
    for other in (number - 1, number + 1):
        assert split[other] == built["train"][other]
    with pytest.raises(CorruptRecordError):
        _ = split.formulas


def test_damaged_records_can_be_skipped_and_are_counted_and_named_once(damaged, capsys):
    number, opened = damaged
    split = opened(skip_corrupt=True)
    assert [n for n, formula in enumerate(split.formulas) if not formula] == [number]
    assert split.corrupt == {number}
    with pytest.raises(CorruptRecordError) as caught:
        split[number]
    split.note_corrupt(number, caught.value)
    assert capsys.readouterr().err.count("skipped a record of split 'train'") == 1
    assert pickle.loads(pickle.dumps(split)).skip_corrupt


def test_figures_measured_past_a_damaged_record_are_not_kept(built, damaged):
    number, opened = damaged
    whole = built["train"].heights
    index = pathlib.Path(built["train"].directory, "index-train.npz")
    index.unlink(missing_ok=True)
    split = opened(skip_corrupt=True)
    np.testing.assert_array_equal(np.flatnonzero(split.heights == 0), [number])
    np.testing.assert_array_equal(np.delete(split.heights, number), np.delete(whole, number))
    assert not index.exists()


def test_a_damaged_file_of_figures_is_made_again(built):
    split = built["train"]
    index = pathlib.Path(split.directory, "index-train.npz")
    whole = Split(split.directory, "train").lengths
    for content in (b"", index.read_bytes()[:100], b"no zip at all"):
        index.write_bytes(content)
        np.testing.assert_array_equal(Split(split.directory, "train").lengths, whole)


def test_figures_are_at_hand_where_nothing_can_be_written(built, monkeypatch):
    @contextlib.contextmanager
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))
        yield

    whole = built["train"].lengths
    pathlib.Path(built["train"].directory, "index-train.npz").unlink(missing_ok=True)
    monkeypatch.setattr(whole_files, "replacing", refuse)
    np.testing.assert_array_equal(Split(built["train"].directory, "train").lengths, whole)


def test_a_file_that_was_cut_off_is_damaged_records(built):
    split = built["validation"]
    path = pathlib.Path(split.place(0).rpartition(":")[0])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    try:
        with pytest.raises(CorruptRecordError, match="record 0 cannot be read"):
            Split(split.directory, "validation")[0]
    finally:
        path.write_bytes(content)


def test_what_to_do_about_damage_is_one_of_two_words(tmp_path):
    with pytest.raises(Im2latexError, match=r"on_corrupt is 'ignore': use 'fail' or 'skip'"):
        datasets.load("synthetic", tmp_path, on_corrupt="ignore")
