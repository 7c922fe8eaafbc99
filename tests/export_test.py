"""An exported model: the same answers, without the package, wherever it can run."""

import dataclasses
import io
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import textwrap
import tracemalloc
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
from im2latex_jax.runtime import program_check
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


def _with_members(file: pathlib.Path, path: pathlib.Path, packing=0, **changed) -> pathlib.Path:
    """The file with the members of some names changed, packed in some way."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w", packing) as new:
        for name in old.namelist():
            new.writestr(name, changed.get(name.partition(".")[0], old.read(name)))
    return path


def _npz(**arrays) -> bytes:
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=True, **arrays)
    return archive.getvalue()


def test_hostile_files_are_refused_in_one_line(file, tmp_path):
    with zipfile.ZipFile(file) as archive:
        weights = dict(np.load(io.BytesIO(archive.read("weights.npz"))))
    name = min(weights, key=lambda one: weights[one].size)
    headers = {
        kind: b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()
        for kind, text in (
            ("huge", "{'descr': '<f4', 'fortran_order': False, 'shape': (10**12,), }"),
            ("odd", "{'descr': '|V99999999', 'fortran_order': False, 'shape': (9**9,), }"),
            ("deep", "(" * 9000),
        )
    }
    lying = {kind: io.BytesIO() for kind in headers}
    for kind, header in headers.items():
        with zipfile.ZipFile(lying[kind], "w") as archive:
            archive.writestr(f"{name}.npy", header)
    for number, (changed, message) in enumerate(
        [
            ({"meta": b"[" * 100_000}, "nested too deeply"),
            ({"meta": b"{}"}, "format"),
            ({"vocabulary": b"[" * 100_000}, "nested too deeply"),
            ({"vocabulary": b'["<pad>", "<bos>", "<eos>", "<unk>", "\\u001b[31m"]'}, "no.* token"),
            ({"weights": _npz(**{**weights, name: weights[name].astype("f8")})}, "float64"),
            ({"weights": _npz(**{**weights, name: np.asarray([{}])})}, "object"),
            ({"weights": _npz(**{**weights, name: weights[name] * np.nan})}, "not finite"),
            ({"weights": _npz(**{name: weights[name]})}, "takes other arguments"),
            ({"weights": lying["huge"].getvalue()}, "another size|damaged"),
            ({"weights": lying["odd"].getvalue()}, "damaged"),
            ({"weights": lying["deep"].getvalue()}, "damaged"),
            ({"32x64": b"x"}, "a program cannot be read"),
        ]
    ):
        path = _with_members(file, tmp_path / f"{number}.zip", **changed)
        with pytest.raises(Im2latexError, match=message) as caught:
            export.load(path)
        assert f"{number}.zip" in str(caught.value) and str(caught.value).isprintable()


def test_a_zip_bomb_is_refused_before_it_takes_memory(file, tmp_path):
    bomb = _with_members(file, tmp_path / "bomb.zip", zipfile.ZIP_DEFLATED, weights=bytes(60 << 20))
    assert bomb.stat().st_size < 1 << 20
    tracemalloc.start()
    with pytest.raises(Im2latexError, match="is compressed, which the format does not have"):
        export.load(bomb)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"shapes": []}, "0 buckets"),
        ({"shapes": [{"height": 10**6, "width": 10**5, "program": "32x64.jaxexport"}]}, "allowed"),
        ({"shapes": [{"height": 64, "width": 160, "program": "32x64.jaxexport"}]}, "arguments"),
        ({"shapes": [{"height": True, "width": 160, "program": "x"}]}, "a bucket's side"),
        ({"shapes": [{"height": 32, "width": 64, "program": "gone"}]}, "gone"),
        ({"temperature": float("nan")}, "nan"),
        ({"temperature": "x"}, "damaged"),
        ({"shapes": None}, "damaged"),
        ({"format": "\x1b[31m"}, r"is \\x1b\[31m 1, and this reads"),
    ],
)
def test_absurd_descriptions_are_refused(meta, message, file, tmp_path):
    path = _changed(file, tmp_path / "model.zip", **meta)
    with pytest.raises(Im2latexError, match=message) as caught:
        export.load(path)
    assert str(caught.value).isprintable()


def test_members_that_share_their_bytes_are_refused(file, tmp_path):
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        largest = archive.getinfo("weights.npz")
    # The directory says that meta.json is as large as the weights, and where they are.
    entry = data.rindex(b"meta.json") - 46
    assert data[entry:].startswith(b"PK\x01\x02")
    struct.pack_into("<II", data, entry + 20, largest.file_size, largest.file_size)
    struct.pack_into("<I", data, entry + 42, largest.header_offset)
    (tmp_path / "model.zip").write_bytes(data)
    with pytest.raises(Im2latexError, match=r"larger than the file|allowed"):
        export.load(tmp_path / "model.zip")


def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.zip")
    with pytest.raises(Im2latexError, match="is not a file"):
        export.load(tmp_path / "model.zip")


def test_a_program_that_calls_out_is_not_run(file, answers, tmp_path, monkeypatch):
    program = export.load(file)
    monkeypatch.setattr(program_check, "ALLOWED_CUSTOM_CALLS", ())
    with pytest.raises(Im2latexError, match=r"may not be run: it calls 'shape_assertion'"):
        program([answers[0].ink])
    with pytest.raises(Im2latexError, match="shape_assertion"):
        program.check()

    for function, message in (
        (jax.numpy.linalg.inv, "a function of this process"),
        (jax.jit(lambda x: jax.lax.sort(x)), None),
    ):
        allowed = [jax.export.DisabledSafetyCheck.custom_call("lapack_sgetrf_ffi")]
        exported = jax.export.export(jax.jit(function), disabled_checks=allowed)(np.eye(3, 3))
        if message is None:
            program_check.check(exported)
            continue
        with pytest.raises(ValueError, match=message):
            program_check.check(exported)


def test_a_damaged_program_is_refused_in_one_line_and_nothing_is_printed(
    file, answers, tmp_path, capfd
):
    with zipfile.ZipFile(file) as archive:
        data = bytearray(archive.read("32x64.jaxexport"))
    data[len(data) // 2] ^= 255
    with pytest.raises(Im2latexError, match=r"32x64.jaxexport: may not be run|cannot be read"):
        export.load(_with_members(file, tmp_path / "x.zip", **{"32x64": bytes(data)})).check()
    assert capfd.readouterr().err == ""


def test_an_answer_that_is_not_a_number_is_an_error(file, answers):
    program = export.load(file)
    program._weights = jax.tree.map(lambda leaf: leaf * np.nan, program._weights)
    [answer] = program([answers[0].ink])
    assert "not a number" in answer.error and answer.confidence == 0.0


def test_an_operation_whose_name_is_no_text_is_refused_quietly(file, capfd):
    with zipfile.ZipFile(file) as archive:
        exported = jax.export.deserialize(bytearray(archive.read("32x64.jaxexport")))
    data = exported.mlir_module_serialized
    names = [match.start() for match in re.finditer(rb"iota_v1|add_v1|compare_v1", data)]
    assert names
    for start in names:
        damaged = data[:start] + b"\xa0" + data[start + 1 :]
        with pytest.raises(ValueError, match="it is damaged"):
            program_check.check(dataclasses.replace(exported, mlir_module_serialized=damaged))
    assert capfd.readouterr().err == ""
