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
from im2latex_jax.datasets.corpus.looks import PLAIN, Look
from im2latex_jax.datasets.corpus.selection import Candidate
from im2latex_jax.datasets.corpus.sources import Reason
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex import lexer
from im2latex_jax.latex.canonical import canonicalize
from im2latex_jax.rendering import browser, mathtext
from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex import render

ENGINES = ("latex", "mathtext")
POINTS_PER_INCH = 72.27  # of TeX
_PAPER = 24  # pixels around a drawing
CHUNK = render.BATCH_SIZE  # formulas that a worker draws at a time
# TeX that finds no room on its disk fails in ways that look like the formula's fault.
_MIN_FREE_BYTES = 32 << 20


@dataclasses.dataclass(frozen=True)
class Limits:
    """The largest picture that is kept, in pixels."""

    max_height: int
    max_width: int


@dataclasses.dataclass(frozen=True)
class Tools:
    """What formulas are drawn with.

    Attributes:
      engine: one of `ENGINES`; it also draws what the renderer of a formula's look cannot.
      web_packages: folder of the npm packages of the browser's renderers; "" if not needed.
    """

    engine: str
    web_packages: str = ""


@dataclasses.dataclass(frozen=True)
class Job:
    """Formulas that are drawn in one go, and where the result is kept.

    Attributes:
      tools: see `Tools`.
      formulas: tokens separated by single spaces.
      looks: of each formula; all of one renderer.
      folder: of the finished chunks.
    """

    tools: Tools
    formulas: tuple[str, ...]
    looks: tuple[Look, ...]
    folder: pathlib.Path

    @property
    def path(self) -> pathlib.Path:
        """Of the finished chunk: named after everything that the pictures depend on."""
        looks = [dataclasses.astuple(look) for look in self.looks]
        content = json.dumps([code_digest(), self.tools.engine, self.formulas, looks])
        return self.folder / f"{hashlib.sha256(content.encode()).hexdigest()[:32]}.chunk"


def plan(
    candidates: Sequence[tuple[Candidate, Look]], tools: Tools, folder: pathlib.Path
) -> Iterator[tuple[list[Candidate], Job]]:
    """Cuts candidates into jobs of formulas that can be drawn in one go."""
    documents = collections.defaultdict(list)
    for candidate, look in candidates:
        documents[look.document].append((candidate, look))
    for document in sorted(documents):
        members = documents[document]
        for start in range(0, len(members), CHUNK):
            part, looks = zip(*members[start : start + CHUNK], strict=True)
            formulas = tuple(candidate.formula for candidate in part)
            yield list(part), Job(tools, formulas, looks, folder)


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
    chunks.write(path, draw_pictures(job.tools, job.formulas, job.looks))
    return path, False


def draw_pictures(
    tools: Tools, formulas: Sequence[str], looks: Sequence[Look]
) -> list[chunks.Picture]:
    """Draws formulas, at the network's scale; arguments as in `Job`.

    Raises:
      Im2latexError: the engine does not work, or its disk is full.
    """
    if not formulas:
        return []
    renderer = looks[0].renderer
    match renderer:
        case "latex":
            drawn = _draw_latex(formulas, looks)
        case "mathtext":
            drawn = _draw_mathtext(formulas, looks)
        case _:
            drawn = _draw_web(renderer, tools.web_packages, formulas, looks)
    failed = [number for number, picture in enumerate(drawn) if picture.problem]
    if failed and renderer != tools.engine:
        again = draw_pictures(
            tools,
            [formulas[number] for number in failed],
            [dataclasses.replace(looks[number], renderer=tools.engine) for number in failed],
        )
        for number, picture in zip(failed, again, strict=True):
            drawn[number] = picture
        return drawn
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if failed and free < _MIN_FREE_BYTES:
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


def _draw_latex(formulas: Sequence[str], looks: Sequence[Look]) -> list[chunks.Picture]:
    styles = _styles(formulas, looks)
    drawn = []
    for style, result in zip(
        styles, render.render_formulas(_compact(formulas), styles, jobs=1), strict=True
    ):
        if result.png is None:
            drawn.append(chunks.Picture(b"", 0, 0, result.reason or "not drawn"))
        else:
            drawn.append(_finished(255 - images.read(result.png), _em(style)))
    return drawn


def _draw_mathtext(formulas: Sequence[str], looks: Sequence[Look]) -> list[chunks.Picture]:
    _set_up_mathtext()
    drawn = []
    for formula, look, style in zip(formulas, looks, _styles(formulas, looks), strict=True):
        font = "cm" if look.seed < 0 else mathtext.FONTS[look.seed % len(mathtext.FONTS)]
        try:
            # Mathtext reads no argument without braces; the canonical form has them all. TeX's
            # points are 1/72.27 inch.
            text, size = canonicalize(formula), style.point_size * 72 / 72.27
            picture = mathtext.draw(text, font, size, style.dpi)
        except Im2latexError as error:
            drawn.append(chunks.Picture(b"", 0, 0, " ".join(str(error).split())))
        else:
            drawn.append(_finished(255 - picture, _em(style)))
    return drawn


def _draw_web(
    renderer: str, packages: str, formulas: Sequence[str], looks: Sequence[Look]
) -> list[chunks.Picture]:
    styles = [browser.random_style(look.seed) for look in looks]
    package = pathlib.Path(packages) / renderer if packages else None
    drawn = []
    for style, (image, reason) in zip(
        styles, browser.draw(renderer, package, _compact(formulas), styles), strict=True
    ):
        if image is None:
            drawn.append(chunks.Picture(b"", 0, 0, reason or "not drawn"))
        else:
            ink = images.to_ink(images.read(image))
            drawn.append(_finished(ink, style.size * style.ratio))
    return drawn


def _compact(formulas: Sequence[str]) -> list[str]:
    """Without the blanks between tokens, which TeX does not read in dimensions (`0 . 5 e m`)."""
    return [lexer.detokenize(formula.split(" ")) for formula in formulas]


def _styles(formulas: Sequence[str], looks: Sequence[Look]) -> list[RenderStyle]:
    return [
        look.style(formula.count(" ") + 1) for formula, look in zip(formulas, looks, strict=True)
    ]


def _em(style: RenderStyle) -> float:
    """Pixels an em, the point size."""
    return style.point_size * style.dpi / POINTS_PER_INCH


@functools.cache
def _set_up_mathtext() -> None:
    import matplotlib

    matplotlib.rcdefaults()  # settings of the user would change the pictures


def _finished(ink: np.ndarray, em: float) -> chunks.Picture:
    """Crops as `images.prepare` does, and brings the writing to the network's scale.

    Recognition scales any picture so that its writing has the size of 12 points at 100 dpi; what it
    does to a picture of another size, of `em` pixels an em, is done here, with the factor known.
    """
    try:
        # With paper around it: at an image's edge, a tall bracket passes for the edge of a scan.
        ink = images.crop(np.pad(ink, _PAPER))
        ink = images.resize(ink, _em(PLAIN) / em)
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
