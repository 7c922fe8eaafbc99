"""The weights that come with the package: they read at once, and can be fine-tuned."""

import itertools
import random
from collections.abc import Sequence

import pytest
from PIL import Image

from experiments.configs import finetune
from im2latex_jax import Recognizer
from im2latex_jax.cli import main as cli
from im2latex_jax.latex.canonical import canonicalize
from im2latex_jax.model import saved_model
from im2latex_jax.rendering import mathtext
from im2latex_jax.training import run

# Not in the training's typesetting: mathtext draws them, not TeX.
FORMULAS = (
    *("x^{2}+y^{2}=z^{2}", r"\frac{a+b}{c}", r"\sqrt{1-x^{2}}", r"\alpha+\beta=\gamma"),
    *(r"\int_{0}^{1}f(x)\,dx", r"\sum_{n=1}^{\infty}\frac{1}{n^{2}}", "e^{i\\pi}+1=0"),
    *(r"E=mc^{2}", r"\frac{\partial u}{\partial t}=\Delta u", "a_{1}+a_{2}+a_{3}"),
    *(r"\sin x+\cos y", r"f(x)=\lambda x", r"|\psi\rangle", r"A\subset B", r"x\leq y"),
    *(r"\nabla\cdot E=\rho", r"\mu_{k}=\sigma^{2}", r"p\rightarrow q", r"2\pi r", "n!"),
)


def test_they_are_small():
    size = sum(file.stat().st_size for file in saved_model.packaged().iterdir())
    assert 1e6 < size < 30e6


def misread(recognizer: Recognizer, formulas: Sequence[str]) -> list[str]:
    """Wrong answers to drawn formulas; spellings that draw the same picture count as right."""
    answers = recognizer([Image.fromarray(mathtext.draw(formula)) for formula in formulas])
    return [
        answer.latex
        for answer, formula in zip(answers, formulas, strict=True)
        if canonicalize(answer.latex) != canonicalize(formula)
    ]


def test_formulas_of_another_typesetter_are_read():
    wrong = misread(Recognizer.load(), FORMULAS)
    assert len(wrong) <= 0.6 * len(FORMULAS), wrong


def test_predict_takes_them_by_default(tmp_path, capsys):
    Image.fromarray(mathtext.draw("x^{2}+y^{2}=z^{2}")).save(tmp_path / "f.png")
    assert cli.main(["predict", str(tmp_path / "f.png")]) == 0
    assert capsys.readouterr().out == "x^2+y^2=z^2\n"


# Beth numbers: the network has never seen a \beth.
FORMS = (
    *(r"\beth_{%s}=2^{\beth_{%s}}", r"%s<\beth_{%s}", r"|%s|\leq\beth_{%s}"),
    *(r"\beth_{%s}=\max\beth_{%s}", r"\beth_{%s}\to(\beth_{%s})^{2}"),
)
INDICES = (
    *(r"\alpha", r"\beta", r"\omega", "0", "1", "n", r"\lambda", r"\kappa", r"\gamma"),
    *("n+1", r"\alpha+1", r"\omega+1"),
)


@pytest.mark.slow
def test_fifty_pairs_teach_a_new_symbol(tmp_path):
    formulas = [form % pair for form in FORMS for pair in itertools.permutations(INDICES, 2)]
    random.Random(0).shuffle(formulas)
    pairs, others = formulas[:50], formulas[50:70]
    for number, formula in enumerate(pairs):
        Image.fromarray(mathtext.draw(formula)).save(tmp_path / f"{number}.png")
    lines = [f"{number}.png\t{formula}\n" for number, formula in enumerate(pairs)]
    (tmp_path / "pairs.tsv").write_text("".join(lines))

    config = finetune.get_config()
    config.dataset.options.file = str(tmp_path / "pairs.tsv")
    config.dataset.data_dir = str(tmp_path / "data")
    config.num_buckets = config.num_eval_buckets = 1
    config.eval_batch_size = 8
    config.quiet = True
    assert len(misread(Recognizer.load(), others)) == len(others)
    run.run(config, tmp_path / "run")
    assert len(misread(Recognizer.load(tmp_path / "run"), others)) <= 0.5 * len(others)
