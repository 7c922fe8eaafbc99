"""Rows of a formula that were read one by one, joined to one formula."""

from collections.abc import Sequence

# Relation signs of the network's vocabulary at which rows are aligned.
RELATIONS = frozenset([
    *("=", "<", ">", r"\leq", r"\geq", r"\le", r"\ge", r"\neq", r"\ne", r"\equiv", r"\sim"),
    *(r"\simeq", r"\approx", r"\cong", r"\propto", r"\in", r"\subset", r"\subseteq"),
    *(r"\supset", r"\supseteq", r"\ll", r"\gg", r"\prec", r"\succ", r"\preceq", r"\succeq"),
    *(r"\doteq", r"\to", r"\rightarrow", r"\longrightarrow", r"\Rightarrow"),
    *(r"\Longrightarrow", r"\Leftrightarrow", r"\Longleftrightarrow", r"\mapsto"),
    *(r"\longmapsto", r"\implies", r"\iff", r"\leftarrow", r"\Leftarrow", r"\asymp"),
    *(r"\lesssim", r"\gtrsim", ":="),
])  # fmt: skip
_OPENING = ("{", r"\left", r"\begin")
_CLOSING = ("}", r"\right", r"\end")


def join(
    rows: Sequence[Sequence[str]], *, aligned: bool
) -> tuple[list[str], list[tuple[int, int]]]:
    """The tokens of rows in an `aligned` or `gathered` environment.

    Args:
      rows: the tokens of each row.
      aligned: whether to align the rows at their first relation sign outside of braces. Rows
        without one are aligned at their left edge with what follows the others' sign.

    Returns:
      The tokens, and for each the row and the position in it that it comes from: (-1, -1) for those
      that this function adds.
    """
    name = "aligned" if aligned else "gathered"
    tokens, origins = [rf"\begin{{{name}}}"], [(-1, -1)]
    for number, row in enumerate(rows):
        if number:
            tokens.append(r"\\")
            origins.append((-1, -1))
        mark = _first_relation(row) if aligned else None
        if aligned and mark is None:
            mark = 0
        for position, token in enumerate(row):
            if position == mark:
                tokens.append("&")
                origins.append((-1, -1))
            tokens.append(token)
            origins.append((number, position))
    tokens.append(rf"\end{{{name}}}")
    origins.append((-1, -1))
    return tokens, origins


def _first_relation(row: Sequence[str]) -> int | None:
    """The position of the first relation sign outside of groups, or None."""
    depth = 0
    for position, token in enumerate(row):
        if token.startswith(_OPENING):
            depth += 1
        elif token.startswith(_CLOSING):
            depth -= 1
        elif depth == 0 and token in RELATIONS:
            return position
    return None
