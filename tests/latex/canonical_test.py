import pytest

from im2latex_jax.latex.canonical import canonicalize
from im2latex_jax.latex.normalizer import NormalizeError


@pytest.mark.parametrize(
    "spellings",
    [
        (r"\mathbf{x}", r"{\bf x}", r"{{\bf x}}", r"\mathbf x"),
        (r"\mathcal{L}_0", r"{\cal L}_0", r"\mathcal L_{0}"),
        (r"\frac{1}{2}", r"\frac12", r"{1 \over 2}", r"{\frac{1}{2}}"),
        (r"a \leq b", r"a\le b", r"{a} \le {b}"),
        (r"x \rightarrow y", r"x\to y"),
        (r"|x|", r"\vert x\vert"),
        (r"x_a^b", r"x\sp b\sb a", r"{x}^{b}_{{a}}"),
        (r"\overline{z}", r"\overline z"),
        (r"x\nonumber", r"x\,", r"\displaystyle x", r"\ensuremath{x}"),
        (r"\left\{ x \right\}", r"\left\lbrace x \right\rbrace"),
        (r"\begin{array}{c}x\end{array}", r"\begin{array}{c}{{x}}\end{array}"),
        (r"a\quad\quad b", r"a\qquad b"),
        (r"\operatorname*{max}_x", r"\max_x"),
    ],
)
def test_one_spelling_a_picture(spellings):
    forms = {canonicalize(formula) for formula in spellings}
    assert len(forms) == 1
    form = forms.pop()
    assert canonicalize(form) == form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{x y}^2", "x y^2"),
        ("{x_a}^2", "x_a^2"),
        ("a{=}b", "a=b"),
        (r"\left(x\right)", "(x)"),
        (r"\tilde{x}", r"\widetilde{x}"),
        (r"\unknown{x y}", r"\unknown x y"),
        (r"\not{\in}", r"\not\in"),
        (r"\text{a -- b}", r"\text{a - - b}"),
        (r"a\ b", "a~b"),
        (r"\bf x y", r"{\bf x} y"),
    ],
)
def test_different_pictures_stay_apart(one, other):
    assert canonicalize(one) != canonicalize(other)


def test_refuses_with_reason():
    with pytest.raises(NormalizeError, match="without"):
        canonicalize("{x")
    with pytest.raises(NormalizeError, match="nothing to draw"):
        canonicalize(r"\,\nonumber")


def test_validation_lines_have_a_stable_canonical_form(shared_data):
    text = (shared_data / "im2latex-100k" / "val.formulas.norm.txt").read_text(encoding="utf-8")
    changed = 0
    for line in text.splitlines()[::4]:
        if "picture" in line:
            continue
        form = canonicalize(line)
        changed += form != line
        assert canonicalize(form) == form
    assert changed > 100
