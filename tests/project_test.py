"""What the files around the package say agrees with the package."""

import pathlib
import tomllib

import yaml

import im2latex_jax

ROOT = pathlib.Path(__file__).resolve().parents[1]


def test_the_citation_has_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == im2latex_jax.__version__


def test_the_package_tells_that_it_has_types():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["im2latex_jax"]
    assert (ROOT / "im2latex_jax" / "py.typed").exists()
    assert not (ROOT / "im2latex_jax" / "experiments").exists()


def test_workflows_call_what_is_there():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values():
            for step in job["steps"]:
                command = step.get("run", "").removeprefix("sudo ")
                if command.startswith(".ci/"):
                    assert (ROOT / command).stat().st_mode & 0o100, command
