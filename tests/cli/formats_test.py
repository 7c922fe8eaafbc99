"""What `im2latex predict` prints for an answer: clean LaTeX, the normal form, and formats."""

import json
import types

import pytest

from im2latex_jax import recognizer
from im2latex_jax.cli import main as cli
from im2latex_jax.recognizer import Recognition

NORMAL = r"{\bf E}=\frac{1}{2}m_{\mu\nu}v^{2}"
CLEAN = r"\mathbf{E}=\frac{1}{2}m_{\mu\nu}v^2"


@pytest.fixture(autouse=True)
def read(monkeypatch):
    """Reads NORMAL in any image."""

    class Reader:
        def stream(self, images):
            for _ in images:
                yield Recognition(normal_form=NORMAL, tokens=NORMAL.split(), confidence=0.5)

    load = types.SimpleNamespace(load=lambda *_, **__: Reader())
    monkeypatch.setattr(recognizer, "Recognizer", load)


def predict(capsys, *arguments) -> tuple[int, str, str]:
    status = cli.main(["predict", "a.png", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        ([], f"{CLEAN}\n"),
        (["--normal-form"], f"{NORMAL}\n"),
        (["--format", "display"], f"\\[{CLEAN}\\]\n"),
        (["--format", "inline"], f"${CLEAN}$\n"),
        (["--format", "markdown"], f"$$\n{CLEAN}\n$$\n"),
        (["--format", "typst"], "upright(bold(E)) = frac(1, 2) m_(mu nu) v^2\n"),
    ],
)
def test_formats(capsys, arguments, printed):
    assert predict(capsys, *arguments) == (0, printed, "")


def test_json(capsys):
    for flags, latex in (([], CLEAN), (["--normal-form"], NORMAL)):
        for form in (["--json"], ["--format", "json"]):
            status, printed, _ = predict(capsys, *flags, *form)
            answer = json.loads(printed)
            assert status == 0
            assert (answer["image"], answer["latex"]) == ("a.png", latex)


def test_what_a_format_cannot_express_leaves_the_line_empty(capsys):
    pytest.importorskip("sympy")
    status, printed, said = predict(capsys, "--format", "sympy")
    assert (status, printed) == (1, "\n")
    (line,) = said.splitlines()
    assert line.startswith("im2latex: error: a.png: the formula cannot be written as sympy: ")


def test_wrong_combinations_are_usage_errors(capsys):
    for arguments in (["--normal-form", "--format", "mathml"], ["--json", "--format", "typst"]):
        with pytest.raises(SystemExit) as caught:
            predict(capsys, *arguments)
        assert caught.value.code == 2
