import json
import time

import numpy as np
import pytest
import sympy

from im2latex_jax import images, solving
from im2latex_jax.cli import main as cli
from im2latex_jax.datasets.synthetic import grammar
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.lexer import detokenize
from im2latex_jax.recognizer import Recognition
from im2latex_jax.rendering import mathtext
from im2latex_jax.solving import computation, parser
from im2latex_jax.solving.real_roots import RealRoot
from im2latex_jax.solving.statements import NotComputableError

x, y, n, k = sympy.symbols("x y n k")
SYSTEM = r"\left\{ \begin{array} { l } { 2 x + y = 3 , } \\ { x - y = 0 . } \\ \end{array} \right."


def _parsed(formula: str) -> sympy.Basic:
    [statement] = parser.parse(formula).statements
    return statement


def _found(formula: str) -> dict:
    """The fields of the answer; several notes and solutions as lists."""
    fields: dict = {"note": [], "solutions": []}
    for name, value in computation.findings(formula):
        if name == "note":
            fields["note"].append(value)
        elif name == "solutions":
            fields["solutions"] += [{s: w.sympy for s, w in found.items()} for found in value]
        else:
            fields[name] = value
    return fields


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"\sin 2x\cos y", sympy.sin(2 * x) * sympy.cos(y)),
        (r"\operatorname { s i n } ^ { 2 } ( x ) y", sympy.sin(x) ** 2 * y),
        (r"\sin^{-1} x", sympy.asin(x)),
        (r"\sin -x", -sympy.sin(x)),
        (r"\cos 60^{\circ}", sympy.cos(sympy.pi / 3)),
        (r"1/2x", 1 / (2 * x)),
        (r"x(y+1)", x * (y + 1)),
        (r"-x^{2}", -(x**2)),
        (r"2 - - x", 2 + x),
        (r"12.5x + 1{,}000", sympy.Rational(25, 2) * x + 1000),
        (r"\sqrt[3]{x} + \sqrt[3]{-8}", RealRoot(x, 3) - 2),
        (r"\left|x-1\right| + |y|", sympy.Abs(x - 1) + sympy.Abs(y)),
        (r"\log_{2} 8 + \ln x", 3 + sympy.log(x)),
        (r"\mathrm{e}^{i\pi} + \mathrm{ e }", sympy.E - 1),
        (r"{n \choose k} + n!", sympy.binomial(n, k) + sympy.factorial(n)),
        (r"\bar{x} + x_{1} + x_{\mathrm{max}}", sum(sympy.symbols("xbar x_1 x_max"))),
        (r"\max(x, y) + \lfloor y \rfloor", sympy.Max(x, y) + sympy.floor(y)),
        (r"\Gamma(5) + \operatorname{erf}(x)", 24 + sympy.erf(x)),
        (r"\frac{d}{dx}x^{2}\sin x + 1", 1 + sympy.diff(x**2 * sympy.sin(x), x)),
        (r"\frac{d^{2} ( x^{3} )}{dx^{2}}", 6 * x),
        (r"\frac{\partial^{2}}{\partial x\partial y}x^{2}y^{3}", 6 * x * y**2),
        (r"\int \frac{dx}{1+x^{2}} + 1", sympy.atan(x) + 1),
        (r"\int x^{2} + 1 \, \mathrm{d} x", x**3 / 3 + x),
        (r"\int dx x^{2}", x**3 / 3),
        (r"\int_{0}^{1}\int_{0}^{x} xy dy dx", sympy.Rational(1, 8)),
        (r"\int_{0}^{1} x dx \int_{0}^{1} y dy", sympy.Rational(1, 4)),
        (r"\iint xy\,dx\,dy", x**2 * y**2 / 4),
        (r"\sum_{i=1}^{3} i^{2} + i", sympy.Integer(20)),
        (r"\sum_{k=1}^{3} k^{2} + i", 14 + sympy.I),
        (r"\left. x^{2} \right|_{1}^{3}", sympy.Integer(8)),
        (r"\prod_{k=1}^{4} 2 k - 1", sympy.Integer(383)),
        (r"\lim_{x \rightarrow 0^{+}} \frac{|x|}{x}", sympy.Integer(1)),
        (r"\lim_{x \rightarrow 0^{-}} \frac{|x|}{x}", sympy.Integer(-1)),
        (r"\begin{vmatrix}x&1\\2&y\end{vmatrix}", x * y - 2),
        (r"f(x)=x^{2}", x**2),
    ],
)
def test_formulas_mean_what_a_reader_takes_them_for(formula, expected):
    assert sympy.simplify(_parsed(formula).doit() - expected) == 0


def test_what_is_parsed_is_not_yet_computed():
    assert str(_parsed("x+x")) == "x + x"
    assert _parsed(r"2 \cdot 3 + 5!") != 126 and _parsed(r"2 \cdot 3 + 5!").doit() == 126
    assert isinstance(_parsed(r"\int_0^1 x dx"), sympy.Integral)


def _random_expression(rng: np.random.Generator, depth: int) -> sympy.Expr:
    if depth == 0:
        return [x, y, sympy.pi, sympy.Integer(3), sympy.Rational(2, 7)][rng.integers(5)]
    a, b = (_random_expression(rng, depth - 1) for _ in range(2))
    functions = [sympy.sin, sympy.cosh, sympy.atan, sympy.exp, sympy.sqrt, sympy.Abs, sympy.erf]
    function = functions[rng.integers(len(functions))]
    return [a + b, a - b, a * b, a / (b**2 + 1), a**2, function(a)][rng.integers(6)]


@pytest.mark.parametrize("seed", range(40))
def test_the_latex_that_sympy_prints_is_read_back(seed):
    expression = _random_expression(np.random.default_rng(seed), 4)
    read = _parsed(sympy.latex(expression))
    values = {x: sympy.Rational(3, 7), y: sympy.Rational(5, 4)}
    difference = (read - expression).subs(values).evalf(30)
    scale = 1 + abs(expression.subs(values).evalf(30))
    assert abs(difference) / scale < 1e-12


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        (r"g_{\mu\nu} x^{\mu} x^{\nu}", "indices"),
        (r"F^{\mu\nu}", "indices"),
        (r"\delta_{ij}", "indices"),
        (r"1 + 2 + \ldots + n", "ellipsis"),
        (r"f(x+1) = 2", "undefined function"),
        (r"\psi(x) \psi(y)", "undefined function"),
        (r"y'' + y = 0", "prime"),
        (r"f^{(n)}", "undefined function"),
        (r"P_{1}^{(2)}", "undefined function"),
        (r"\frac{dy}{dx} = y", "undefined function of x"),
        (r"\dot{x} = 1", "function of time"),
        (r"\sum_{i=1}^{n} a_{i}", "undefined sequence"),
        (r"\sum_{n} n", "index"),
        (r"\int x^{2}", "differential"),
        (r"x = \pm 1", "double sign"),
        (r"\vec{a} \cdot \vec{b}", "vectors"),
        (r"x \in \mathbb{R}", "sets"),
        (r"a \approx b", "nearly"),
        (r"(1, 2)", "list"),
        (r"\mathrm{Tr}(A)", "Tr is not a function"),
        (r"x +", "missing at its end"),
        (r"(x + 1]", "does not fit"),
        (r"\left. x y \right|_{0}^{1}", "for which variable"),
        (r"1:2:3", "ratio of more than two"),
        (r"x = 1, 2, 3", "a list"),
        (r"1.2.3", "not a number"),
        (r"2 \; 3", "beside each other"),
        (r"20^{\circ} \mathrm{C}", "degrees"),
        (r"3\,\mathrm{m} + 2\,\mathrm{s}", "different units"),
        (r"A^{T}", "transpose"),
        (r"3 \equiv 1", "modulus"),
        (r"\begin{pmatrix}1\\2\end{pmatrix} + 1", "matrices do not fit"),
        (r"\quad .", "nothing"),
        (r"f(x)=\begin{cases}1&x>0\\0&x<0\end{cases}", "undefined function"),
    ],
)
def test_what_cannot_be_computed_is_said(formula, reason):
    with pytest.raises(Im2latexError, match=reason) as caught:
        parser.parse(formula)
    assert "\n" not in str(caught.value)


def test_any_tokens_are_read_or_refused():
    rng = np.random.default_rng(0)
    formulas = [grammar.generate(0, index) for index in range(150)]
    words = sorted({token for formula in formulas for token in formula})
    soups = [rng.choice(words, rng.integers(1, 10)).tolist() for _ in range(500)]
    read = 0
    for tokens in formulas + soups:
        try:
            read += bool(parser.parse(detokenize(tokens)).statements)
        except Im2latexError:
            continue
    assert 20 < read < 600


@pytest.mark.parametrize(
    ("formula", "solutions"),
    [
        ("x^{2}-5x+6=0", [{"x": "2"}, {"x": "3"}]),
        ("x^{2}+1=0", [{"x": "-I"}, {"x": "I"}]),
        ("2x+3y=7", [{"x": "7/2 - 3*y/2"}, {"y": "7/3 - 2*x/3"}]),
        (r"\left|x-1\right|=2", [{"x": "-1"}, {"x": "3"}]),
        (r"2^{x}=8", [{"x": "3"}]),
        (r"A=\int_{0}^{1}x^{2}dx", [{"A": "1/3"}]),
        (r"\sum_{k=1}^{n}k=10", [{"n": "4"}]),
        (SYSTEM, [{"x": "1", "y": "1"}]),
        (r"\begin{aligned}x+y&=3\\x-y&=1\end{aligned}", [{"x": "2", "y": "1"}]),
        (r"\begin{eqnarray}x&=&y\\y&=&1\end{eqnarray}", [{"x": "1", "y": "1"}]),
        (r"x + y = a, \quad x - y = b", [{"x": "a/2 + b/2", "y": "a/2 - b/2"}]),
        (
            r"\begin{pmatrix}1&2\\3&4\end{pmatrix}\begin{pmatrix}x\\y\end{pmatrix}="
            r"\begin{pmatrix}5\\6\end{pmatrix}",
            [{"x": "-4", "y": "9/2"}],
        ),
    ],
)
def test_equations_are_solved(formula, solutions):
    found = _found(formula)
    assert found["solutions"] == solutions and "holds" not in found


@pytest.mark.parametrize(
    ("formula", "conditions"),
    [
        (r"x^{2}<4", {"(-2 < x)", "(x < 2)"}),
        (r"1 < 2x \leq 6", {"(1/2 < x)", "(x <= 3)"}),
        (r"3 - x \geq 1", {"x <= 2"}),
    ],
)
def test_inequalities_are_solved(formula, conditions):
    [solution] = _found(formula)["solutions"]
    assert set(solution["condition"].split(" & ")) == conditions


def test_roots_without_closed_form_are_numbers():
    _, solutions = next(f for f in computation.findings("x^{5}-x-1=0") if f[0] == "solutions")
    assert len(solutions) == 5 and solutions[0]["x"].numeric == "1.16730397826"
    found = _found(r"x = \cos x")
    assert found["solutions"] == [{"x": "0.739085133215"}]
    assert any("numerically" in note for note in found["note"])


@pytest.mark.parametrize(
    ("formula", "holds"),
    [
        (r"\sin^{2}x+\cos^{2}x=1", True),
        (r"(x+1)^{2}=x^{2}+2x+1", True),
        (r"2 + 2 = 4", True),
        (r"2 + 2 = 5", False),
        (r"x = x + 1", False),
        (r"x^{2} > -1", True),
        (r"2 < 1", False),
    ],
)
def test_statements_that_always_or_never_hold(formula, holds):
    found = _found(formula)
    assert found["holds"] is holds and found["solutions"] == []


def test_an_equation_without_solution_says_so():
    for formula in (r"\sqrt{x} = -1", r"\begin{cases}x+y=1\\x+y=2\end{cases}", r"|x|=-1"):
        found = _found(formula)
        assert found["solutions"] == []
        assert any(note.startswith("no solution was found") for note in found["note"])


@pytest.mark.parametrize(
    ("formula", "value", "numeric"),
    [
        (r"\int_{-\infty}^{\infty}e^{-x^{2}}dx", "sqrt(pi)", "1.77245385091"),
        (r"\int \frac { 1 } { x } d x", "log(x)", None),
        (r"\frac{d}{dx}x^{3}", "3*x**2", None),
        (r"\lim_{n\to\infty}\left(1+\frac{1}{n}\right)^{n}", "E", "2.71828182846"),
        (r"\sum_{n=1}^{\infty}\frac{1}{n^{2}}", "pi**2/6", "1.64493406685"),
        (r"\sum_{k=0}^{n}\binom{n}{k}", "2**n", None),
        (r"\prod_{k=1}^{n}k", "factorial(n)", None),
        (r"\int_{0}^{1}\sin(\sin x)dx", "Integral(sin(sin(x)), (x, 0, 1))", "0.430606103121"),
    ],
)
def test_values(formula, value, numeric):
    found = _found(formula)
    assert (found["value"].sympy, found["value"].numeric) == (value, numeric)


def test_expressions_are_simplified():
    assert _found(r"\frac{x^{2}-1}{x-1}")["simplified"].sympy == "x + 1"
    simplified = _found(r"\frac{1}{2}+\frac{1}{3}")["simplified"]
    assert (simplified.sympy, simplified.latex) == ("5/6", r"\frac{5}{6}")
    assert simplified.numeric == "0.833333333333"


def test_what_was_assumed_is_noted():
    assert "e is read as Euler's number" in _found("e^{x}")["note"]
    assert any("differential" in note for note in _found(r"a x + d y = 1")["note"])
    assert any("constant" in note for note in _found(r"\int x dx")["note"])
    assert "it diverges" in _found(r"\sum_{n=1}^{\infty}\frac{1}{n}")["note"]
    assert any("real" in note for note in _found("x < 3")["note"])


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        (r"\frac{1}{1-1}", "no value"),
        (r"\lim_{x\to 0}\frac{1}{x}", "does not exist"),
        (r"\lim_{x\to 0}\frac{|x|}{x}", "does not exist"),
        (r"\lim_{x\to\infty}\sin x", "does not exist"),
        (r"\begin{pmatrix}1&2\\2&4\end{pmatrix}^{-1}", "no inverse"),
    ],
)
def test_what_has_no_value_says_so(formula, reason):
    with pytest.raises(NotComputableError, match=reason):
        _found(formula)


def test_long_numbers_are_rounded():
    assert _found("2^{100000}")["simplified"].sympy == "9.99002093014e+30102"


def test_solve_answers_from_another_process():
    answer = solving.solve("x^2 - 5x + 6 = 0")
    assert answer.error is None and answer.parsed.sympy == "x**2 - 5*x + 6 = 0"
    assert [solution["x"].sympy for solution in answer.solutions] == ["2", "3"]
    refused = solving.solve(r"T_{\mu\nu}")
    assert "indices" in refused.error and refused.parsed is None
    assert "{ without }" in solving.solve("x^{2").error


def test_the_time_limit_ends_what_never_ends():
    begin = time.monotonic()
    answer = solving.solve(r"10^{10^{10}} + 10^{10^{9}} x", time_limit=6)
    assert time.monotonic() - begin < 20
    assert answer.error is not None and answer.parsed is not None
    with pytest.raises(Im2latexError, match="time limit"):
        solving.solve("x", time_limit=0)


def test_without_sympy_the_error_names_the_extra(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["solve", "--latex", "x"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "pip install 'im2latex_jax[solve]'" in error


def test_the_command_prints_what_it_finds(capsys):
    assert cli.main(["solve", "--latex", "x^2=4", "--latex", r"\int_0^1 x^2 dx"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "parsed:     x**2 = 4" in lines and "solution:   x = -2" in lines
    assert "value:      1/3 = 0.333333333333 (rounded)" in lines
    assert not any(line.startswith("simplified") for line in lines)


def test_the_command_exits_with_1_where_it_cannot_compute(capsys):
    assert cli.main(["solve", "--json", "--latex", r"1+\cdots+n"]) == 1
    captured = capsys.readouterr()
    fields = json.loads(captured.out)
    assert "ellipsis" in fields["error"] and "parsed" not in fields
    assert captured.err.count("\n") == 1
    with pytest.raises(SystemExit) as caught:
        cli.main(["solve"])
    assert caught.value.code == 2


class _Stub:
    """Reads the same formula in every picture that can be decoded."""

    def stream(self, pictures):
        for picture in pictures:
            try:
                images.read(picture)
            except Im2latexError as error:
                yield Recognition(error=str(error))
            else:
                yield Recognition(normal_form="x^{2}=9", confidence=0.75)


def test_pictures_are_read_and_solved(tmp_path, monkeypatch, capsys):
    picture, broken = tmp_path / "a.png", tmp_path / "b.png"
    picture.write_bytes(mathtext.render("x ^ { 2 } = 9"))
    broken.write_text("no picture")
    monkeypatch.setattr(cli, "_recognizer", lambda parsed: _Stub())
    assert cli.main(["solve", str(picture), str(broken), "--json"]) == 1
    captured = capsys.readouterr()
    solved, refused = map(json.loads, captured.out.splitlines())
    assert solved["image"] == str(picture) and solved["confidence"] == 0.75
    assert [s["x"]["sympy"] for s in solved["solutions"]] == ["-3", "3"]
    assert refused["image"] == str(broken) and "solutions" not in refused
    assert captured.err == f"im2latex: error: {refused['error']}\n"
    assert cli.main(["solve", str(picture)]) == 0
    assert "formula:    x^2=9   (confidence 0.75)" in capsys.readouterr().out.splitlines()
