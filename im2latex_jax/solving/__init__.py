r"""Computing with formulas: LaTeX to SymPy, and what SymPy finds out about it.

    answer = solving.solve(r"x^2 - 5x + 6 = 0")
    answer.solutions  # x = 2, x = 3

The formula is read by a parser of our own (`parser`), not by one of those for SymPy. They were
tried on 60 everyday formulas: what matters is that a formula is computed right or refused, and each
of them computes some wrong without a word.

- `sympy.parsing.latex` with lark (SymPy 1.14, lark 1.3) does not know `\pi`, `\frac{d}{dx}(...)`
  or `\int_0^\pi`, and gives a tree of alternatives for `x(x+1)` and `\sin^2 x + \cos^2 x`.
- The same with antlr4 must have exactly version 4.11 of its runtime, which other packages pin
  otherwise. It reads `1{,}000` as 1, `\bar{x}` as `bar*x`, `\operatorname{erf}(x)` as a product of
  letters, `\frac{d^2}{dx^2}x^5` as a quotient, `y''` as a power, and `x_{\mu\nu}` as a number.
- latex2sympy2_extended 1.11 reads `1+2+\ldots+n` as `1+2+n`, `\lim_{x\to 0}` as the limit from the
  right, and second derivatives and primes like the former.

The canonical form (`latex.canonical`) has already settled most of LaTeX's spellings, so that a
recursive descent over its tokens is short, and what it does not know it can name. SymPy never gets
text: numbers and symbols are built one by one, and nothing from a picture is evaluated as code.

Some computations never end. All of SymPy's work is done in a process of its own (`process`), which
is stopped at a time limit; what was found until then is kept.
"""

from im2latex_jax.solving.answer import Answer, Written
from im2latex_jax.solving.process import require_sympy, solve

__all__ = ["Answer", "Written", "require_sympy", "solve"]
