"""The code blocks of README.md and docs/ run, and the site's sources have no dead links.

A page's `sh` and `python` blocks run one after another in a folder of their own, except those
behind a comment `<!-- not run: why -->` and the README's test command.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from im2latex_jax import datasets
from im2latex_jax.rendering import mathtext
from tests.support import tiny_model

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^(<!-- .*? -->\n)?```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FORMULAS = ("x ^ 2", "a + b", "y = 2 x", "\\alpha", "2 a - b", "x + 1", "\\frac { 1 } { 2 }",
            "x _ 1", "a = b", "3 y", "b ^ 2", "c = 1")  # fmt: skip


def blocks(page: pathlib.Path) -> list[tuple[str, str]]:
    """The language and the text of the blocks that are to be run."""
    return [
        (language, text)
        for comment, language, text in BLOCK.findall(page.read_text("utf-8"))
        if not comment.startswith(("<!-- not run: ", "<!-- test -->"))
    ]


@pytest.fixture
def folder(tmp_path, training) -> pathlib.Path:
    """What the pages take to be there: images, formulas, a model, a dataset, the checkout."""
    for name in ("formula.png", "a.png", "b.png", "scans/a.png", "scans/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.pad(mathtext.draw("x ^ 2 + 3 x = 4"), 9, constant_values=255)).save(
            tmp_path / name
        )
    (tmp_path / "formulas.txt").write_text("".join(f"{formula}\n" for formula in FORMULAS))
    (tmp_path / "pairs").mkdir()
    for number, formula in enumerate(FORMULAS):
        Image.fromarray(mathtext.draw(formula)).save(tmp_path / "pairs" / f"{number}.png")
    lines = [f"pairs/{number}.png\t{formula}\n" for number, formula in enumerate(FORMULAS)]
    (tmp_path / "pairs.tsv").write_text("".join(lines))
    splits = datasets.load(
        "pairs", tmp_path / "data", file=str(tmp_path / "pairs.tsv"), num_workers=0
    )
    (tmp_path / "DATASET").symlink_to(splits["train"].directory)
    tiny_model.save(tmp_path / "MODEL")
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    # The command, where the package is not installed.
    (tmp_path / "bin").mkdir()
    for name, arguments in (("python", ""), ("im2latex", "-m im2latex_jax.cli ")):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments}"$@"\n')
        program.chmod(0o755)
    return tmp_path


def run(language: str, text: str, folder: pathlib.Path) -> None:
    command = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    ended = subprocess.run(
        [*command, text],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{text}\n{ended.stdout}\n{ended.stderr}"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem
)
def test_the_code_blocks_of_a_page_run(page, folder):
    if page.stem == "datasets" and not (shutil.which("latex") and shutil.which("dvipng")):
        pytest.skip("needs latex and dvipng")
    for language, text in blocks(page):
        run(language, text, folder)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_that_is_not_run_says_why(page):
    for comment in re.findall(r"<!-- (.*?) -->", page.read_text("utf-8")):
        assert comment == "test" or re.fullmatch(r"not run: \w.+", comment), comment


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert str(page.relative_to(ROOT / "docs")) in navigation


def test_every_command_is_in_the_reference(capsys):
    from im2latex_jax.cli import main as cli

    reference = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    commands = re.findall(r"^    (\w+) ", capsys.readouterr().out, flags=re.MULTILINE)
    assert "predict" in commands and "train" in commands
    for name in commands:
        assert f"## im2latex {name}" in reference, name
