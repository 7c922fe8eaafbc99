"""Statements with known answers, from school and university, and what `solve` says of them."""

import pytest
import sympy

from im2latex_jax.errors import Im2latexError
from im2latex_jax.solving import computation

n = sympy.Symbol("n", integer=True)

# A formula and the value or simplest form of it, in SymPy's Python.
VALUES = [
    # Arithmetic.
    (r"2+3\cdot 4", "14"),
    (r"-3^2", "-9"),
    (r"(-3)^2", "9"),
    (r"2^{3^2}", "512"),
    (r"\frac{1}{2}+\frac{1}{3}", "5/6"),
    (r"2\frac{1}{2}", "5/2"),
    (r"2\frac{1}{2}+1\frac{3}{4}", "17/4"),
    (r"-1\frac{1}{3}\cdot 3", "-4"),
    (r"3\frac{1}{7}x", "22*x/7"),
    (r"2\cdot\frac{1}{2}", "1"),
    (r"x\frac{1}{2}", "x/2"),
    (r"2\frac{x}{3}", "2*x/3"),
    (r"3:4", "3/4"),
    (r"12:4+1", "4"),
    (r"3{,}5+1{,}5", "5"),
    (r"2\cdot 3,25", "13/2"),
    (r"0,125", "1/8"),
    (r"1{,}000+1", "1001"),
    (r"1,234,567", "1234567"),
    (r"1.234.567,89", "123456789/100"),
    (r"1\,000\,000", "1000000"),
    (r"12\,345.678", "12345678/1000"),
    (r"0.\overline{3}", "1/3"),
    (r"0.1\overline{6}", "1/6"),
    (r"0.\dot{1}4285\dot{7}", "1/7"),
    (r"0,\overline{45}", "5/11"),
    (r"1.\overline{9}", "2"),
    (r"0.(3)", "1/3"),
    (r"17 \bmod 5", "2"),
    (r"-7 \bmod 3", "2"),
    (r"-(7\bmod 3)", "-1"),
    (r"10-7\bmod 3", "9"),
    (r"2^{100}\bmod 7", "2"),
    (r"\operatorname{mod}(17,5)", "2"),
    (r"\gcd(12,18)", "6"),
    (r"\mathrm{lcm}(4,6)", "12"),
    (r"\max(1,5;2,5)", "5/2"),
    (r"20\%\cdot 50", "10"),
    (r"5!", "120"),
    (r"7!!", "105"),
    (r"\binom{5}{2}", "10"),
    (r"\lfloor -2.5\rfloor+\lceil 1.2\rceil", "-1"),
    (r"|-5|+|3|", "8"),
    (r"||{-2}|-5|", "3"),
    (r"\sqrt{144}", "12"),
    (r"\sqrt{8}", "2*sqrt(2)"),
    (r"\sqrt[3]{-8}", "-2"),
    (r"\sqrt[5]{-32}+\sqrt[3]{27}", "1"),
    (r"\sqrt[3]{-2}\cdot\sqrt[3]{4}", "-2"),
    (r"8^{-\frac{2}{3}}", "1/4"),
    (r"\sqrt{-4}", "2*I"),
    (r"\frac{2}{\sqrt{2}}", "sqrt(2)"),
    (r"\frac{\frac{1}{2}}{\frac{3}{4}}", "2/3"),
    (r"3\times 10^{-2}", "3/100"),
    (r"\log_2 8", "3"),
    (r"\lg 1000", "3"),
    (r"\ln e^3", "3"),
    (r"\sin 30^{\circ}", "1/2"),
    (r"\cos\frac{\pi}{3}", "1/2"),
    (r"\tan 45^{\circ}", "1"),
    (r"\arcsin 1", "pi/2"),
    (r"\sin^{-1} 1", "pi/2"),
    # Algebra.
    (r"(x+1)^2-(x-1)^2", "4*x"),
    (r"\frac{x^2-9}{x-3}", "x + 3"),
    (r"\frac{x}{x}", "1"),
    (r"\frac{1}{x}+\frac{1}{y}", "(x + y)/(x*y)"),
    (r"\sqrt{x}^2", "x"),
    (r"\sqrt[3]{x^3}", "x"),
    (r"\sin^2 x+\cos^2 x", "1"),
    (r"\frac{\sin 2x}{\cos x}", "2*sin(x)"),
    (r"e^{\ln x}", "x"),
    (r"a^3\cdot a^{-1}", "a**2"),
    # Complex numbers.
    (r"i^2", "-1"),
    (r"(1+i)(1-i)", "2"),
    (r"\frac{1}{i}", "-I"),
    (r"|3+4i|", "5"),
    (r"\overline{2+3i}", "2 - 3*I"),
    (r"(2+i)^{*}", "2 - I"),
    (r"z\bar{z}-|z|^2", "0"),
    (r"e^{i\pi}", "-1"),
    (r"\operatorname{Re}(2+i)", "2"),
    # Bounds put in.
    (r"\left.x^2\right|_{1}^{3}", "8"),
    (r"\left[\frac{x^3}{3}\right]_0^3", "9"),
    (r"x^2+x\Big|_0^1", "2"),
    (r"\left.x^2+1\right|_{x=3}", "10"),
    (r"\left.\frac{d}{dx}x^3\right|_{x=2}", "12"),
    (r"\left.-\frac{1}{x}\right|_1^{\infty}", "1"),
    # Derivatives.
    (r"\frac{d}{dx}x^3", "3*x**2"),
    (r"\frac{d}{dx}\sin(x^2)", "2*x*cos(x**2)"),
    (r"\frac{d^2}{dx^2}e^{2x}", "4*exp(2*x)"),
    (r"\frac{d}{dx}\frac{x}{x+1}", "1/(x + 1)**2"),
    (r"\frac{\partial}{\partial x}x^2y", "2*x*y"),
    (r"\frac{d}{dx}x^x", "x**x*(log(x) + 1)"),
    (r"\frac{d}{dx}\ln(\cos x)", "-tan(x)"),
    (r"\frac{d}{dt}\sqrt{1-t^2}", "-t/sqrt(1 - t**2)"),
    # Integrals.
    (r"\int_0^1 x^2 dx", "1/3"),
    (r"\int x^2 dx", "x**3/3"),
    (r"\int \mathrm{e}^{2x}\,\mathrm{dx}", "exp(2*x)/2"),
    (r"\int x e^x dx", "(x - 1)*exp(x)"),
    (r"\int \cos x\,dx", "sin(x)"),
    (r"\int_0^{\pi}\sin x\,dx", "2"),
    (r"\int_{-1}^{1}|x|dx", "1"),
    (r"\int_{-1}^{1}\sqrt[3]{x}dx", "0"),
    (r"\int_{-8}^{8}\sqrt[3]{x^2}dx", "192/5"),
    (r"\int_1^{\infty}\frac{1}{x^2}dx", "1"),
    (r"\int_0^{\infty}e^{-x}dx", "1"),
    (r"\int_{-\infty}^{\infty}e^{-x^2}dx", "sqrt(pi)"),
    (r"\int_0^1\int_0^x xy\,dy\,dx", "1/8"),
    (r"\int_0^{2\pi}\frac{1}{2+\cos x}dx", "2*sqrt(3)*pi/3"),
    (r"\int_0^1\ln x\,dx", "-1"),
    (r"\int_0^{\infty}\frac{\sin x}{x}dx", "pi/2"),
    (r"\int_0^1\sqrt{1-x^2}dx", "pi/4"),
    # Limits.
    (r"\lim_{x\to 0}\frac{\sin x}{x}", "1"),
    (r"\lim_{x\to 2}x^2+3x-1", "9"),
    (r"\lim_{n\to\infty}\left(1+\frac{1}{n}\right)^n", "E"),
    (r"\lim_{x\to\infty}\frac{2x^2+1}{x^2-x}", "2"),
    (r"\lim_{x\to 1}\frac{x^2-1}{x-1}", "2"),
    (r"\lim_{x\to 0^{+}}x\ln x", "0"),
    (r"\lim_{x\to -8}\sqrt[3]{x}", "-2"),
    (r"\lim_{x\to 0}\frac{1-\cos x}{x^2}", "1/2"),
    (r"\lim_{x\to\infty}\sqrt{x^2+x}-x", "1/2"),
    (r"\lim_{x\to -\infty}\sqrt[3]{x^3+x^2}-x", "1/3"),
    # Sums and products.
    (r"\sum_{k=1}^{10}k", "55"),
    (r"\sum_{k=1}^{3}k^2+k", "20"),
    (r"\sum_{k=1}^{n}k", "n*(n + 1)/2"),
    (r"\sum_{k=0}^{\infty}\frac{1}{2^k}", "2"),
    (r"\sum_{n=1}^{\infty}\frac{1}{n^2}", "pi**2/6"),
    (r"\sum_{k=0}^{n}\binom{n}{k}", "2**n"),
    (r"\sum_{i=1}^{3}i^2", "14"),
    (r"\prod_{k=1}^{5}k", "120"),
    (r"\sum_{n=1}^{\infty}\frac{(-1)^{n+1}}{n}", "log(2)"),
    # Matrices.
    (r"\begin{vmatrix}1&2\\3&4\end{vmatrix}", "-2"),
    (r"\det\begin{pmatrix}2&0\\0&3\end{pmatrix}", "6"),
    # Units.
    (r"3\,\mathrm{km}+200\,\mathrm{m}", "3200*meter"),
    (r"\frac{100\,\mathrm{m}}{20\,\mathrm{s}}", "5*meter/second"),
    (r"5\,\mathrm{N}\cdot 2\,\mathrm{m}", "10*kilogram*meter**2/second**2"),
    (r"36\,\mathrm{km/h}", "10*meter/second"),
    (r"9{,}81\,\frac{\mathrm{m}}{\mathrm{s}^2}\cdot 2\,\mathrm{s}", "981*meter/(50*second)"),
]

# An equation and its solutions: values of its only variable.
SOLUTIONS = [
    (r"2x+3=7", ["2"]),
    (r"x^2-5x+6=0", ["2", "3"]),
    (r"x^2=2", ["-sqrt(2)", "sqrt(2)"]),
    (r"x^2+4=0", ["-2*I", "2*I"]),
    (r"x^2+2x+1=0", ["-1"]),
    (r"x^3=8", ["2", "-1 - sqrt(3)*I", "-1 + sqrt(3)*I"]),
    (r"x^4-5x^2+4=0", ["-2", "-1", "1", "2"]),
    (r"\frac{x^2-4}{x-2}=4", []),
    (r"\frac{x^2-1}{x-1}=0", ["-1"]),
    (r"\frac{1}{x-1}+\frac{1}{x+1}=\frac{2}{x^2-1}", []),
    (r"\frac{x}{x-3}=\frac{3}{x-3}", []),
    (r"\frac{x}{x}=x", ["1"]),
    (r"3:4=x:8", ["6"]),
    (r"0,5x=2", ["4"]),
    (r"x=1\tag{3.1}", ["1"]),
    (r"\boxed{x=3}", ["3"]),
    (r"x+1=3\qquad(2.7)", ["2"]),
    (r"\sqrt{x+2}=x", ["2"]),
    (r"\sqrt{x}=-1", []),
    (r"\sqrt{x-3}=\sqrt{2x+1}", []),
    (r"\sqrt{x+5}+\sqrt{x}=5", ["4"]),
    (r"\sqrt{2x+3}-\sqrt{x+1}=1", ["-1", "3"]),
    (r"x-\sqrt{x}=2", ["4"]),
    (r"\sqrt[3]{x}=-2", ["-8"]),
    (r"\sqrt[3]{x-1}+\sqrt[3]{x+1}=0", ["0"]),
    (r"|x-1|=2", ["-1", "3"]),
    (r"|x|=-1", []),
    (r"|x-1|=|x+3|", ["-1"]),
    (r"||x|-1|=2", ["-3", "3"]),
    (r"|x^2-4|=3x", ["1", "4"]),
    (r"2^x=8", ["3"]),
    (r"4^x-2^x=2", ["1"]),
    (r"9^x-4\cdot 3^x+3=0", ["0", "1"]),
    (r"e^{2x}-3e^x+2=0", ["0", "log(2)"]),
    (r"2^x=5", ["log(5)/log(2)"]),
    (r"e^x=-1", []),
    (r"2^x=x^2", ["2", "4", "-2*LambertW(log(2)/2)/log(2)"]),
    (r"xe^x=1", ["LambertW(1)"]),
    (r"\ln x=2", ["exp(2)"]),
    (r"\log_2 x+\log_2(x-2)=3", ["4"]),
    (r"\ln x+\ln(x-3)=\ln 4", ["4"]),
    (r"\ln(x-3)=\ln(2x+1)", []),
    (r"\ln(x^2)=0", ["-1", "1"]),
    (r"\sin x=\frac{1}{2}", ["2*pi*n + pi/6", "2*pi*n + 5*pi/6"]),
    (r"\sin x=0", ["pi*n"]),
    (r"\cos x=1", ["2*pi*n"]),
    (r"\cos x=2", []),
    (r"\tan x=1", ["pi*n + pi/4"]),
    (r"\sin 2x=1", ["pi*n + pi/4"]),
    (r"\cos 2x=\cos x", ["2*pi*n/3"]),
    (r"2\sin^2 x-\sin x-1=0", ["2*pi*n/3 + pi/2"]),
    (r"\sin x=\cos x", ["pi*n + pi/4"]),
    (r"\sin x=\frac{1}{2},0\leq x\leq 2\pi", ["pi/6", "5*pi/6"]),
    (r"x^2=4,x>0", ["2"]),
    (r"x^2=4,x^3=8", ["2"]),
    (r"\sum_{k=1}^{n}k=10", ["4"]),
    (r"\int_0^x 2t\,dt=9", ["-3", "3"]),
    (r"\frac{d}{dx}(x^3)=12", ["-2", "2"]),
    (r"x^2-2ix-1=0", ["I"]),
    (r"z+2\bar z=3+i", ["1 - I"]),
    (r"3x\equiv 1\pmod 7", ["7*n + 5"]),
    (r"x^2\equiv 1\pmod 8", ["2*n + 1"]),
    (r"2x\equiv 1\pmod 4", []),
    (r"x\bmod 3=2", ["3*n + 2"]),
    (r"x+3\,\mathrm{cm}=1\,\mathrm{m}", ["97*meter/100"]),
    (r"v=\frac{100\,\mathrm{m}}{20\,\mathrm{s}}", ["5*meter/second"]),
    (r"x!=24", None),  # refused or told: no wrong answer
    (r"\lfloor x\rfloor=x^2", None),
]

# A relation and the condition of its solution.
CONDITIONS = [
    (r"2x>6", "3 < x"),
    (r"-2x\geq 6", "x <= -3"),
    (r"x^2<4", "(-2 < x) & (x < 2)"),
    (r"x^2\geq 4", "(x <= -2) | (2 <= x)"),
    (r"1<2x\leq 6", "(1/2 < x) & (x <= 3)"),
    (r"x\neq 3", "(x < 3) | (3 < x)"),
    (r"\frac{1}{x}<1", "(x < 0) | (1 < x)"),
    (r"\frac{x-1}{x+2}\geq 0", "(x < -2) | (1 <= x)"),
    (r"\frac{(x-1)^2}{x}\leq 0", "(x < 0) | Eq(x, 1)"),
    (r"x^2\leq 0", None),
    (r"x^2>0", "(x < 0) | (0 < x)"),
    (r"\sqrt{x-1}<3", "(1 <= x) & (x < 10)"),
    (r"\sqrt{x}>x", "(0 < x) & (x < 1)"),
    (r"|x-1|<2", "(-1 < x) & (x < 3)"),
    (r"|x-1|<|x+2|", "-1/2 < x"),
    (r"|x|+|x-1|=1", "(0 <= x) & (x <= 1)"),
    (r"|x-2|=x-2", "2 <= x"),
    (r"\sqrt{x^2}=x", "0 <= x"),
    (r"\lfloor x\rfloor=3", "(3 <= x) & (x < 4)"),
    (r"\lceil x\rceil=2", "(1 < x) & (x <= 2)"),
    (r"\ln x<1", "(0 < x) & (x < E)"),
    (r"2^x>8", "3 < x"),
    (r"\sin x>\frac{1}{2}", "(2*pi*n + pi/6 < x) & (x < 2*pi*n + 5*pi/6)"),
    (r"\cos x\geq 0", "(2*pi*n - pi/2 <= x) & (x <= 2*pi*n + pi/2)"),
    (r"\tan x>1", "(pi*n + pi/4 < x) & (x < pi*n + pi/2)"),
    (r"x^2-2x>3,x<10", "(x < -1) | ((3 < x) & (x < 10))"),
]

HOLDS = [
    (r"2+2=4", True),
    (r"2+2=5", False),
    (r"\frac{1}{3}=0.\overline{3}", True),
    (r"0.\overline{9}=1", True),
    (r"\pi>3", True),
    (r"\pi=\frac{22}{7}", False),
    (r"e^{\pi\sqrt{163}}=262537412640768744", False),
    (r"\sqrt{2}+\sqrt{3}=\sqrt{5+2\sqrt{6}}", True),
    (r"\sqrt[3]{2+\sqrt{5}}+\sqrt[3]{2-\sqrt{5}}=1", True),
    (r"(x+1)^2=x^2+2x+1", True),
    (r"x=x+1", False),
    (r"\sin^2 x+\cos^2 x=1", True),
    (r"\ln(xy)=\ln x+\ln y", True),
    (r"\frac{x^2-1}{x-1}=x+1", True),
    (r"e^{ix}=\cos x+i\sin x", True),
    (r"|z|^2=z\bar z", True),
    (r"\overline{z+w}=\bar z+\bar w", True),
    (r"|xy|=|x||y|", True),
    (r"x^2>-1", True),
    (r"x^2<-1", False),
    (r"\sin x>2", False),
    (r"17\equiv 2\pmod 5", True),
    (r"17\equiv 3\pmod 5", False),
    (r"x^2+x\equiv 0\pmod 2", True),
    (r"\int x\,dx=\frac{x^2}{2}+C", True),
    (r"\int x\,dx=x^2", False),
    (r"\frac{d}{dx}\sin x=\cos x", True),
    (r"\sum_{k=1}^{n}k=\frac{n(n+1)}{2}", True),
    (r"1\,\mathrm{km}=1000\,\mathrm{m}", True),
    (r"2<1", False),
]

# What is refused, and a word of the reason.
REFUSED = [
    (r"\frac{1}{0}", "no value"),
    (r"\lim_{x\to 0}\frac{1}{x}", "does not exist"),
    (r"\lim_{x\to 0}\frac{|x|}{x}", "does not exist"),
    (r"\lim_{x\to\infty}\sin x", "does not exist"),
    (r"\int_{-1}^{1}\frac{1}{x}dx", "no value"),
    (r"\sum_{n=0}^{\infty}(-1)^n", "diverges"),
    (r"1+2+\ldots+n", "ellipsis"),
    (r"x=1,2,3", "list"),
    (r"(3,5)", "list"),
    (r"1.2.3", "not a number"),
    (r"1:2:3", "ratio"),
    (r"3\,\mathrm{km}+200\,\mathrm{s}", "different units"),
    (r"5\,\mathrm{kg}=3\,\mathrm{m}", "different units"),
    (r"20^{\circ}\mathrm{C}", "degrees"),
    (r"A^T", "transpose"),
    (r"\overline{AB}", "line over"),
    (r"17\pmod 5", "congruence"),
    (r"a\equiv b", "modulus"),
    (r"\left.xy\right|_0^1", "which variable"),
    (r"f(x+1)=2", "undefined function"),
    (r"x=\pm 2", "double sign"),
    (r"\begin{pmatrix}1&2\\2&4\end{pmatrix}^{-1}", "no inverse"),
    (r"5\text{ apples}", "apples"),
]

# Formulas with more than one meaning, and a word of the note that says which was taken.
NOTED = [
    (r"2\frac{1}{2}", "mixed number"),
    (r"2\frac{3}{2}", "product"),
    (r"3,5", "read as the number 3.5"),
    (r"1,234", "read as the number 1234"),
    (r"0.5(6)", "product"),
    (r"6/2(1+2)", "divisor"),
    (r"1+7\bmod 5", "before plus"),
    (r"(-8)^{1/3}", "real root"),
    (r"0^0", "taken to be 1"),
    (r"\sin 30", "radians"),
    (r"\cos \pi/3", "ending before"),
    (r"\log 100", "natural"),
    (r"\sum_{k=1}^{3}k^2+k", "last term"),
    (r"\frac{d}{dx}x^2+x", "next plus"),
    (r"x^2+x|_0^1", "whole sum"),
    (r"\bar{x}+1", "variable of its own"),
    (r"z\bar{z}", "conjugate"),
    (r"10\%", "percent"),
    (r"ax=b", "where a is not 0"),
    (r"\frac{x^2-9}{x-3}", "other than 3"),
    (r"y=\sqrt{x}", "some values"),
    (r"\int\frac{1}{x}dx", "absolute value"),
    (r"x=\cos x", "numerically"),
    (r"x=\cos x", "searched from"),
    (r"\sin x=0", "any whole number"),
    (r"\ln(x-3)=\ln(2x+1)", "complex"),
    (r"\ln(xy)=\ln x+\ln y", "defined"),
    (r"\frac{x^2-4}{x-2}=4", "left out"),
    (r"3x\equiv 1\pmod 7", "whole number"),
    (r"3\,\mathrm{km}", "base units"),
    (r"\sum_{n=0}^{\infty}x^n", "conditions"),
]


def found(formula: str) -> dict:
    """The fields of the answer; notes and solutions as lists, what is written in Python."""
    fields: dict = {"notes": [], "solutions": []}
    for name, value in computation.findings(formula):
        if name == "note":
            fields["notes"].append(value)
        elif name == "solutions":
            fields["solutions"] += [{s: w.sympy for s, w in each.items()} for each in value]
        elif name == "holds":
            fields[name] = value
        else:
            fields[name] = value.sympy
    return fields


def meant(text: str) -> sympy.Expr:
    """An expression as the tests write it."""
    from sympy.physics import units

    names = {"n": n, "CRootOf": sympy.CRootOf, "real_root": sympy.real_root}
    names |= {name: getattr(units, name) for name in ("meter", "second", "kilogram")}
    return sympy.sympify(text, locals=names)


def equal(a: str, b: str) -> bool:
    return sympy.simplify(meant(a) - meant(b)) == 0


@pytest.mark.parametrize(("formula", "value"), VALUES)
def test_values(formula, value):
    assert equal(found(formula)["simplified"], value)


@pytest.mark.parametrize(("formula", "expected"), SOLUTIONS)
def test_solutions(formula, expected):
    if expected is None:
        with pytest.raises(Im2latexError):
            found(formula)
        return
    answer = found(formula)
    solutions = [value for solution in answer["solutions"] for value in solution.values()]
    assert len(solutions) == len(expected), solutions
    assert all(any(equal(value, other) for other in solutions) for value in expected), solutions
    assert "holds" not in answer
    if not expected:
        assert any("no solution was found" in note for note in answer["notes"])


@pytest.mark.parametrize(("formula", "expected"), CONDITIONS)
def test_conditions(formula, expected):
    answer = found(formula)
    if expected is None:
        assert answer["solutions"] == [{"x": "0"}]
    else:
        assert answer["solutions"] == [{"condition": expected}]


@pytest.mark.parametrize(("formula", "holds"), HOLDS)
def test_statements_that_hold_or_not(formula, holds):
    answer = found(formula)
    assert answer["holds"] is holds and answer["solutions"] == []


@pytest.mark.parametrize(("formula", "reason"), REFUSED)
def test_refusals(formula, reason):
    with pytest.raises(Im2latexError, match=reason) as caught:
        found(formula)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("formula", "note"), NOTED)
def test_notes_on_what_was_assumed(formula, note):
    assert any(note in each for each in found(formula)["notes"])


def test_systems():
    assert found(r"\begin{cases}x^2+y^2=25\\x+y=7\end{cases}")["solutions"] == [
        {"x": "3", "y": "4"},
        {"x": "4", "y": "3"},
    ]
    assert found(r"\begin{cases}x+y=1\\x+y=2\end{cases}")["solutions"] == []
    assert found(r"\begin{cases}xy=6\\\frac{x}{y}=\frac{2}{3}\end{cases}")["solutions"] == [
        {"x": "-2", "y": "-3"},
        {"x": "2", "y": "3"},
    ]
    assert found(r"\begin{cases}\sqrt{x}+y=5\\\sqrt{x}-y=1\end{cases}")["solutions"] == [
        {"x": "9", "y": "2"}
    ]
    assert found(r"A=\begin{pmatrix}1&2\\3&4\end{pmatrix}")["solutions"] == [
        {"A": "Matrix([ [1, 2], [3, 4]])"}
    ]


def test_numeric_solutions_are_all_there_are_in_the_range():
    answer = found(r"x\sin x=1,0\leq x\leq 10")
    values = [float(solution["x"]) for solution in answer["solutions"]]
    assert values == pytest.approx([1.1141571, 2.7726047, 6.4391172, 9.3172429])
    assert all(abs(value * float(sympy.sin(value)) - 1) < 1e-9 for value in values)
