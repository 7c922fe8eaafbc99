import pickle

import numpy as np
import pytest

from im2latex_jax import datasets
from im2latex_jax.datasets import mixture
from im2latex_jax.errors import CorruptRecordError, Im2latexError
from im2latex_jax.training import init_from


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two small datasets, linked by the names `a` and `b`."""
    root = tmp_path_factory.mktemp("datasets")
    for seed, name in enumerate("ab"):
        built = datasets.load(
            "synthetic", root, seed=seed, num_train=9 + seed, num_short=2, num_validation=3,
            num_test=2, num_workers=0,
        )  # fmt: skip
        (root / name).symlink_to(built["train"].directory)
    return root


@pytest.fixture
def mixed(folder):
    return datasets.load("mixture", folder, folders=("a", "b"), repeats=(2, 1))


def test_records_of_all_parts_stand_one_after_the_other(folder, mixed):
    a, b = (mixed["train"].parts[number] for number in (0, 1))
    train = mixed["train"]
    assert len(train) == 2 * 11 + 12 and len(mixed["validation"]) == 6
    ids = [train[number]["id"] for number in range(len(train))]
    assert ids == [part[n]["id"] for part in (a, a, b) for n in range(len(part))]
    assert train[-1]["id"] == b[-1]["id"]
    assert train.place(11) == a.place(0)
    with pytest.raises(IndexError):
        train[len(train)]
    assert train.formulas == [train[number]["formula"] for number in range(len(train))]


def test_statistics_are_those_of_the_records(mixed):
    train = mixed["train"]
    lengths = [len(formula.split()) for formula in train.formulas]
    np.testing.assert_array_equal(train.lengths, lengths)
    np.testing.assert_array_equal(
        train.heights, [r["height"] for r in map(train.__getitem__, range(len(train)))]
    )
    parts = [part.statistics for part in train.parts]
    assert train.statistics.token_counts["="] == sum(part.token_counts["="] for part in parts)
    assert train.statistics.fingerprint not in {part.fingerprint for part in parts}


def test_another_mixture_has_another_fingerprint(folder, mixed):
    other = datasets.load("mixture", folder, folders=("a", "b"))
    again = datasets.load("mixture", folder, folders=("a", "b"), repeats=(2, 1))
    fingerprint = mixed["train"].statistics.fingerprint
    assert other["train"].statistics.fingerprint != fingerprint
    assert again["train"].statistics.fingerprint == fingerprint


def test_a_mixture_pickles_and_counts_damage_in_its_parts(mixed):
    mixed["train"].skip_corrupt = True
    copy = pickle.loads(pickle.dumps(mixed["train"]))
    assert copy[30] == mixed["train"][30] and copy.skip_corrupt
    copy.note_corrupt(12, CorruptRecordError("damaged"))
    assert copy.corrupt == {1, 12}  # the same record, in both repetitions


def test_the_lineage_names_every_part(folder, mixed):
    trained_on = init_from.lineage(None, mixed["train"], folder)
    assert [data.fingerprint for data in trained_on] == [
        part.statistics.fingerprint for part in mixed["train"].parts
    ]
    assert all((folder / data.dataset).is_dir() for data in trained_on)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "at least one"),
        ({"folders": ("a", "b"), "repeats": (1,)}, "2 positive numbers"),
        ({"folders": ("a", "b"), "repeats": (1, 0)}, "2 positive numbers"),
        ({"folders": ("nowhere",)}, "no finished dataset"),
    ],
)
def test_what_is_wrong_is_told(folder, settings, message):
    with pytest.raises(Im2latexError, match=message):
        datasets.load("mixture", folder, **settings)


def test_settings_are_plain_values():
    assert mixture.MixtureConfig(folders=["x"]).repeats == (1,)
