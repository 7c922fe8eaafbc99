r"""Formulas of several rows: matrices of every bracket, cases, aligned and systems of equations."""

import numpy as np

from im2latex_jax.datasets.everyday.grammar import Grammar

BRACKETS = ("pmatrix", "bmatrix", "vmatrix", "Bmatrix", "Vmatrix", "matrix", "array")
_BRACKET_SHARES = (0.42, 0.32, 0.11, 0.03, 0.03, 0.03, 0.06)
_SIZE_SHARES = (0.12, 0.38, 0.30, 0.13, 0.07)  # of 1 to 5 rows; columns alike
_CELLS = ("cell_integer", "cell_letter", "cell_entry", "cell_sparse", "number", "atom")


def layout(grammar: Grammar, rng: np.random.Generator) -> str:
    """A formula of several rows."""
    kinds = (_matrix_formula, _dotted_matrix, _cases, _aligned, _system, _product)
    shares = (0.42, 0.06, 0.18, 0.16, 0.08, 0.10)
    return _choose(rng, kinds, shares)(grammar, rng)


def _choose(rng: np.random.Generator, options, shares):
    return options[int(np.searchsorted(np.cumsum(shares), rng.random() * sum(shares)))]


def _in_brackets(rng: np.random.Generator, rows: list[list[str]]) -> str:
    body = r" \\ ".join(" & ".join(row) for row in rows)
    bracket = _choose(rng, BRACKETS, _BRACKET_SHARES)
    if bracket != "array":
        return rf"\begin{{{bracket}}} {body} \end{{{bracket}}}"
    columns = len(rows[0])
    if columns > 1 and rng.random() < 0.6:  # an augmented matrix
        specification = "c" * (columns - 1) + "|c"
    else:
        specification = str(_choose(rng, ("c", "r", "l"), (2, 2, 1))) * columns
    left, right = _choose(rng, ("()", "[]", "||"), (5, 4, 1))
    inner = rf"\begin{{array}}{{{specification}}} {body} \end{{array}}"
    return rf"\left{left} {inner} \right{right}"


def matrix(
    grammar: Grammar,
    rng: np.random.Generator,
    shape: tuple[int, int] | None = None,
    cells: str | None = None,
) -> str:
    """A matrix in one of the brackets; 1 x 1 to 5 x 5 if no shape is given."""
    if shape is None:
        rows = int(_choose(rng, range(1, 6), _SIZE_SHARES))
        columns = rows if rng.random() < 0.6 else int(_choose(rng, range(1, 6), _SIZE_SHARES))
        if rows == columns == 1:
            rows = 2
        if rng.random() < 0.15:
            columns = 1
            rows = max(rows, 2)
        shape = rows, columns
    rows, columns = shape
    kind = cells or str(_choose(rng, _CELLS, (6, 3, 2, 3, 2, 1)))
    letter = grammar.generate("lower", rng)
    table = []
    indexed = cells is None and rng.random() < 0.15
    identity = cells is None and rows == columns and rng.random() < 0.08
    for row in range(1, rows + 1):
        if indexed:
            table.append([f"{letter}_{{{row}{column}}}" for column in range(1, columns + 1)])
        elif identity:
            table.append(["1" if row == column else "0" for column in range(1, columns + 1)])
        else:
            table.append([grammar.generate(kind, rng) for _ in range(columns)])
    return _in_brackets(rng, table)


def _matrix_formula(grammar: Grammar, rng: np.random.Generator) -> str:
    text = matrix(grammar, rng) + grammar.generate("after_matrix", rng)
    draw = rng.random()
    if draw < 0.35:
        return text
    name = grammar.generate("matrix_name", rng)
    if draw < 0.65:
        return f"{name} = {text}"
    if draw < 0.75:
        return rf"\vec{{{grammar.generate('lower', rng)}}} = {matrix(grammar, rng, (3, 1))}"
    if draw < 0.85:
        return f"{text} = {grammar.generate('expression', rng)}"
    if draw < 0.92:
        return rf"\det {text} = {grammar.generate('integer', rng)}"
    return f"{grammar.generate('coefficient', rng)} {text}"


def _product(grammar: Grammar, rng: np.random.Generator) -> str:
    size = int(rng.integers(2, 4))
    vector = matrix(grammar, rng, (size, 1))
    square = matrix(grammar, rng, (size, size))
    draw = rng.random()
    if draw < 0.3:
        return f"{square} {vector} = {matrix(grammar, rng, (size, 1))}"
    if draw < 0.5:
        return f"{square} {vector}"
    if draw < 0.7:
        sign = _choose(rng, ("+", "-", r"\cdot", r"\times"), (3, 2, 2, 2))
        return f"{vector} {sign} {matrix(grammar, rng, (size, 1))}"
    if draw < 0.85:
        start, direction = matrix(grammar, rng, (3, 1)), matrix(grammar, rng, (3, 1))
        return rf"\vec{{x}} = {start} + {grammar.generate('letter', rng)} {direction}"
    other = matrix(grammar, rng, (size, size))
    return f"{square} {_choose(rng, ('+', '-', ''), (2, 1, 3))} {other}"


def _dotted_matrix(grammar: Grammar, rng: np.random.Generator) -> str:
    a = grammar.generate("lower", rng)
    m, n = _choose(rng, ("mn", "nn", "nm", "np"), (3, 3, 1, 1))
    draw = rng.random()
    if draw < 0.5:
        rows = [
            [f"{a}_{{11}}", r"\cdots", f"{a}_{{1{n}}}"],
            [r"\vdots", r"\ddots", r"\vdots"],
            [f"{a}_{{{m}1}}", r"\cdots", f"{a}_{{{m}{n}}}"],
        ]
    elif draw < 0.7:
        rows = [
            [f"{a}_{{11}}", f"{a}_{{12}}", r"\cdots", f"{a}_{{1{n}}}"],
            [f"{a}_{{21}}", f"{a}_{{22}}", r"\cdots", f"{a}_{{2{n}}}"],
            [r"\vdots", r"\vdots", r"\ddots", r"\vdots"],
            [f"{a}_{{{m}1}}", f"{a}_{{{m}2}}", r"\cdots", f"{a}_{{{m}{n}}}"],
        ]
    elif draw < 0.85:
        rows = [[f"{a}_1"], [f"{a}_2"], [r"\vdots"], [f"{a}_{n}"]]
    else:
        value = grammar.generate("greek", rng)
        rows = [[f"{value}_1", "", ""], ["", r"\ddots", ""], ["", "", f"{value}_{n}"]]
    text = _in_brackets(rng, rows)
    return text if rng.random() < 0.4 else f"{grammar.generate('matrix_name', rng)} = {text}"


def _cases(grammar: Grammar, rng: np.random.Generator) -> str:
    count = int(_choose(rng, (2, 3, 4), (5, 3, 1)))
    head = grammar.generate("case_head", rng) if rng.random() < 0.85 else ""
    rows = []
    for _ in range(count):
        value = grammar.generate("case_value", rng)
        comma = "," if rng.random() < 0.25 else ""
        rows.append(f"{value}{comma} & {grammar.generate('condition_of_case', rng)}")
    return rf"{head} \begin{{cases}} " + r" \\ ".join(rows) + r" \end{cases}"


def _aligned(grammar: Grammar, rng: np.random.Generator) -> str:
    count = int(_choose(rng, (2, 3, 4, 5), (4, 4, 2, 1)))
    draw = rng.random()
    if draw < 0.45:  # one left side, transformed
        left = grammar.generate("case_value", rng)
        rows = [f"{left} &= {grammar.generate('expression', rng)}"]
        rows += [f"&= {grammar.generate('expression', rng)}" for _ in range(count - 1)]
    elif draw < 0.85:
        rows = []
        for _ in range(count):
            relation = grammar.generate("relation", rng)
            left = grammar.generate("term", rng)
            rows.append(f"{left} &{relation} {grammar.generate('expression', rng)}")
    else:
        body = r" \\ ".join(grammar.generate("equation", rng) for _ in range(count))
        return rf"\begin{{gathered}} {body} \end{{gathered}}"
    return r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}"


def _system(grammar: Grammar, rng: np.random.Generator) -> str:
    """A linear system behind a brace, or as rows."""
    count = int(rng.integers(2, 4))
    names = ("x", "y", "z") if rng.random() < 0.6 else ("x_1", "x_2", "x_3")
    rows = []
    for _ in range(count):
        left = ""
        for name in names[:count]:
            sign = ("+", "-")[int(rng.integers(2))] if left else ""
            left += f" {sign} {grammar.generate('multiplier', rng)}{name}"
        rows.append(f"{left} = {grammar.generate('integer', rng)}".strip())
    draw = rng.random()
    if draw < 0.4:
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"
    if draw < 0.7:
        body = r" \\ ".join(rows)
        return rf"\left\{{ \begin{{array}}{{l}} {body} \end{{array}} \right."
    return (
        r"\begin{aligned} "
        + r" \\ ".join(row.replace("=", "&=") for row in rows)
        + (r" \end{aligned}")
    )
