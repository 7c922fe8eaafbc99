"""Gives hostile formulas to all that reads formulas, and looks for what they did.

    python -m experiments.tools.fuzz_formulas [--count 20000] [--seed 0] [--unguarded 200]

Formulas are put together at random from pieces of attacks, commands that are allowed, and damaged
good formulas; the same seed gives the same ones. Each goes through the normalizer, `tidy`, mathtext
and TeX. A fault is: an exception that is not a message for people; a file outside the folders
given; an item that takes over two seconds; a good formula among the hostile ones that is not drawn
exactly as it is drawn alone. `--unguarded` says how many go to TeX without the check of their text
as well, which tests the guards behind it. Prints the faults and the time; the exit status is 1 if
there are any.
"""

import collections
import contextlib
import dataclasses
import os
import pathlib
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

from tqdm import tqdm

from experiments import command_line
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex import commands, lexer, safety
from im2latex_jax.latex.normalizer import normalize
from im2latex_jax.latex.tidy import tidy
from im2latex_jax.rendering import mathtext
from im2latex_jax.rendering.styles import RenderStyle
from im2latex_jax.rendering.tex.batch import draw_batch
from im2latex_jax.rendering.tex.render import render_formulas

SECONDS_PER_ITEM = 2.0
_CANARY_EVERY = 20
CANARIES = (
    r"\frac{\alpha}{b}+\sum_{k=1}^n \sqrt{x}",
    r"\left(\begin{array}{cc}1&2\\3&4\end{array}\right)\text{ if }y>0",
)

GOOD = (
    *CANARIES,
    r"\int_0^\infty \frac{\sin x}{x}\,dx = \frac{\pi}{2}",
    r"\begin{aligned}a&=b\\c&=d\end{aligned}",
    r"\left\{\begin{array}{lr}x&\mbox{if $y$}\\0&\mbox{else}\end{array}\right.",
    r"\mathcal{L}\bigl(\hat{x}_i^{2}\bigr)\stackrel{!}{=}\overline{\mathbf{v}}",
    r"\renewcommand{\arraystretch}{1.5}\begin{matrix}1&2\end{matrix}",
    r"\hbox to 3cm{\hfil $x$}\raisebox{-1ex}{\rule{1em}{2pt}}",
    r"\xrightarrow[a]{b}\binom{n}{k}\substack{a\\b}\sideset{_1^2}{_3^4}\prod",
)
ATTACKS = (
    r"\left\begin{filecontents*}[nosearch]{amsmath.sty}",
    r"\right\end{filecontents*}",
    r"\begin{filecontents}[overwrite]{mathrsfs.sty}",
    r"\input{/etc/passwd}",
    r"\input|id",
    r"\include{../x}",
    r"\openin5=/etc/passwd \read5 to\x \x",
    r"\immediate\openout5=victim \immediate\write5{x}",
    r"\immediate\write18{touch victim}",
    r"\special{psfile=/usr/share/x.png}",
    r"\special{ps: x}",
    r"\catcode`\@=11 ",
    r"\catcode`\^=0 ^input ",
    r"\csname input\endcsname{x}",
    r"\expandafter\gdef\csname im@end\endcsname#1{}",
    r"\csname tex_shipout:D\endcsname\box0 ",
    r"^^5cinput x",
    "^^M\\input x",
    r"\def\x{\x}\x",
    r"\gdef\alpha{b}",
    r"\let\frac\relax",
    r"\global\thinmuskip=50mu ",
    r"\loop\iftrue\repeat",
    r"\end{document}",
    r"\stop",
    r"\usepackage{x}",
    r"\includegraphics{/x.png}",
    r"\verbatiminput{/etc/passwd}",
    r"\lstinputlisting{/etc/passwd}",
    r"\href{file:///etc/passwd}{x}",
    r"\pdffiledump{/etc/passwd}",
    r"\pdfmapfile{x}",
    r"\font\x=/tmp/x \x",
    r"\DeclareMathOperator{\x}{y}",
    r"\scantokens{\input x}",
    r"\directlua{os.execute('id')}",
    r"\egroup\egroup",
    r"\bgroup\begingroup$$",
    r"\endgroup$$",
    r"{$$}",
    r"\ensuremath{$$}",
    r"\(\)\[\]",
    r"\label\bgroup",
    r"\hat$",
    r"\begin{array}{*{99999999}{c}}",
    r"\multispan{99999999}",
    r"\hspace{16000pt}",
    r"\rule{16000pt}{16000pt}",
    r"\raise 16000pt\hbox{x}",
    r"\kern 99999999sp",
    r"\hskip 1fil minus -1fill",
    r"\mathchoice{\mathchoice{x}{x}{x}{x}}{x}{x}{x}",
    r"\text{$\text{$\text{$\text{$x$}$}$}$}",
    r"\buildrel x",
    r"\root 3",
    r"\char99999 ",
    r"\mathchar\"7FFFF ",
    "\x00",
    "\x1b[2J",
    "\ud800",
    "\u2028",
    "\r\\input x",
    "%",
    "\\",
    "\n\n",
)
_SIGNS = (
    *"{}[]()^_&$#%~'\\|<>./*-+=0123456789",
    "\\\\",
    "\\{",
    "\\}",
    "é",
    "π",
    "\U0001d49c",
    "\u0301",
)


def formula(number: int, seed: int) -> str:
    """Formula `number` of a seed."""
    choose = random.Random(f"{seed} {number}")
    kind = choose.randrange(5)
    if kind == 0:
        pieces = [choose.choice(ATTACKS), *choose.choices(GOOD, k=choose.randrange(3))]
        choose.shuffle(pieces)
        return "".join(pieces)
    if kind == 1:
        return "".join(_piece(choose) for _ in range(choose.randrange(1, 25)))
    if kind == 2:
        return _damaged(choose.choice(ATTACKS) + choose.choice(GOOD), choose)
    if kind == 3:
        repeated = _piece(choose)
        return repeated * min(choose.choice((3, 60, 2000)), 15_000 // len(repeated))
    return _damaged(choose.choice(GOOD), choose)


def _piece(choose: random.Random) -> str:
    kind = choose.randrange(8)
    if kind < 3:
        return choose.choice(_SIGNS)
    if kind < 6:
        return "\\" + choose.choice(_NAMES) + choose.choice(("", " ", "{x}", "{", "["))
    if kind == 6:
        border = choose.choice(("begin", "end"))
        return f"\\{border}{{{choose.choice(_ENVIRONMENTS)}}}{choose.choice(('', '{c}'))}"
    return choose.choice(ATTACKS)


_NAMES = sorted(commands.COMMANDS)
_ENVIRONMENTS = sorted(commands.ENVIRONMENTS)


def _damaged(text: str, choose: random.Random) -> str:
    """Some tokens taken out, doubled, exchanged or put in."""
    tokens = list(text)
    if choose.random() < 0.7:
        with contextlib.suppress(Im2latexError):
            tokens = lexer.tokenize(text)
    for _ in range(choose.randrange(1, 5)):
        if not tokens:
            break
        at = choose.randrange(len(tokens))
        match choose.randrange(4):
            case 0:
                del tokens[at]
            case 1:
                tokens.insert(at, tokens[choose.randrange(len(tokens))])
            case 2:
                other = choose.randrange(len(tokens))
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case _:
                tokens.insert(at, _piece(choose))
    return "".join(tokens)


@dataclasses.dataclass
class Outcome:
    """What came of formulas.

    Attributes:
      faults: what must not happen, a line each.
      counts: how many formulas each reader accepted.
      seconds: in all, of the slowest text, and of TeX by formula.
    """

    faults: list[str] = dataclasses.field(default_factory=list)
    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)


def fuzz(
    count: int,
    seed: int,
    jobs: int | None = None,
    unguarded: int = 0,
    tex_seconds: float = SECONDS_PER_ITEM,
) -> Outcome:
    """Tries `count` formulas; see the module. Temporary files go to a folder that is watched.

    Args:
      count: how many.
      seed: of the formulas.
      jobs: runs of TeX at a time; by default all cores.
      unguarded: how many are drawn without the check of their text as well.
      tex_seconds: wall-clock time that TeX may take for one on average.
    """
    mathtext.draw("x")  # which imports matplotlib
    formulas = [formula(number, seed) for number in range(count)]
    outcome = Outcome()
    start = time.monotonic()
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="fuzz-") as world:
        kept = pathlib.Path(world, "kept.tex")
        kept.write_text("x")
        working = os.getcwd()
        tempfile.tempdir = world
        os.chdir(world)
        try:
            for name, read in _readers().items():
                _read_all(name, read, formulas, outcome)
            _draw_all("TeX", formulas, outcome, lambda given: _guarded(given, jobs))
            if unguarded:
                _draw_all("TeX without the check", formulas[:unguarded], outcome, _unguarded)
            for name, seconds in outcome.seconds.items():
                if name.startswith("TeX") and seconds > tex_seconds:
                    outcome.faults.append(f"{name}: {seconds:.1f} s")
            left = [path.name for path in pathlib.Path(world).iterdir()]
            if left != [kept.name] or kept.read_text() != "x":
                outcome.faults.append(f"files were left or changed: {left}")
        finally:
            os.chdir(working)
            tempfile.tempdir = before
    outcome.seconds["in all"] = time.monotonic() - start
    return outcome


def _readers() -> dict[str, Callable[[str], object]]:
    return {
        "check": lambda text: safety.refusal(text) is None,
        "normalizer": normalize,
        "tidy": tidy,
        "mathtext": mathtext.draw,
    }


def _read_all(
    name: str, read: Callable[[str], object], formulas: Sequence[str], outcome: Outcome
) -> None:
    slowest = 0.0
    for number, text in enumerate(tqdm(formulas, desc=name, disable=None)):
        start = time.process_time()
        try:
            outcome.counts[name] += read(text) is not False
        except Im2latexError as error:
            if "\n" in str(error):
                outcome.faults.append(f"{number}: {name}: a message of several lines: {error!r}")
        except Exception as error:  # what else comes is what is looked for
            outcome.faults.append(f"{number}: {name}: {error!r}")
        end = time.process_time()
        slowest = max(slowest, end - start)
        if end - start > SECONDS_PER_ITEM:
            outcome.faults.append(f"{number}: {name}: {end - start:.1f} s")
    outcome.seconds[f"slowest of {name}"] = slowest


def _guarded(given: Sequence[str], jobs: int | None) -> Iterator[tuple[bytes | None, str | None]]:
    for result in render_formulas(given, jobs=jobs, progress=True):
        yield result.png, result.reason


def _unguarded(given: Sequence[str]) -> Iterator[tuple[bytes | None, str | None]]:
    for drawing in draw_batch(given, [RenderStyle()] * len(given)):
        yield drawing.png, drawing.reason


def _draw_all(
    name: str,
    formulas: Sequence[str],
    outcome: Outcome,
    draw: Callable[[Sequence[str]], Iterator[tuple[bytes | None, str | None]]],
) -> None:
    """Draws the formulas with good ones among them, which must come out as they do alone."""
    alone = [next(_unguarded([canary]))[0] for canary in CANARIES]
    given: list[str] = []
    numbers: list[int] = []  # of fuzzed formulas; of a good one, -1 less its own
    for number, text in enumerate(formulas):
        if number % _CANARY_EVERY == 0:
            which = number // _CANARY_EVERY % len(CANARIES)
            given.append(CANARIES[which])
            numbers.append(-1 - which)
        given.append(text)
        numbers.append(number)
    start = time.monotonic()
    try:
        for number, (png, reason) in zip(numbers, draw(given), strict=True):
            if number < 0 and png != alone[-1 - number]:
                outcome.faults.append(f"{name}: a good formula is drawn otherwise ({reason})")
            if number >= 0:
                outcome.counts[name] += png is not None
                if (png is None) == (reason is None) or "\n" in (reason or ""):
                    outcome.faults.append(f"{number}: {name}: no reason in one line: {reason!r}")
    except Exception as error:  # none is allowed: each formula has a reason of its own
        outcome.faults.append(f"{name}: {error!r}")
    outcome.seconds[f"{name}, each"] = (time.monotonic() - start) / max(1, len(formulas))


def main(arguments: Sequence[str]) -> int:
    parser = command_line.parser("tools.fuzz_formulas", __doc__ or "")
    parser.add_argument("--count", type=int, default=20_000, help="formulas (default 20000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, help="runs of TeX at a time; by default all cores")
    parser.add_argument("--unguarded", type=int, default=200, help="see above (default 200)")
    parsed = parser.parse_args(arguments)
    outcome = fuzz(parsed.count, parsed.seed, parsed.jobs, parsed.unguarded)
    for name, number in outcome.counts.items():
        print(f"{name}: {number} of {parsed.count} accepted")
    for name, seconds in outcome.seconds.items():
        print(f"{name}: {seconds:.3f} s")
    for fault in outcome.faults:
        print(f"fault: {fault}")
    print(f"{len(outcome.faults)} faults")
    return int(bool(outcome.faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
