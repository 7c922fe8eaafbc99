r"""Sets formulas with latex, a page each, and reads from its messages which of them failed.

TeX is run without stopping at errors. Markers in what it prints say where each formula begins and
ends, so that every message has its formula. Each formula stands in a box of its own that is shipped
out as it is: `dvipng -T tight` crops the page to its ink, as the preview package would have it.
"""

import dataclasses
import re
import secrets
from collections.abc import Sequence

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.commands import ENVIRONMENTS
from im2latex_jax.rendering.limits import too_large
from im2latex_jax.rendering.styles import FAMILIES, RenderStyle
from im2latex_jax.rendering.tex import dvi, sandbox, tex_state

# Processor time that TeX may take for one formula: fifty times what the longest ones need.
STALL_SECONDS = 0.5

_AMSMATH_DISPLAY = "equation*"  # what amsmath makes of displaymath
_DVI = "batch.dvi"
_POINTS_PER_INCH = 72.27
_SCALED_POINTS = 65536  # a point's

_PREAMBLE = r"""\documentclass[%(point_size)dpt]{article}
\makeatletter
\let\im@plain@matrix\matrix \let\im@plain@pmatrix\pmatrix \let\im@plain@cases\cases
\makeatother
\usepackage{amsmath,amssymb,mathrsfs}
%(family)s
\makeatletter
\setcounter{localmathalphabets}{0}
\nofiles
\hfuzz\maxdimen \vfuzz\maxdimen \hbadness\@M \vbadness\@M
%% These warn when they are first used, and then redefine themselves for the rest of the document.
\let\over\@@over \let\atop\@@atop \let\above\@@above \let\overwithdelims\@@overwithdelims
\let\atopwithdelims\@@atopwithdelims \let\abovewithdelims\@@abovewithdelims
%% Plain TeX's \matrix{...}, \pmatrix{...}, \cases{...}; amsmath has them as environments only.
\def\im@plain@or#1{\expandafter\let\csname im@ams@#1\expandafter\endcsname\csname#1\endcsname
  \@namedef{#1}{\def\im@name{#1}\csname im@\ifx\@currenvir\im@name ams\else plain\fi @#1\endcsname}}
\im@plain@or{matrix}\im@plain@or{pmatrix}\im@plain@or{cases}
\def\bold{\mathbf}\def\Bbb{\mathbb}\def\frak{\mathfrak}
\providecommand\bm{\boldsymbol}
\newbox\im@box
\expandafter\let\expandafter\im@ship\csname tex_shipout:D\endcsname
\def\im@digest{\pdfmdfivesum{%(state)s}}
\def\im@start#1{\message{<%(mark)s F #1>}\setbox\im@box\vbox\bgroup\tracinglostchars=3 }
%% Environments too are a closed list, whatever text came to stand after \begin. Nothing is left to
%% write files with, or to speak to drawing programs.
\let\im@begin\begin
\def\begin#1{\expandafter\ifx\csname im@may@#1\endcsname\@empty
  \expandafter\im@begin\else\expandafter\im@mustnot\fi{#1}}
\def\im@mustnot#1{\errmessage{Environment #1 is not one that formulas may use}}
%(environments)s
\def\im@forbid#1{\expandafter\let\csname #1\endcsname\im@undefined
  \expandafter\let\csname tex_#1:D\endcsname\im@undefined}
\im@forbid{special}\im@forbid{openout}\im@forbid{scantokens}\im@forbid{pdffiledump}
\im@forbid{filedump}\im@forbid{pdffilesize}\im@forbid{filesize}\im@forbid{pdffilemoddate}
\im@forbid{filemoddate}\im@forbid{pdfmapfile}\im@forbid{pdfmapline}
%% The empty paragraph sets TeX's count of errors, which ends the run at 100, back to zero.
\def\im@end#1{\egroup\setbox\z@\vbox{\noindent}\count\z@=#1 %%
  \message{<%(mark)s E #1 \the\currentgrouplevel\space\number\wd\im@box\space
    \number\ht\im@box\space\number\dp\im@box>}%%
  \ifnum\currentgrouplevel>\z@ \read\sixt@@n to\im@stop\fi
  \im@ship\box\im@box}
\def\im@state{\message{<%(mark)s S \im@digest>}}
\im@begin{document}
\makeatletter
\let\label\@gobble
%% TeX has room for 16 math fonts, given out when first asked for. All are asked for here, in one
%% order, so that it does not depend on the formulas before it which fonts a formula finds.
\def\im@alphabets{\mathrm{}\mathcal{}\mathbb{}\mathbf{}\mathit{}\mathsf{}\mathfrak{}\mathscr{}%%
  \mathtt{}}
\setbox\z@\hbox{$\im@alphabets$\boldmath$\im@alphabets$}
\makeatother
\csname im@state\endcsname
"""
_FORMULA = r"""\csname im@start\endcsname{%(number)d}%(bold)s\csname im@begin\endcsname{%(math)s}
%(formula)s
\end{%(math)s}\csname im@end\endcsname{%(number)d}
"""
_ENDING = "\\csname im@state\\endcsname\n\\end{document}\n"

_PAGES = re.compile(r"Output written on \S+ \((\d+) pages?,")
_MISSING_FILE = re.compile(r"! LaTeX Error: File `([^']+)' not found")
_LAST_COMMAND = re.compile(r"(\\[A-Za-z@]+|\\.)\s*$")


class TexError(Im2latexError):
    """TeX itself does not work here; the message holds its reason."""


@dataclasses.dataclass(frozen=True)
class Typesetting:
    """What one run of latex says about its formulas, by their position in the run (from 0).

    Attributes:
      failures: the reason of each formula with an error.
      stopped_at: the formula that did not come to its end, or None; what is said of formulas after
        it has no meaning.
      unchanged: TeX's state (commands, lengths, categories) was at the end as at the start.
      num_pages: the number of pages written.
      dvi: the DVI file, formula n (from 0) on page n + 1. Only to be drawn where there is no
        failure.
    """

    failures: dict[int, str]
    stopped_at: int | None
    unchanged: bool
    num_pages: int
    dvi: bytes = dataclasses.field(repr=False)


def typeset(formulas: Sequence[str], styles: Sequence[RenderStyle], seconds: int) -> Typesetting:
    """Sets formulas, a page each.

    Args:
      formulas: LaTeX math without delimiters, at least one.
      styles: of each formula; all share a document (`RenderStyle.document`).
      seconds: the limit of processor time.

    Raises:
      TexError: TeX cannot even start the document, or a font family is not installed.
    """
    mark = secrets.token_hex(8)  # no formula can know it, and so none can forge a marker
    document = _document(formulas, styles, mark)
    run = sandbox.run(
        ["latex", "-no-shell-escape", "-interaction=nonstopmode", "batch.tex"],
        sandbox.Limits(
            cpu_seconds=seconds,
            wall_seconds=10 * seconds,
            stall_seconds=STALL_SECONDS,
            progress=f"<{mark}",
            memory_mib=512,
        ),
        files={"batch.tex": document.encode("utf-8", errors="replace")},
        wanted=[_DVI],
    )
    return _read_messages(run, mark, styles)


def _document(formulas: Sequence[str], styles: Sequence[RenderStyle], mark: str) -> str:
    preamble = _PREAMBLE % {
        "point_size": styles[0].point_size,
        "family": FAMILIES[styles[0].family].preamble,
        "mark": mark,
        "state": tex_state.written_out(),
        "environments": "".join(
            rf"\@namedef{{im@may@{name}}}{{}}" for name in (*sorted(ENVIRONMENTS), _AMSMATH_DISPLAY)
        ),
    }
    pages = [
        _FORMULA
        % {
            "number": number,
            "math": "displaymath" if style.display else "math",
            "bold": r"\boldmath\bfseries" if style.bold else "",
            "formula": formula,
        }
        for number, (formula, style) in enumerate(zip(formulas, styles, strict=True), start=1)
    ]
    return preamble + "".join(pages) + _ENDING


def _read_messages(run: sandbox.Run, mark: str, styles: Sequence[RenderStyle]) -> Typesetting:
    before, *pieces = re.split(rf"<{mark} (?=[FE] \d|S [0-9A-F]{{32}}>)", run.output)
    failures: dict[int, str] = {}
    digests = []
    last, open_formula = -1, False
    for piece in pieces:
        head, _, printed = piece.partition(">")
        kind, value, *box = head.split()
        if kind == "S":
            digests.append(value)
            continue
        if (int(value) - 1, kind) != ((last, "E") if open_formula else (last + 1, "F")):
            break  # the formula has swallowed what follows it
        last, open_formula = int(value) - 1, kind == "F"
        error = first_error(printed)
        if error:
            failures.setdefault(last, error)
        if box and box[0] != "0":
            open_formula = True
            failures.setdefault(last, "leaves a group open")
            break
        if box and (large := _too_large(box[1:], styles[last])):
            failures.setdefault(last, large)
    if last < 0:
        raise TexError(_broken_setup(before + "".join(pieces), run, styles[0]))
    finished = len(digests) == 2 and not open_formula and not run.exceeded
    if run.exceeded:
        failures[last] = f"over the limit of {run.exceeded}"
    elif not finished:
        failures.setdefault(last, "ends the document, or swallows what follows it")
    pages = _PAGES.search(run.output)
    written = run.files.get(_DVI, b"")
    whole = finished
    if finished:
        try:
            forbidden = dvi.find_forbidden(written)
            failures |= {page - 1: why for page, why in forbidden.items() if page <= len(styles)}
        except dvi.DviError:
            whole = False
    return Typesetting(
        failures,
        stopped_at=None if finished else last,
        unchanged=whole and digests[0] == digests[1],
        num_pages=int(pages[1]) if pages else 0,
        dvi=written,
    )


def _too_large(box: Sequence[str], style: RenderStyle) -> str | None:
    """Why a box is too large to be drawn; it is its width, height and depth in scaled points."""
    width, height, depth = (int(size) / _SCALED_POINTS / _POINTS_PER_INCH for size in box)
    return too_large(width * style.dpi, (height + depth) * style.dpi, style.dpi)


def first_error(printed: str) -> str | None:
    """TeX's first message in what it printed; an undefined command's name is added."""
    lines = printed.splitlines()
    for position, line in enumerate(lines):
        if not line.startswith("! "):
            continue
        reason = line[2:].strip()
        if reason.startswith("Undefined control sequence"):
            # The context's first line ends with the command; the second one continues after it.
            command = _LAST_COMMAND.search(lines[position + 1]) if lines[position + 1 :] else None
            if command:
                reason = f"Undefined control sequence {command[1]}"
        return reason.removesuffix(".")
    return None


def _broken_setup(printed: str, run: sandbox.Run, style: RenderStyle) -> str:
    missing = _MISSING_FILE.search(printed)
    if missing:
        package = FAMILIES[style.family].debian_package
        return (
            f"LaTeX has no {missing[1]}, which the font family {style.family!r} needs: install "
            f"it (Debian: apt-get install {package} texlive-latex-recommended)"
        )
    reason = first_error(printed) or run.exceeded or run.last_line
    return f"latex does not work here (exit status {run.status}): {reason}"
