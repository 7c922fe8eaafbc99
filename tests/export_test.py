"""An exported model: the same answers, without the package, wherever it can run."""

import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import textwrap
import zipfile

import jax.export
import numpy as np
import pytest

from im2latex_jax import export
from im2latex_jax.cli import main as cli
from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.model import saved_model
from im2latex_jax.recognizer import Recognition, Recognizer
from im2latex_jax.rendering import mathtext
from tests.support import tiny_model

FORMULAS = ("x", "x + y", r"\frac { x } { y }", r"x ^ { 2 } + y ^ { 2 } = 1", r"\alpha")
UNFINISHED = {"_", "^", r"\frac", r"\left(", r"\begin{matrix}"}
# What the documentation says that reading takes, in a process where more cannot be imported.
READER = textwrap.dedent(
    re.search(r"\n(    import io.*?)\n\n[^ ]", export.__doc__, re.DOTALL)[1]  # type: ignore[index, arg-type]
)
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"im2latex_jax", "experiments", "flax", "cv2", "PIL"}:
            raise ImportError(f"{name} is out of bounds")

sys.meta_path.insert(0, Blocker())
try:
    import im2latex_jax
except ImportError:
    pass
else:
    sys.exit("the model's code can be imported")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """A model of two shapes, whose confidence is calibrated."""
    model = tiny_model.build(buckets=(Bucket(32, 64, 16), Bucket(64, 160, 32)))
    folder = tmp_path_factory.mktemp("model")
    saved_model.save(folder, dataclasses.replace(model, temperature=3.0, scale=1.2))
    return folder


@pytest.fixture(scope="module")
def file(folder, tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("export") / "model.zip"
    assert export.export(folder, path) == [(32, 64), (64, 160)]
    return path


@pytest.fixture(scope="module")
def program(file) -> export.Program:
    return export.load(file)


@pytest.fixture(scope="module")
def answers(folder) -> list[Recognition]:
    """What the recognizer reads, and the prepared pictures that it saw."""
    pictures = [np.pad(mathtext.draw(f), 9, constant_values=255) for f in FORMULAS]
    return Recognizer.load(folder, rescale=False)(pictures)


def test_the_documented_lines_read_the_same_in_a_process_without_the_package(
    file, answers, tmp_path
):
    assert len(READER.splitlines()) < 25
    (tmp_path / "read.py").write_text(BLOCKER + READER)
    np.save(tmp_path / "ink.npy", answers[0].ink)
    run = subprocess.run(
        [sys.executable, "-I", "read.py", str(file), "ink.npy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    tokens, confidence = run.stdout.rstrip("\n").split("\t")
    assert tokens.split(" ") == answers[0].tokens
    assert float(confidence) == pytest.approx(answers[0].confidence, rel=1e-3)


def test_it_reads_as_the_recognizer_does_in_batches_of_any_size(program, answers):
    assert len({answer.ink.shape[1] > 64 for answer in answers}) == 2
    assert len({tuple(answer.tokens) for answer in answers}) > 2
    inks = [answer.ink for answer in answers]
    found = [*program(inks), *program(inks[1:2])]
    for one, other in zip(found, [*answers, answers[1]], strict=True):
        assert one.tokens == other.tokens and one.latex == other.latex
        assert one.confidence == pytest.approx(other.confidence, rel=1e-3)
        assert one.log_prob == pytest.approx(other.log_prob, rel=1e-3)
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)


def test_prepared_pictures_may_be_fractions_and_nothing_else(program, answers):
    ink = answers[1].ink
    assert program([ink / 255])[0].tokens == answers[1].tokens
    for other in (ink.astype(np.int32), ink * 1.5, ink[..., None], ink[:0]):
        with pytest.raises(Im2latexError, match="a prepared picture is"):
            program([other])
    with pytest.raises(Im2latexError, match="larger than 160 x 64"):
        program([np.zeros((65, 10), np.uint8)])


def test_a_blank_picture_gives_nothing_and_is_not_sure(program):
    [blank] = program([np.zeros((20, 30), np.uint8)])
    assert (blank.latex, blank.confidence) == ("", 0.0)


def test_the_programs_are_for_cpu_and_cuda_and_call_nothing_unstable(file):
    with zipfile.ZipFile(file) as archive:
        meta = json.loads(archive.read("meta.json"))
        assert meta["platforms"] == ["cpu", "cuda"]
        for shape in meta["shapes"]:
            data = archive.read(shape["program"])
            exported = jax.export.deserialize(bytearray(data))
            assert exported.platforms == ("cpu", "cuda")
            assert exported.calling_convention_version == meta["calling_convention_version"]
            # Those of XLA itself, which JAX removes before it compiles.
            calls = re.findall(r"custom_call @(\w+)", exported.mlir_module())
            assert set(calls) <= {"shape_assertion"}
            assert b".py" not in data


def test_what_a_reader_must_know_is_in_the_file(program, folder):
    tokens = json.loads((folder / "vocabulary.json").read_text())
    assert list(program.vocabulary.tokens) == tokens
    assert program.meta["margin"] == 4
    assert program.meta["letter_height"] == pytest.approx(7.4 * 1.2, abs=0.01)
    assert (program.meta["temperature"], program.meta["jax_version"]) == (3.0, jax.__version__)


def test_the_same_model_gives_the_same_file(file, folder, tmp_path):
    export.export(folder, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == file.read_bytes()


def test_constraints_can_be_left_out(folder, answers, tmp_path):
    export.export(folder, tmp_path / "free.zip", constrain=False)
    [free] = export.load(tmp_path / "free.zip")([answers[0].ink])
    assert answers[0].tokens[-1] not in UNFINISHED
    assert free.tokens[-1] in UNFINISHED


def _changed(file: pathlib.Path, path: pathlib.Path, **meta) -> pathlib.Path:
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "meta.json":
                data = json.dumps({**json.loads(data), **meta}).encode()
            new.writestr(name, data)
    return path


def test_files_that_cannot_be_run_are_refused_in_one_line(file, tmp_path):
    (tmp_path / "text.zip").write_text("not an archive")
    (tmp_path / "cut.zip").write_bytes(file.read_bytes()[:-5000])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("notes.txt", "another archive")
    damaged = bytearray(file.read_bytes())
    damaged[5000] ^= 255  # in the weights
    (tmp_path / "damaged.zip").write_bytes(damaged)
    _changed(file, tmp_path / "format.zip", version=99)
    _changed(file, tmp_path / "old.zip", calling_convention_version=1, jax_version="0.4.1")
    for name, message in (
        ("gone.zip", "No such file"),
        ("text.zip", "is no exported model"),
        ("cut.zip", "is no exported model"),
        ("other.zip", "is no exported model"),
        ("damaged.zip", "damaged"),
        ("format.zip", "99, and this reads im2latex_jax.export 1"),
        ("old.zip", "was exported with jax 0.4.1"),
    ):
        with pytest.raises(Im2latexError, match=message) as caught:
            export.load(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_the_command_writes_the_file_or_says_why_not(folder, file, tmp_path, capsys):
    out = tmp_path / "model.zip"
    arguments = ["export", "--checkpoint", str(folder), "--out"]
    assert cli.main([*arguments, str(out)]) == 0
    assert out.read_bytes() == file.read_bytes()
    assert "pictures of up to 160 x 64 pixels" in capsys.readouterr().err
    assert cli.main([*arguments, str(tmp_path / "no" / "folder.zip")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert cli.main(["export", "--checkpoint", str(tmp_path), "--out", str(out)]) == 1
    assert "no model here" in capsys.readouterr().err
    assert list(tmp_path.glob("*.part")) == []
