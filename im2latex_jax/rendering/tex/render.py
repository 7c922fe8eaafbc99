"""Draws formulas with real TeX: `latex` and `dvipng`, in batches, in parallel, in a sandbox.

Needs a TeX system (Debian: texlive-latex-recommended, texlive-fonts-recommended, cm-super, dvipng;
for all font families also texlive-fonts-extra and lmodern).
"""

import collections
import concurrent.futures
import dataclasses
from collections.abc import Iterator, Sequence

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.safety import refusal
from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex import sandbox
from im2latex_jax.rendering.tex.batch import draw_batch
from im2latex_jax.rendering.tex.dvipng import Drawing
from im2latex_jax.runtime import workers

# A run of latex or dvipng takes as long to start as to do some hundred formulas.
BATCH_SIZE = 1000
# Formulas in a window are sorted by document; a window is wide enough for full batches all the
# same when every formula has a style of its own, and bounds the pictures held in memory.
WINDOW = 20_000


@dataclasses.dataclass(frozen=True)
class Rendered:
    """One formula's picture (PNG bytes), or the reason in one line why there is none."""

    index: int
    png: bytes | None
    reason: str | None


def render_formulas(
    formulas: Sequence[str],
    style: RenderStyle | Sequence[RenderStyle] | None = None,
    jobs: int | None = None,
    progress: bool = False,
) -> Iterator[Rendered]:
    """Draws formulas, in order; the result does not depend on `jobs`.

    A formula that may not be given to TeX (see `formula_check`) or that TeX cannot set without an
    error gets a reason instead of a picture; it never disturbs another formula's picture.

    Args:
      formulas: LaTeX math without delimiters.
      style: of all formulas, or a sequence with the style of each; `RenderStyle()` by default.
      jobs: how many batches are drawn at a time; by default the number of processor cores.
      progress: shows a progress bar on standard error where that is a terminal.

    Returns:
      An iterator of `len(formulas)` results. Pictures are cropped to the ink, dark on white.

    Raises:
      MissingProgramError: latex or dvipng is not installed.
      TexError: (while iterating) TeX does not work here, or a font family is not installed.
      Im2latexError: there are not as many styles as formulas.
    """
    sandbox.require_programs()
    if style is None or isinstance(style, RenderStyle):
        styles: Sequence[RenderStyle] = [style or RenderStyle()] * len(formulas)
    else:
        styles = style
    if len(styles) != len(formulas):
        raise Im2latexError(f"{len(styles)} styles for {len(formulas)} formulas: give one for each")
    return _render(formulas, styles, jobs or workers.available_cpus(), progress)


def _render(
    formulas: Sequence[str], styles: Sequence[RenderStyle], jobs: int, progress: bool
) -> Iterator[Rendered]:
    from tqdm import tqdm

    # Threads suffice: the work is done by the programs that they wait for.
    pool = concurrent.futures.ThreadPoolExecutor(jobs)
    bar = tqdm(total=len(formulas), unit="formula", disable=None if progress else True)
    windows = collections.deque[tuple[range, dict[int, concurrent.futures.Future]]]()
    starts = iter(range(0, len(formulas), WINDOW))
    try:
        while True:
            # The next window is under way while this one ends, so that no thread runs idle.
            while len(windows) < 2 and (start := next(starts, None)) is not None:
                window = range(start, min(start + WINDOW, len(formulas)))
                windows.append((window, _submit(pool, formulas, styles, window)))
            if not windows:
                return
            window, futures = windows.popleft()
            for index in window:
                drawing = futures.pop(index).result()[index]
                bar.update()
                yield Rendered(index, drawing.png, drawing.reason)
    finally:
        bar.close()
        pool.shutdown(cancel_futures=True)


def _submit(
    pool: concurrent.futures.Executor,
    formulas: Sequence[str],
    styles: Sequence[RenderStyle],
    window: range,
) -> dict[int, concurrent.futures.Future]:
    """Starts the batches of a window; gives each index the future that will hold its drawing."""
    documents = collections.defaultdict(list)
    for index in window:
        documents[styles[index].document].append(index)
    futures: dict[int, concurrent.futures.Future] = {}
    for indices in documents.values():
        for start in range(0, len(indices), BATCH_SIZE):
            batch = indices[start : start + BATCH_SIZE]
            future = pool.submit(_draw, formulas, styles, batch)
            futures |= dict.fromkeys(batch, future)
    return futures


def _draw(
    formulas: Sequence[str], styles: Sequence[RenderStyle], indices: Sequence[int]
) -> dict[int, Drawing]:
    """Checks and draws one batch, given by its indices."""
    reasons = {index: refusal(formulas[index]) for index in indices}
    drawings = {index: Drawing(None, reason) for index, reason in reasons.items() if reason}
    sound = [index for index in indices if reasons[index] is None]
    drawn = draw_batch([formulas[index] for index in sound], [styles[index] for index in sound])
    return drawings | dict(zip(sound, drawn, strict=True))
