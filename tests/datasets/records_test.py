"""Damaged records: named, or skipped and counted."""

import contextlib
import errno
import os
import pathlib
import pickle
import threading
import time

import numpy as np
import pytest
from array_record.python import array_record_module

from im2latex_jax import datasets
from im2latex_jax.datasets import shards, statistics
from im2latex_jax.datasets.records import Split
from im2latex_jax.datasets.synthetic.builder import Synthetic, SyntheticConfig
from im2latex_jax.errors import CorruptRecordError, Im2latexError
from im2latex_jax.runtime import files, locks
from tests.support import damaged_records

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
    index = pathlib.Path(built["train"].directory, "statistics-train.npz")
    index.unlink(missing_ok=True)
    split = opened(skip_corrupt=True)
    np.testing.assert_array_equal(np.flatnonzero(split.heights == 0), [number])
    np.testing.assert_array_equal(np.delete(split.heights, number), np.delete(whole, number))
    assert not index.exists()


def test_a_damaged_file_of_figures_is_made_again(built):
    split = built["train"]
    index = pathlib.Path(split.directory, "statistics-train.npz")
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
    pathlib.Path(built["train"].directory, "statistics-train.npz").unlink(missing_ok=True)
    monkeypatch.setattr(files, "replacing", refuse)
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


def test_a_refusal_of_the_system_is_no_damage(built, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_RETRY_DELAYS", (0.0, 0.0))
    opened = built["validation"]
    split = Split(opened.directory, "validation", skip_corrupt=True)
    expected = split[1]
    file, _ = split._source[0].place(1)
    hidden = f"{file}.hidden"

    def break_reader():
        """Its file is no longer open for reading, as a stale handle is not."""
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/self/fd/{number}") == file:
                    with (tmp_path / "other").open("wb") as other:
                        os.dup2(other.fileno(), int(number))

    break_reader()
    assert split[1] == expected  # opened again
    break_reader()
    os.rename(file, hidden)
    try:
        with pytest.raises(Im2latexError, match=r"cannot be read now \(No such file") as caught:
            split[1]
        assert not isinstance(caught.value, CorruptRecordError)
        with pytest.raises(Im2latexError, match="cannot be read now"):
            _ = split.formulas
        assert not split.corrupt
    finally:
        os.rename(hidden, file)
    assert split[1] == expected


def test_no_more_files_are_open_than_allowed(tmp_path):
    paths = [str(tmp_path / f"{n}") for n in range(5)]
    for n, path in enumerate(paths):
        writer = array_record_module.ArrayRecordWriter(path, "group_size:1")
        for m in range(3):
            writer.write(f"{n} {m}".encode())
        writer.close()
    records = shards.Shards(paths, [3] * 5, max_open=2)
    rng = np.random.default_rng(0)
    for index in [*range(15), *rng.integers(15, size=40)]:
        assert records.read(index, bytes.decode) == f"{index // 3} {index % 3}"
        links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        opened = [os.readlink(link) for link in links if os.path.exists(link)]
        assert sum(path in paths for path in opened) <= 2
    with pytest.raises(IndexError):
        records.read(15, bytes)


def test_a_second_build_waits_for_the_first_and_finds_its_records(tmp_path, monkeypatch, capsys):
    sizes = {"num_train": 3, "num_short": 0, "num_validation": 1, "num_test": 1}
    found = []

    def load():
        found.append(datasets.load("synthetic", tmp_path, num_workers=0, **sizes))

    folder = pathlib.Path(Synthetic(data_dir=tmp_path, config=SyntheticConfig(**sizes)).data_dir)
    lock = folder.with_name(f"{folder.name}.lock")
    second = threading.Thread(target=load)
    with locks.held(lock, "busy"):
        second.start()
        while "another process builds this data set: waiting" not in capsys.readouterr().err:
            assert second.is_alive()
            time.sleep(0.05)
        datasets._prepared(Synthetic, tmp_path, {"config": SyntheticConfig(**sizes)})
        monkeypatch.setattr(Synthetic, "_split_generators", None)  # there is nothing left to build
    second.join()
    assert {name: len(split) for name, split in found[0].items()} == {
        "train": 3,
        "validation": 1,
        "test": 1,
    }


def test_statistics_are_those_of_the_records_whoever_measures_them(built, monkeypatch):
    split = built["train"]
    records = [split[number] for number in range(len(split))]
    kept = Split(split.directory, "train").statistics
    monkeypatch.setattr(statistics, "_MANY", 1)
    monkeypatch.setattr(statistics, "_CHUNK", len(records))
    measured, corrupt = statistics._measure_split(split, num_workers=1)
    assert not corrupt
    for found in (kept, measured, statistics.measure(records)):
        np.testing.assert_array_equal(found.heights, [r["height"] for r in records])
        np.testing.assert_array_equal(found.widths, [r["width"] for r in records])
        lengths = [len(r["formula"].split()) for r in records]
        np.testing.assert_array_equal(found.lengths, lengths)
        np.testing.assert_array_equal(
            found.digests, [statistics.formula_digest(r["formula"]) for r in records]
        )
        assert sum(found.token_counts.values()) == sum(lengths)
        assert found.fingerprint == kept.fingerprint
    records[3] = {**records[3], "image": records[4]["image"]}
    assert statistics.measure(records).fingerprint != kept.fingerprint


def test_spellings_that_draw_the_same_have_one_digest():
    digest = statistics.formula_digest
    assert digest("x ^ { 2 } _ { 1 }") == digest("x _ { 1 } ^ { 2 }") != digest("x _ { 1 }")


def test_what_to_do_about_damage_is_one_of_two_words(tmp_path):
    with pytest.raises(Im2latexError, match=r"on_corrupt is 'ignore': use 'fail' or 'skip'"):
        datasets.load("synthetic", tmp_path, on_corrupt="ignore")
