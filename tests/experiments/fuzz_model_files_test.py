"""Damaged files of models, a short form of `experiments.tools.fuzz_model_files`."""

import collections
import pathlib
import tempfile

import pytest

from experiments.tools import fuzz_model_files
from im2latex_jax import export
from tests.support import tiny_model

COUNT = 120


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> fuzz_model_files.Originals:
    place = tmp_path_factory.mktemp("fuzz")
    folder = tiny_model.save(place / "model")
    export.export(folder, place / "model.zip")
    return fuzz_model_files.Originals(folder, place / "model.zip")


def test_damaged_files_are_read_or_refused_in_one_line(originals):
    counts: collections.Counter[str] = collections.Counter()
    for number, (kind, message) in fuzz_model_files.outcomes(originals, range(COUNT), seed=1):
        assert kind != "fault", f"{number}: {message}"
        counts[kind] += 1
    assert counts.total() == COUNT
    assert 0.02 * COUNT < counts["read"] < 0.5 * COUNT


def test_a_fault_is_found_and_the_rest_is_read(originals, tmp_path):
    """An undamaged file that cannot be read is a fault, and so is a file that is not refused."""
    broken = fuzz_model_files.Originals(tmp_path, originals.exported)
    [(number, (kind, message))] = fuzz_model_files.outcomes(broken, range(1), seed=0)
    assert (number, kind) == (0, "fault") and "no model here" in message


def test_a_number_names_the_same_file_again(originals):
    for number in range(6):
        made = []
        for _ in range(2):
            with tempfile.TemporaryDirectory() as place:
                path = fuzz_model_files.mutate(originals, number, 3, pathlib.Path(place))
                files = sorted(path.iterdir()) if path.is_dir() else [path]
                made.append([file.read_bytes() for file in files])
        assert made[0] == made[1]
