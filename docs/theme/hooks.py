"""Fills in what the pages take from the code: help texts, default values, files of the repository.

A line `{{ help: train }}` becomes the help of `im2latex train` (`{{ help: im2latex }}`: of all),
`{{ file: PATH }}` a file of the
repository, and `{{ docstring: MODULE }}` the docstring of a module of the package.
"""

import ast
import contextlib
import io
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def on_startup(**_) -> None:
    """Makes the package of this checkout the one that is imported."""
    sys.path.insert(0, str(ROOT))


def on_page_markdown(markdown: str, page, **_) -> str:
    """Replaces the lines described above; links of included files are made relative to `docs`."""
    for kind, fill in (("help", _help), ("file", _file), ("docstring", _docstring)):
        markdown = re.sub(
            rf"^\{{\{{ {kind}: (.+?) \}}\}}$",
            lambda match, fill=fill: fill(match[1], page.file.src_uri.count("/")),
            markdown,
            flags=re.MULTILINE,
        )
    return markdown


def _help(command: str, _depth: int) -> str:
    from im2latex_jax.cli.main import main

    os.environ["COLUMNS"] = "96"
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main([*command.removeprefix("im2latex").split(), "--help"])
    assert text.getvalue(), command
    return f"```text\n{text.getvalue().rstrip()}\n```"


def _file(path: str, depth: int) -> str:
    text = (ROOT / path).read_text("utf-8")
    if path.endswith(".py"):
        return f"```python\n{text.rstrip()}\n```"
    up = "../" * depth
    text = re.sub(r"\]\((?:\.\./)*docs/", f"]({up}", text)
    return text


def _docstring(module: str, _depth: int) -> str:
    path = ROOT / f"{module.replace('.', '/')}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert docstring is not None, module
    return docstring
