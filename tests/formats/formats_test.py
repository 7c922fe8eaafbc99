"""Output formats: what is written, that it can be read, and what is refused."""

import importlib.util
import subprocess
import sys

import pytest

from im2latex_jax import formats
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.tidy import tidy
from im2latex_jax.recognizer import Recognition

QUADRATIC = r"x=\frac{-b\pm\sqrt{b^2-4ac}}{2a}"
# Constructs of all kinds; those of real formulas are tested on 500 by experiments.reports.formats.
SAMPLES = (
    QUADRATIC,
    r"x\tag{3.14}",
    r"\operatorname*{Tr}_x A+\operatorname{sinc}x",
    r"\sum_{\substack{i<n \\ j<n}}x_i",
    r"\tfrac{1}{2}+\dfrac{1}{2}+\binom{n}{k}",
    r"\begin{aligned} a & =b \\ c & =d \end{aligned}",
    r"\begin{cases} x & \text{if }x>0 \\ 0 & \text{otherwise} \end{cases}",
    r"\ln\mathopen{\Big(}x\Big)",
    r"a\hspace{14pt}b\not{x}\not\in y\ne z",
    r"\begin{vmatrix} a & b \\ c & d \end{vmatrix}",
    r"\overset{a}{=}\underset{b}{x}\stackrel{a}{\to}\xrightarrow{a}b",
    r"\mathbb{R}\mathfrak{g}\mathscr{L}\boldsymbol{x}",
    r"\left.\frac{a}{b}\right|_{x=0}+f''(x)+g_i'^2+{}^{14}C",
    r"\overbrace{a+b}^n+\boxed{x}+\mathring{x}+\sqrt[3]{x}",
    r"\begin{array}{c|c} a & b \\ \hline c & d \end{array}",
    r"\lim_{x\to0}\int_0^\infty\frac{f(a,b)^2}{[0,1)}\left[0,1\right)",
    r"\left\langle a,b\middle".replace(r"\middle", r"\right\rangle"),
    r"\hbar\;\,\!\quad~\ \ldots\pmod{n}",
)


def test_latex_between_delimiters():
    answer = Recognition(normal_form=r"{ \bf E } = m c ^ { 2 } \qquad \qquad ( 3 )")

    assert answer.latex == r"\mathbf{E}=mc^2\tag{3}"
    assert answer.display == r"\[\mathbf{E}=mc^2\tag{3}\]"
    assert answer.inline == r"$\mathbf{E}=mc^2\quad(3)$"
    assert answer.markdown == "$$\n\\mathbf{E}=mc^2\\tag{3}\n$$"
    assert formats.convert("[a]", "display") == r"\[ [a]\]"


def test_an_empty_answer_is_empty_in_every_format():
    assert {name: formats.convert("", name) for name in formats.FORMATS} == dict.fromkeys(
        formats.FORMATS, ""
    )


@pytest.mark.parametrize("latex", SAMPLES)
def test_mathml_and_omml(latex):
    etree = pytest.importorskip("lxml.etree")
    pytest.importorskip("math_ml2omml")
    assert tidy(latex, portable=True) == latex
    for name, root in (
        ("mathml", "{http://www.w3.org/1998/Math/MathML}math"),
        ("omml", "{http://schemas.openxmlformats.org/officeDocument/2006/math}oMath"),
    ):
        tree = etree.fromstring(formats.convert(latex, name))
        assert tree.tag == root
        text = "".join(tree.itertext())
        assert "\\" not in text and "&" not in text


def test_typst_spelling():
    assert formats.convert(QUADRATIC, "typst") == (
        "x = frac(- b plus.minus sqrt(b^2 - 4 a c), 2 a)"
    )
    assert formats.convert(r"3.14f''(x,y)_i^2\in\mathbf{R}", "typst") == (
        "3.14 f'' (x, y)_i^2 in upright(bold(R))"
    )


@pytest.mark.skipif(importlib.util.find_spec("typst") is None, reason="typst is not installed")
def test_typst_compiles():
    import typst

    written = [f"$ {formats.convert(latex, 'typst')} $" for latex in SAMPLES]
    typst.compile("\n\n".join(written).encode())


def test_sympy_is_python_that_sympy_reads():
    sympy = pytest.importorskip("sympy")
    written = formats.convert(r"x^2+3x=4", "sympy")
    assert sympy.sympify(written) == sympy.Eq(sympy.Symbol("x") ** 2 + 3 * sympy.Symbol("x"), 4)
    system = formats.convert(r"\begin{cases} x+y=1 \\ x-y=0 \end{cases}", "sympy")
    assert len(sympy.sympify(system)) == 2


def test_what_a_format_cannot_express_is_told():
    with pytest.raises(formats.FormatError, match=r"cannot be written as sympy: .*tensors"):
        formats.convert(r"g_{\mu\nu}x^\mu", "sympy")
    with pytest.raises(formats.FormatError, match=r"as typst: .*raisebox"):
        formats.convert(r"\raisebox{1pt}{x}", "typst")
    with pytest.raises(formats.FormatError, match="unknown format 'docx': choose one of latex"):
        formats.convert("x", "docx")


def test_a_missing_library_is_told_in_one_line():
    program = (
        "import sys; sys.modules['latex2mathml'] = None\n"
        "from im2latex_jax import formats\n"
        "formats.convert('x', 'mathml')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'im2latex_jax[formats]'" in ended.stderr.splitlines()[-1]
    assert issubclass(formats.FormatError, Im2latexError)
