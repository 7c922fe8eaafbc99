r"""Counts the formulas that each output format can express and its reader takes.

    python -m experiments.reports.formats --formulas val.formulas.norm.txt [--limit 500] [--seed 0]

MathML and OMML must be well-formed XML without a backslash left in it; Typst must compile, where
the package `typst` is installed. Formulas that fail are printed.
"""

import random
import time
from collections.abc import Callable, Sequence

from absl import app, flags

from im2latex_jax import formats
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.files import read_formulas
from im2latex_jax.latex.tidy import tidy

_FORMULAS = flags.DEFINE_string("formulas", None, "formulas in the normal form", required=True)
_LIMIT = flags.DEFINE_integer("limit", 500, "formulas drawn at random")
_SEED = flags.DEFINE_integer("seed", 0, "of the choice")


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    lines = read_formulas(_FORMULAS.value).lines
    known = [line.formula for line in lines if line.problem is None]
    chosen = random.Random(_SEED.value).sample(known, min(_LIMIT.value, len(known)))
    formulas = [tidy(formula, portable=True) for formula in chosen]
    for name, broken in (("mathml", _broken_xml), ("omml", _broken_xml), ("typst", _broken_typst)):
        report(name, formulas, broken)
    report("sympy", formulas, lambda texts: {})


def report(
    name: str, formulas: Sequence[str], broken: Callable[[dict[int, str]], dict[int, str]]
) -> None:
    """Prints how many formulas a format takes, and those that it does not."""
    written: dict[int, str] = {}
    failed: dict[int, str] = {}
    start = time.process_time()
    for number, formula in enumerate(formulas):
        try:
            written[number] = formats.convert(formula, name)
        except Im2latexError as error:
            failed[number] = str(error)
    milliseconds = 1000 * (time.process_time() - start) / len(formulas)
    failed |= broken(written)
    count = len(formulas) - len(failed)
    print(f"{name}: {count} of {len(formulas)}, {milliseconds:.1f} ms a formula")
    if name != "sympy":  # most formulas of papers are no computation
        for number, reason in failed.items():
            print(f"  {formulas[number]}\n    {reason}")


def _broken_xml(texts: dict[int, str]) -> dict[int, str]:
    from lxml import etree

    failed = {}
    for number, text in texts.items():
        try:
            if "\\" in "".join(etree.fromstring(text).itertext()):
                failed[number] = "a backslash is left"
        except etree.XMLSyntaxError as error:
            failed[number] = str(error)
    return failed


def _broken_typst(texts: dict[int, str]) -> dict[int, str]:
    """What Typst cannot compile, found by halving: a run takes half a second to start."""
    try:
        import typst
    except ImportError:
        print("typst is not installed: not compiled")
        return {}
    failed: dict[int, str] = {}
    waiting = [list(texts)]
    while waiting:
        numbers = waiting.pop()
        try:
            typst.compile("\n\n".join(f"$ {texts[number]} $" for number in numbers).encode())
        except typst.TypstError as error:
            if len(numbers) == 1:
                failed[numbers[0]] = str(error)
            else:
                middle = len(numbers) // 2
                waiting += [numbers[:middle], numbers[middle:]]
    return failed


if __name__ == "__main__":
    app.run(main)
