"""SymPy's Python by the parser of `solving`."""


def sympy_code(latex: str) -> str:
    """A formula as Python that SymPy reads: an expression, an `Eq(...)`, or a list of them.

    Raises:
      NotComputableError: it says something that cannot be computed with.
    """
    from im2latex_jax.solving import parser

    statements = [str(statement) for statement in parser.parse(latex).statements]
    return statements[0] if len(statements) == 1 else f"[{', '.join(statements)}]"
