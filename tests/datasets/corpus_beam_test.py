"""The corpus builder on Apache Beam's local runner gives what the other builder gives."""

import lzma
import pathlib

import pytest

pytest.importorskip("apache_beam", reason="Apache Beam (the extra `beam`) is not installed")

from im2latex_jax import datasets
from im2latex_jax.datasets.corpus import drawing
from im2latex_jax.datasets.corpus.beam import BeamCorpus
from im2latex_jax.datasets.corpus.builder import CorpusConfig
from im2latex_jax.errors import Im2latexError

SETTINGS = {
    "formula_column": "1",
    "group_column": "0",
    "validation_share": 0.2,
    "test_share": 0.2,
    "engine": "mathtext",
    "looks": {"styled": 0.3},
}


@pytest.fixture
def files(tmp_path, monkeypatch) -> list[str]:
    """Two lists of formulas, with duplicates among them and lines that are left out."""
    monkeypatch.setattr(drawing, "CHUNK", 16)
    rows = [f"{n // 3}\tx_{{{n % 50}}} + \\frac{{{n}}}{{2}}" for n in range(90)]
    rows[5] = "1"
    rows[6] = "2\t\\frac{"
    rows[7] = "2\t\\unknowncommand"
    paths = [tmp_path / "a.tsv", tmp_path / "b.tsv"]
    paths[0].write_text("\n".join(rows[:50]) + "\n")
    paths[1].write_text("\n".join(rows[30:]) + "\n")
    return [str(path) for path in paths]


def records(splits) -> dict[str, list]:
    return {name: [split[number] for number in range(len(split))] for name, split in splits.items()}


def test_beam_builds_the_same_records_and_card(files, tmp_path):
    exclude = tmp_path / "evaluation.txt"
    exclude.write_text("x_{20} + {\\frac{20} 2}\n")
    settings = SETTINGS | {"files": files, "exclude": str(exclude)}
    here = datasets.load("corpus", tmp_path / "here", num_workers=0, **settings)
    on_beam = datasets.build(BeamCorpus, tmp_path / "beam", config=CorpusConfig(**settings))
    assert records(on_beam) == records(here)
    assert sum(map(len, here.values())) == 90 - 3 - 1
    for name in ("README.md", "card.json", "card.png", "tokens.tsv", "rejected.tsv"):
        written = [pathlib.Path(s["train"].directory, name).read_bytes() for s in (here, on_beam)]
        assert written[0] == written[1], name
    loaded = datasets.load("corpus", tmp_path / "beam", **settings)
    assert loaded["train"].directory == on_beam["train"].directory


def test_what_is_wrong_with_a_file_is_said_in_one_line(files, tmp_path):
    content = "".join(f"{n}\tx_{{{n * n}}}\n" for n in range(20_000)).encode()
    packed = lzma.compress(content)
    pathlib.Path(files[0]).write_bytes(packed[: len(packed) // 2])
    config = CorpusConfig(files=files, **SETTINGS)
    with pytest.raises(Im2latexError, match=r"a\.tsv:\d+: cannot be read from here on") as caught:
        datasets.build(BeamCorpus, tmp_path / "beam", config=config)
    assert "\n" not in str(caught.value)
