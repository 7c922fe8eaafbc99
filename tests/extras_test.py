"""A slim install: what needs no extra works without one, and what needs one says which."""

import pathlib
import subprocess
import sys
import tomllib

import pytest

from im2latex_jax.errors import EXTRAS, missing_extra

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Runs the command where the modules of the extras cannot be imported. flax brings optax and orbax.
SLIM = f"""
import sys
for name in {sorted(set(EXTRAS) - {"absl", "optax", "orbax"})!r}:
    sys.modules[name] = None
from im2latex_jax.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
DISTRIBUTIONS = {"absl": "absl-py", "math_ml2omml": "mathml-to-omml", "orbax": "orbax-checkpoint"}


def slim(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", SLIM, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_images_are_read_without_extras():
    ended = slim("predict", "docs/formula.png")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "x=\\frac{-b\\pm\\sqrt{b^2-4ac}}{2a}\n"


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["train", "--workdir", "{}/run"], "train"),
        (["evaluate", "{}/pairs.tsv"], "evaluate"),
        (["solve", "--latex", "1+1"], "solve"),
        (["predict", "docs/formula.png", "--format", "mathml"], "formats"),
        (
            ["render", "{}/formulas.txt", "--out", "{}", "--engine", "mathtext", "--jobs", "1"],
            "render",
        ),
    ],
)
def test_a_missing_extra_is_told_in_one_line(arguments, extra, tmp_path):
    (tmp_path / "formulas.txt").write_text("x\n")
    (tmp_path / "pairs.tsv").write_text("x.png\tx\n")
    ended = slim(*[argument.format(tmp_path) for argument in arguments])
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert f"pip install 'im2latex_jax[{extra}]'" in line
    assert not (tmp_path / "run").exists()


def test_other_modules_keep_their_traceback():
    assert missing_extra(ModuleNotFoundError("no", name="im2latex_jax.nothing")) is None


def test_every_extra_brings_its_modules():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for module, extra in EXTRAS.items():
        distribution = DISTRIBUTIONS.get(module, module).replace("_", "-").lower()
        brought = [line.lower() for line in project["optional-dependencies"][extra]]
        assert any(line.startswith(distribution) for line in brought), (module, extra)
        assert not any(line.startswith(distribution) for line in project["dependencies"])
