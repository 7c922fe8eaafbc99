"""Fixtures that several test files share."""

import os
import pathlib

import pytest


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """The folder of real data (see README); tests that need it are skipped where it is missing."""
    root = pathlib.Path(__file__).resolve().parent.parent
    folder = pathlib.Path(os.environ.get("IM2LATEX_SHARED_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set IM2LATEX_SHARED_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory) -> pathlib.Path:
    """Holds what training runs of all test files share: `data` and `cache`."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def training(runs_folder, monkeypatch) -> pathlib.Path:
    """The same folder, with the compiled programs kept there."""
    from im2latex_jax.runtime import compilation

    monkeypatch.setenv("IM2LATEX_CACHE", str(runs_folder / "cache"))
    compilation.enable_cache()
    return runs_folder


@pytest.fixture(scope="session")
def finished(runs_folder) -> tuple[pathlib.Path, dict]:
    """A run of `tiny_run` left alone: its work directory and its result. Not to be changed."""
    from im2latex_jax.runtime import compilation
    from im2latex_jax.training import run
    from tests.support import tiny_run

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IM2LATEX_CACHE", str(runs_folder / "cache"))
        compilation.enable_cache()
        workdir = runs_folder / "alone"
        return workdir, run.run(tiny_run.config(runs_folder / "data"), workdir)
