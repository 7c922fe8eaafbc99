"""Draws one batch of formulas with latex and dvipng, and finds those that fail.

Pictures are taken only from a run without a single error: formulas with errors are taken out and
the others set again, so that no picture can depend on how TeX recovered from a neighbour's error. A
formula that ends the run (by a limit, a fatal error, or the end of the document) is recognized by
its missing end marker. A run that leaves TeX's state changed (a command redefined, a page too many)
or says nothing of any formula is halved until the formula that does it is alone. Each run begins in
a folder of its own, and so none depends on what an earlier one wrote.
"""

from collections.abc import Sequence

from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex.dvipng import Drawing, draw_pages
from im2latex_jax.rendering.tex.latex import TexError, Typesetting, typeset


def draw_batch(
    formulas: Sequence[str], styles: Sequence[RenderStyle], seconds: int = 6
) -> list[Drawing]:
    """Draws formulas whose styles share a document (`RenderStyle.document`).

    The formulas are not checked here: a hostile one is contained, not understood.

    Args:
      formulas: LaTeX math without delimiters.
      styles: of each formula.
      seconds: processor time that one run of a program may take, beside 10 (latex) or 20 (dvipng)
        milliseconds a formula, which is over ten times what they need.

    Raises:
      TexError: TeX cannot even start a document, or a font family is not installed.
    """

    def typeset_numbers(numbers: Sequence[int]) -> Typesetting:
        return typeset(
            [formulas[number] for number in numbers],
            [styles[number] for number in numbers],
            seconds + len(numbers) // 100,
        )

    def is_sound(number: int) -> bool:
        try:
            alone = typeset_numbers([number])
        except TexError:
            return False
        return alone.stopped_at is None and alone.unchanged and not alone.failures

    drawings: dict[int, Drawing] = {}
    waiting = [list(range(len(formulas)))]
    while waiting:
        numbers = waiting.pop()
        if not numbers:
            continue
        try:
            run = typeset_numbers(numbers)
        except TexError as error:
            typeset(["x"], [styles[numbers[0]]], seconds)  # raises where TeX itself is at fault
            if len(numbers) == 1:
                drawings[numbers[0]] = Drawing(None, f"stops TeX: {error}")
            else:
                waiting += _halves(numbers)
            continue
        failures = run.failures
        if run.stopped_at is not None:
            failures = {run.stopped_at: failures[run.stopped_at]}
            disturbed = len(numbers) > 1 and is_sound(numbers[run.stopped_at])
        else:
            disturbed = not run.unchanged or (not failures and run.num_pages != len(numbers))
            if disturbed and len(numbers) == 1:
                failures = failures or {0: "changes TeX's state beyond the formula"}
                disturbed = False
        if run.stopped_at is not None and not disturbed:
            # The others are set in two runs, so that the next one that stops TeX costs less.
            drawings[numbers[run.stopped_at]] = Drawing(None, failures[run.stopped_at])
            waiting += [numbers[run.stopped_at + 1 :], numbers[: run.stopped_at]]
        elif disturbed:
            # One of these disturbs the others; which one, their messages do not tell.
            waiting += _halves(numbers)
        elif failures:
            drawings |= {numbers[at]: Drawing(None, reason) for at, reason in failures.items()}
            waiting.append([number for at, number in enumerate(numbers) if at not in failures])
        else:
            drawings |= _rasterize(
                run.dvi, [styles[number].dpi for number in numbers], numbers, seconds
            )
    return [drawings[number] for number in range(len(formulas))]


def _halves(numbers: list[int]) -> list[list[int]]:
    """The two halves of a list, the first one last, where it is taken up next."""
    middle = len(numbers) // 2
    return [numbers[middle:], numbers[:middle]]


def _rasterize(
    dvi: bytes, dpis: Sequence[int], numbers: Sequence[int], seconds: int
) -> dict[int, Drawing]:
    """The drawings of the DVI file's pages, one for each of `numbers`, by number."""
    drawings = {}
    for dpi in sorted(set(dpis)):
        pages = [page for page, of_page in enumerate(dpis, start=1) if of_page == dpi]
        for page, drawing in draw_pages(dvi, pages, dpi, seconds + len(pages) // 50):
            drawings[numbers[page - 1]] = drawing
    return drawings
