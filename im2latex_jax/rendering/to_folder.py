"""Draws a list of formulas into a folder, and goes on where an earlier run was interrupted.

A picture is written before the line in `index.tsv` that names it, and a line that lacks its end is
dropped on the next start: whenever the program is killed, what the two tables hold is finished.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import re
import stat
from collections.abc import Generator, Iterator, Sequence

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.files import FormulaLine, read_formulas
from im2latex_jax.rendering import mathtext
from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex.dvipng import is_whole_png
from im2latex_jax.rendering.tex.render import Rendered, render_formulas
from im2latex_jax.runtime import files, locks, workers

ENGINES = ("latex", "mathtext")
INDEX, REJECTED, SETTINGS = "index.tsv", "rejected.tsv", "render.json"
LOCK = "render.lock"

_PATIENCE = 5.0  # seconds to wait for a process that is just ending
_CHUNK = 64  # formulas that a worker process draws at a time
_Task = tuple[str, float, int]  # formula, font size, dots per inch


class RenderFolderError(Im2latexError):
    """The folder cannot take the pictures; the message says why."""


@dataclasses.dataclass(frozen=True)
class RenderSummary:
    """What a folder holds at the end.

    Attributes:
      num_lines: lines in the list of formulas.
      num_drawn: formulas with a picture.
      num_rejected: formulas without one; `rejected.tsv` has the reasons.
      num_resumed: formulas that an earlier run had finished with, among both.
      remark: on the list of formulas, with file and line, or None.
    """

    num_lines: int
    num_drawn: int
    num_rejected: int
    num_resumed: int
    remark: str | None


def render_to_folder(
    formulas: str | os.PathLike,
    out: str | os.PathLike,
    engine: str = "latex",
    dpi: int | None = None,
    jobs: int | None = None,
    style: RenderStyle | None = None,
    encoding: str = "utf-8",
    progress: bool = True,
) -> RenderSummary:
    """Draws each line of a file to `out/NNNNNN.png`, NNNNNN being the line's number from 0.

    `out/index.tsv` gets a line `NNNNNN.png<TAB>formula` for each picture (a tab within a formula
    becomes a space), `out/rejected.tsv` a line `number<TAB>reason` for each formula without one.
    If the folder holds a part of the same work, the rest is done.

    Args:
      formulas: the file, a formula a line.
      out: the folder; made where it is missing.
      engine: `latex`, or `mathtext`, which draws in Computer Modern whatever the style's family.
      dpi: pixels an inch, instead of the style's.
      jobs: how many processes draw at a time; by default the number of processor cores.
      style: by default `RenderStyle()`.
      encoding: of the file.
      progress: shows a progress bar on standard error where that is a terminal.

    Raises:
      RenderFolderError: unknown engine; the folder holds other work or cannot be written to.
      Im2latexError: another process draws into the folder.
      FormulaFileError: the file cannot be read.
      MissingProgramError, TexError: as `render_formulas`.
    """
    if engine not in ENGINES:
        raise RenderFolderError(f"unknown engine {engine!r}: choose one of {', '.join(ENGINES)}")
    style = style or RenderStyle()
    if dpi is not None:
        style = dataclasses.replace(style, dpi=dpi)
    file = read_formulas(formulas, encoding)
    out = pathlib.Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        _require_files(out)
        refusal = f"another process draws into {out}: wait for its end"
        with locks.held(out / LOCK, refusal, _PATIENCE):
            _claim(out, file.lines, engine, style)
            drawn, rejected = _finished(out)
            num_resumed = len(drawn) + len(rejected)
            waiting = [n for n in range(len(file.lines)) if n not in drawn and n not in rejected]
            rendered = render_lines([file.lines[n] for n in waiting], engine, style, jobs, progress)
            for number, png in _written(out, file.lines, waiting, rendered):
                (drawn if png else rejected).add(number)
            _sort_tables(out)
    except OSError as error:
        raise RenderFolderError(
            f"cannot write to {error.filename or out}: {error.strerror}; what is finished is kept, "
            "start again to go on"
        ) from error
    return RenderSummary(len(file.lines), len(drawn), len(rejected), num_resumed, file.remark)


def _written(
    out: pathlib.Path,
    lines: Sequence[FormulaLine],
    numbers: Sequence[int],
    rendered: Generator[tuple[bytes | None, str | None], None, None],
) -> Iterator[tuple[int, bool]]:
    """Writes images and tables; yields each line's number, and whether it has an image."""
    with (
        (out / INDEX).open("a", encoding="utf-8", newline="\n", buffering=1) as index,
        (out / REJECTED).open("a", encoding="utf-8", newline="\n", buffering=1) as refused,
        contextlib.closing(rendered),
    ):
        for number, (png, reason) in zip(numbers, rendered, strict=True):
            if png is None:
                refused.write(f"{number}\t{_one_field(reason)}\n")
            else:
                name = picture_name(number)
                _write_image(out / name, png)
                index.write(f"{name}\t{_one_field(lines[number].formula)}\n")
            yield number, png is not None


def _require_files(out: pathlib.Path) -> None:
    """Refuses links and pipes in the place of what is written: they would lead elsewhere."""
    for name in (INDEX, REJECTED, SETTINGS, LOCK):
        path = out / name
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            raise RenderFolderError(f"{path} is not a file of an earlier run: remove it")


def _write_image(path: pathlib.Path, png: bytes) -> None:
    """Writes a new file, whatever stands in its place: no link is followed."""
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(png)


def picture_name(number: int) -> str:
    """The file name of a line's picture, by the line's number from 0."""
    return f"{number:06d}.png"


def _one_field(text: str | None) -> str:
    return re.sub(r"[\t\r\n]", " ", text or "")


def _claim(
    out: pathlib.Path, lines: Sequence[FormulaLine], engine: str, style: RenderStyle
) -> None:
    """Writes down what the folder is for, or checks that it is for the same."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line.formula}\n".encode("utf-8", errors="surrogatepass"))
    settings = {"formulas_sha256": digest.hexdigest(), "engine": engine}
    settings |= dataclasses.asdict(style)
    path = out / SETTINGS
    if path.exists():
        try:
            found = json.loads(path.read_text("utf-8"))
        except ValueError:
            found = None
        if found != settings:
            raise RenderFolderError(
                f"{out} holds pictures of another list of formulas, or in another style or engine "
                f"(see {SETTINGS}): choose another folder, or delete this one"
            )
    elif (out / INDEX).exists() or (out / REJECTED).exists():
        raise RenderFolderError(
            f"{out} holds {INDEX} or {REJECTED}, but no {SETTINGS}: choose another folder"
        )
    else:
        files.write_text(path, json.dumps(settings, indent=2) + "\n")


def _whole_lines(path: pathlib.Path) -> list[str]:
    if not path.exists():
        return []
    content = path.read_text("utf-8", errors="replace")
    return content.split("\n")[:-1]  # what follows the last line end is half a line, or nothing


def _finished(out: pathlib.Path) -> tuple[set[int], set[int]]:
    """The numbers of the lines drawn and rejected. Half-written table lines are dropped."""
    kept_index = [line for line in _whole_lines(out / INDEX) if _has_picture(out, line)]
    kept_rejected = [line for line in _whole_lines(out / REJECTED) if re.match(r"\d+\t", line)]
    for name, kept in ((INDEX, kept_index), (REJECTED, kept_rejected)):
        text = "".join(f"{line}\n" for line in kept)
        path = out / name
        if path.exists() and path.read_text("utf-8", errors="replace") != text:
            files.write_text(path, text)
    return {_number(line) for line in kept_index}, {_number(line) for line in kept_rejected}


def _number(line: str) -> int:
    return int(line.partition("\t")[0].removesuffix(".png"))


def _has_picture(out: pathlib.Path, line: str) -> bool:
    name = re.match(r"(\d+\.png)\t", line)
    if name is None:
        return False
    try:
        with (out / name[1]).open("rb") as file:
            file.seek(-16, os.SEEK_END)
            return is_whole_png(file.read())
    except OSError:
        return False


def _sort_tables(out: pathlib.Path) -> None:
    """Puts the tables in order, which they are not where a run had to repeat single lines."""
    for name in (INDEX, REJECTED):
        lines = _whole_lines(out / name)
        if lines != (ordered := sorted(lines, key=_number)):
            files.write_text(out / name, "".join(f"{line}\n" for line in ordered))


def render_lines(
    lines: Sequence[FormulaLine],
    engine: str,
    style: RenderStyle,
    jobs: int | None = None,
    progress: bool = False,
) -> Generator[tuple[bytes | None, str | None], None, None]:
    """PNG or reason of each line, in order; the arguments are those of `render_to_folder`.

    Raises:
      MissingProgramError, TexError: as `render_formulas`.
    """
    formulas = [line.formula for line in lines if line.problem is None]
    results: Iterator[Rendered] = iter(())
    if formulas and engine == "latex":
        results = render_formulas(formulas, style, jobs, progress)
    elif formulas:
        results = _render_mathtext(formulas, style, jobs, progress)
    for line in lines:
        if line.problem is not None:
            yield None, line.problem
        else:
            result = next(results)
            yield result.png, result.reason


def _render_mathtext(
    formulas: Sequence[str], style: RenderStyle, jobs: int | None, progress: bool
) -> Iterator[Rendered]:
    from tqdm import tqdm

    tasks = [(formula, float(style.point_size), style.dpi) for formula in formulas]
    if jobs == 1:
        for index, task in enumerate(tasks):
            yield Rendered(index, *_draw_mathtext(task))
        return
    # Mathtext keeps its state in the process, so it needs processes.
    chunks = (tasks[start : start + _CHUNK] for start in range(0, len(tasks), _CHUNK))
    drawn = workers.ordered_map(_draw_chunk, chunks, jobs or workers.available_cpus())
    with (
        contextlib.closing(drawn),
        tqdm(total=len(formulas), unit="formula", disable=None if progress else True) as bar,
    ):
        try:
            for index, (png, reason) in enumerate(itertools.chain.from_iterable(drawn)):
                bar.update()
                yield Rendered(index, png, reason)
        except workers.WorkerKilledError:
            raise RenderFolderError(
                "a drawing process was killed (out of memory?): start again to go on, with fewer "
                "jobs"
            ) from None


def _draw_chunk(tasks: Sequence[_Task]) -> list[tuple[bytes | None, str | None]]:
    return [_draw_mathtext(task) for task in tasks]


def _draw_mathtext(task: _Task) -> tuple[bytes | None, str | None]:
    formula, font_size, dpi = task
    try:
        return mathtext.render(formula, font_size=font_size, dpi=dpi), None
    except Im2latexError as error:
        return None, str(error)
