"""The notebook runs from its first cell to its last."""

import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"


@pytest.mark.slow
def test_the_tutorial_runs(training):
    notebook = nbformat.read(DOCS / "tutorial.ipynb", as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs"), "commit the notebook without outputs"
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(DOCS)}}
    ).execute()
    printed = [
        output["text"] if "text" in output else output.get("data", {}).get("text/plain", "")
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    ]
    assert any("\\frac{-b\\pm\\sqrt{b^2-4ac}}{2a}" in text for text in printed)
    assert any("'step': 8" in text for text in printed)
