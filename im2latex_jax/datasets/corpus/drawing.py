"""Draws the chosen formulas, in chunks that worker processes take; imports neither TFDS nor JAX."""

import collections
import dataclasses
import functools
import hashlib
import json
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np

from im2latex_jax import images
from im2latex_jax.datasets.corpus import chunks, pictures
from im2latex_jax.datasets.corpus.selection import Candidate
from im2latex_jax.datasets.corpus.sources import Reason
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex import lexer
from im2latex_jax.latex.canonical import canonicalize
from im2latex_jax.rendering import mathtext
from im2latex_jax.rendering.styles import RenderStyle, random_style
from im2latex_jax.rendering.tex import render

ENGINES = ("latex", "mathtext")
PLAIN = RenderStyle()
CHUNK = render.BATCH_SIZE  # formulas that a worker draws at a time
# TeX that finds no room on its disk fails in ways that look like the formula's fault.
_MIN_FREE_BYTES = 32 << 20


@dataclasses.dataclass(frozen=True)
class Limits:
    """The largest picture that is kept, in pixels."""

    max_height: int
    max_width: int


@dataclasses.dataclass(frozen=True)
class Job:
    """Formulas that are drawn in one go, and where the result is kept.

    Attributes:
      engine: one of `ENGINES`.
      formulas: tokens separated by single spaces.
      seeds: of each formula's style; None is plain.
      folder: of the finished chunks.
    """

    engine: str
    formulas: tuple[str, ...]
    seeds: tuple[int | None, ...]
    folder: pathlib.Path

    @property
    def path(self) -> pathlib.Path:
        """Of the finished chunk: named after everything that the pictures depend on."""
        content = json.dumps([code_digest(), self.engine, self.formulas, self.seeds])
        return self.folder / f"{hashlib.sha256(content.encode()).hexdigest()[:32]}.chunk"


def style_seed(candidate: Candidate, seed: int, share: float) -> int | None:
    """The seed of a formula's random style; None for `1 - share` of all, which are drawn plain.

    It depends on the formula alone, not on what stands beside it.
    """
    text = f"{seed}\0{candidate.formula}".encode()
    hashed = hashlib.blake2b(text, digest_size=16, person=b"style").digest()
    if int.from_bytes(hashed[:8]) >= share * 2**64:
        return None
    return int.from_bytes(hashed[8:12])


def document_of(style: int | None) -> tuple[str, int]:
    """What formulas must share that TeX can set in one go."""
    return (PLAIN if style is None else random_style(style)).document


def plan(
    candidates: Sequence[Candidate], engine: str, seed: int, share: float, folder: pathlib.Path
) -> Iterator[tuple[list[Candidate], Job]]:
    """Cuts candidates into jobs of formulas that TeX can set in one document."""
    documents = collections.defaultdict(list)
    for candidate in candidates:
        styled = style_seed(candidate, seed, share)
        documents[document_of(styled)].append((candidate, styled))
    for document in sorted(documents):
        members = documents[document]
        for start in range(0, len(members), CHUNK):
            part, seeds = zip(*members[start : start + CHUNK], strict=True)
            formulas = tuple(candidate.formula for candidate in part)
            yield list(part), Job(engine, formulas, seeds, folder)


def draw(job: Job) -> tuple[pathlib.Path, bool]:
    """Draws a job's formulas unless that was done before.

    Returns:
      The path of the finished chunk, and whether it was there already.

    Raises:
      OSError: the chunk cannot be written.
      Im2latexError: the engine does not work, or its disk is full.
    """
    path = job.path
    if chunks.read(path) is not None:
        return path, True
    chunks.write(path, draw_pictures(job.engine, job.formulas, job.seeds))
    return path, False


def draw_pictures(
    engine: str, formulas: Sequence[str], seeds: Sequence[int | None]
) -> list[chunks.Picture]:
    """Draws formulas, at the network's scale; arguments as in `Job`.

    Raises:
      Im2latexError: the engine does not work, or its disk is full.
    """
    drawn = (_draw_latex if engine == "latex" else _draw_mathtext)(formulas, seeds)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if any(picture.problem for picture in drawn) and free < _MIN_FREE_BYTES:
        raise Im2latexError(
            f"{tempfile.gettempdir()}: the disk is full, TeX cannot work there; "
            "make room (or name another folder in TMPDIR) and run again: it goes on from here"
        )
    return drawn


def problem(picture: chunks.Picture, limits: Limits) -> Reason | None:
    """Why a picture cannot become a record."""
    if picture.problem:
        return Reason("not drawn", picture.problem)
    if picture.height > limits.max_height:
        return Reason("too high", f"{picture.height} pixels")
    if picture.width > limits.max_width:
        return Reason("too wide", f"{picture.width} pixels")
    return None


def _draw_latex(formulas: Sequence[str], seeds: Sequence[int | None]) -> list[chunks.Picture]:
    styles = [PLAIN if seed is None else random_style(seed) for seed in seeds]
    drawn = []
    # Without the blanks between tokens, which TeX does not read in dimensions (`0 . 5 e m`).
    compact = [lexer.detokenize(formula.split(" ")) for formula in formulas]
    for style, result in zip(styles, render.render_formulas(compact, styles, jobs=1), strict=True):
        if result.png is None:
            drawn.append(chunks.Picture(b"", 0, 0, result.reason or "not drawn"))
        else:
            drawn.append(_finished(255 - images.read(result.png), style))
    return drawn


def _draw_mathtext(formulas: Sequence[str], seeds: Sequence[int | None]) -> list[chunks.Picture]:
    _set_up_mathtext()
    drawn = []
    for formula, seed in zip(formulas, seeds, strict=True):
        style = PLAIN if seed is None else random_style(seed)
        font = "cm" if seed is None else mathtext.FONTS[seed % len(mathtext.FONTS)]
        try:
            # Mathtext reads no argument without braces; the canonical form has them all. TeX's
            # points are 1/72.27 inch.
            text, size = canonicalize(formula), style.point_size * 72 / 72.27
            picture = mathtext.draw(text, font, size, style.dpi)
        except Im2latexError as error:
            drawn.append(chunks.Picture(b"", 0, 0, " ".join(str(error).split())))
        else:
            drawn.append(_finished(255 - picture, style))
    return drawn


@functools.cache
def _set_up_mathtext() -> None:
    import matplotlib

    matplotlib.rcdefaults()  # settings of the user would change the pictures


def _finished(ink: np.ndarray, style: RenderStyle) -> chunks.Picture:
    """Crops as `images.prepare` does, and brings the writing to the network's scale.

    Recognition scales any picture so that its writing has the size of 12 points at 100 dpi; what it
    does to a picture of other points and dpi is done here, with the factor known.
    """
    try:
        ink = images.crop(ink)
        ink = images.resize(ink, PLAIN.point_size * PLAIN.dpi / (style.point_size * style.dpi))
    except images.ImageError as error:
        return chunks.Picture(b"", 0, 0, str(error))
    height, width = ink.shape
    return chunks.Picture(pictures.encode(255 - ink), height, width)


@functools.cache
def code_digest() -> str:
    """Stands for the code that normalizes and draws: a chunk that other code drew is not used."""
    package = pathlib.Path(images.__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted([
        *(package / "images").rglob("*.py"),
        *(package / "latex").rglob("*.py"),
        *(package / "rendering").rglob("*.py"),
        *pathlib.Path(__file__).parent.glob("*.py"),
    ]):  # fmt: skip
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
