"""The command `im2latex`. Each subcommand has a function that adds its arguments, and a handler.

Handlers import what they need themselves: JAX takes a second, and `im2latex --help` should not.
Exit status: 0 done; 1 something could not be done (the reason on standard error); 2 wrong usage;
130 interrupted.
"""

import argparse
import dataclasses
import glob
import io
import json
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from im2latex_jax import __version__
from im2latex_jax.errors import Im2latexError

if TYPE_CHECKING:
    from im2latex_jax.recognizer import Recognition, Recognizer

PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".dib", ".ppm", ".pgm"),
    *(".pbm", ".jp2", ".avif"),
)
# What `predict --render` writes; not read as a picture of a folder.
DRAWN_SUFFIX = ".predicted.png"
INTERRUPTED = 130
BROKEN_PIPE = 141  # as a shell reports a program that SIGPIPE ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parsed = _parser().parse_args(arguments)
    # Formulas are UTF-8 wherever the command runs. Bytes that are not (in file names, in lines)
    # become lone surrogates, which pass through here and are refused where they matter.
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        status = parsed.handler(parsed)
        sys.stdout.flush()
        return status
    except Im2latexError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more as it ends, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="im2latex", description="Reads pictures of formulas and writes their LaTeX."
    )
    parser.add_argument("--version", action="version", version=f"im2latex {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (
        *(_add_predict, _add_evaluate, _add_calibrate, _add_normalize, _add_render),
        _add_dataset,
    ):
        add(commands)
    return parser


def _say(message: str) -> None:
    """A line on standard error."""
    print(f"im2latex: {' '.join(message.splitlines())}", file=sys.stderr, flush=True)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return value


# What the commands that read pictures have in common.


def _add_recognizer_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        metavar="PATH",
        help="folder of a model or of a training run; by default the weights of the package",
    )
    parser.add_argument(
        "--batch-size", type=_positive, default=16, metavar="N", help="pictures read at a time"
    )
    parser.add_argument(
        "--beam-size",
        type=_positive,
        default=1,
        metavar="N",
        help="hypotheses that the search follows: slower, and sometimes better; 1 is greedy",
    )
    parser.add_argument(
        "--no-rescale",
        action="store_true",
        help="the writing has the network's size already (12pt at 100 dpi)",
    )


def _recognizer(parsed: argparse.Namespace) -> "Recognizer":
    from im2latex_jax import compilation
    from im2latex_jax.recognizer import Recognizer

    compilation.enable_cache()
    return Recognizer.load(
        parsed.checkpoint,
        batch_size=parsed.batch_size,
        beam_size=parsed.beam_size,
        rescale=not parsed.no_rescale,
    )


# im2latex predict


def _add_predict(commands) -> None:
    parser = commands.add_parser(
        "predict",
        help="read pictures",
        description="Reads pictures of formulas and prints a line of LaTeX for each, in order. "
        "The line of a picture that cannot be read is empty; the reason is on standard error.",
    )
    parser.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="a picture, a folder of pictures, a pattern such as 'scans/*.png', or - for a picture "
        "on standard input",
    )
    _add_recognizer_arguments(parser)
    parser.add_argument(
        "--clipboard",
        action="store_true",
        help="read the picture in the clipboard, after the others",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON object a line")
    form.add_argument("--markdown", action="store_true", help="print Markdown with the pictures")
    parser.add_argument(
        "--attention",
        metavar="OUT.gif",
        help="write an animation of where the network looked at each token (of a single picture)",
    )
    parser.add_argument(
        "--render",
        action="store_true",
        help=f"draw each answer to NAME{DRAWN_SUFFIX} beside the picture",
    )
    parser.set_defaults(handler=_predict, usage_error=parser.error)


@dataclasses.dataclass(frozen=True)
class _Input:
    """A picture to read: its name, and what to read, or what is wrong with it."""

    name: str
    source: Any = b""  # keeps the place of what has a problem
    problem: str | None = None


def _predict(parsed: argparse.Namespace) -> int:
    if not parsed.images and not parsed.clipboard:
        parsed.usage_error("give a picture, a folder, a pattern, - or --clipboard")
    inputs = list(_inputs(parsed.images))
    if parsed.clipboard:
        inputs.append(_Input("clipboard", _clipboard()))
    if parsed.attention is not None and len(inputs) != 1:
        raise Im2latexError(f"--attention shows one picture, and there are {len(inputs)}")
    recognizer = _recognizer(parsed)
    answers, failed = [], 0
    for given, answer in zip(inputs, recognizer.stream(map(_opened, inputs)), strict=True):
        error = given.problem or answer.error
        print(_formatted(given.name, answer, error, parsed), flush=True)
        if error is not None:
            failed += 1
            _say(f"error: {error}")
        elif answer.note is not None:
            _say(f"note: {answer.note}")
        if parsed.render or parsed.attention is not None:
            answers.append(answer)
    if parsed.attention is not None and not failed:
        from im2latex_jax import illustrations

        stride = recognizer.model.network.encoder.stride
        illustrations.save_attention(parsed.attention, answers[0], stride)
    if parsed.render:
        failed += _draw_answers(inputs, answers)
    return 1 if failed else 0


def _inputs(arguments: Sequence[str]) -> Iterator[_Input]:
    """The pictures that the arguments stand for."""
    for argument in arguments:
        path = pathlib.Path(argument)
        if path.is_dir():
            found = [
                str(entry)
                for entry in sorted(path.iterdir())
                if entry.suffix.lower() in PICTURE_SUFFIXES
                and not entry.name.endswith(DRAWN_SUFFIX)
            ]
            problem = f"{argument}: no pictures in this folder"
        elif glob.has_magic(argument) and not path.exists():
            found = sorted(glob.glob(argument, recursive=True))
            problem = f"{argument}: no file has a name like this"
        else:
            found = [argument]
        if not found:
            yield _Input(argument, problem=problem)
        for name in found:
            yield _Input(name, name)


def _opened(given: _Input) -> Any:
    return sys.stdin.buffer.read() if given.source == "-" else given.source


def _clipboard() -> Any:
    from PIL import ImageGrab

    try:
        found: Any = ImageGrab.grabclipboard()
    except (NotImplementedError, OSError, ChildProcessError) as error:
        raise Im2latexError(f"the clipboard cannot be read here: {error}") from error
    if isinstance(found, list):  # files that were copied
        found = found[0] if found else None
    if found is None:
        raise Im2latexError("there is no picture in the clipboard")
    return found


def _draw_answers(inputs: Sequence[_Input], answers: Sequence["Recognition"]) -> int:
    """Draws each answer beside its picture; returns how many could not be drawn."""
    from im2latex_jax import illustrations

    pairs = [(i.name, a.latex) for i, a in zip(inputs, answers, strict=True) if a.latex]
    failed = 0
    drawn = illustrations.draw_formulas([latex for _, latex in pairs])
    for (name, _), (png, reason) in zip(pairs, drawn, strict=True):
        path = pathlib.Path("standard_input" if name == "-" else name)
        path = path.with_name(path.stem + DRAWN_SUFFIX)
        if png is None:
            failed += 1
            _say(f"error: {name}: the answer cannot be drawn: {reason}")
            continue
        try:
            path.write_bytes(png)
        except OSError as error:
            raise Im2latexError(f"{path}: cannot be written: {error.strerror}") from error
    return failed


def _formatted(
    name: str, answer: "Recognition", error: str | None, parsed: argparse.Namespace
) -> str:
    if parsed.json:
        fields = {"image": name, "latex": answer.latex, "confidence": answer.confidence}
        if error is not None:
            fields["error"] = error
        return json.dumps(fields, ensure_ascii=False)
    if parsed.markdown:
        body = f"$$\n{answer.latex}\n$$" if error is None else f"*{error}*"
        return f"![{name}](<{name}>)\n\n{body}\n"
    return answer.latex


# im2latex evaluate


def _add_evaluate(commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure how well pictures are read",
        description="Reads pictures whose formulas are known, and prints how near it comes.",
    )
    parser.add_argument(
        "pairs",
        metavar="PAIRS.tsv",
        help="'image path<TAB>formula' a line; paths are relative to this file",
    )
    _add_recognizer_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(handler=_evaluate)


def _evaluate(parsed: argparse.Namespace) -> int:
    from im2latex_jax import calibration, metrics

    answers, truths, failed = _answers(parsed)
    predictions = [answer.tokens for answer in answers]
    right = [prediction == truth for prediction, truth in zip(predictions, truths, strict=True)]
    figures = dataclasses.asdict(metrics.compare(predictions, truths))
    same = [_canonical(p) == _canonical(t) for p, t in zip(predictions, truths, strict=True)]
    figures["canonical_exact_match"] = sum(same) / len(same)
    figures["calibration_error"] = calibration.expected_calibration_error(
        [answer.confidence for answer in answers], right
    )
    _print_figures(figures, parsed.json)
    return 1 if failed else 0


def _canonical(tokens: list[str]) -> str:
    """One spelling for all that draw the same picture; what cannot be parsed stays as it is."""
    from im2latex_jax.latex.canonical import canonicalize

    try:
        return canonicalize(" ".join(tokens))
    except Im2latexError:
        return " ".join(tokens)


def _answers(parsed: argparse.Namespace) -> tuple[list["Recognition"], list[list[str]], int]:
    """What is read in the pictures of PAIRS.tsv, the truths, and how many could not be read."""
    from tqdm import tqdm

    pairs = list(read_pairs(pathlib.Path(parsed.pairs)))
    stream = _recognizer(parsed).stream(path for path, _ in pairs)
    answers = list(tqdm(stream, total=len(pairs), unit="picture", disable=None))
    errors = [answer.error for answer in answers if answer.error is not None]
    for error in errors:
        _say(f"error: {error}")
    if errors:
        _say(f"{len(errors)} of {len(pairs)} pictures could not be read, and count as wrong")
    return answers, [truth for _, truth in pairs], len(errors)


def _print_figures(figures: dict, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<26}{value:.4f}" if isinstance(value, float) else f"{name:<26}{value}")


def read_pairs(path: pathlib.Path) -> Iterator[tuple[pathlib.Path, list[str]]]:
    """Pictures and their formulas' tokens, of a file with `image path<TAB>formula` a line.

    Raises:
      Im2latexError: the file cannot be read, or a line is not of this form.
    """
    from im2latex_jax.latex import lexer

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Im2latexError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Im2latexError(f"{path}: is not UTF-8 text: {error.reason}") from error
    if not any(line.strip() for line in lines):
        raise Im2latexError(f"{path}: is empty: it should hold 'image path<TAB>formula' a line")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, tab, formula = line.partition("\t")
        if not tab or not name.strip():
            raise Im2latexError(f"{path}:{number}: is not 'image path<TAB>formula'")
        try:
            tokens = lexer.tokenize(formula)
        except lexer.LexError as error:
            raise Im2latexError(f"{path}:{number}: {error}") from error
        yield path.parent / name, tokens


# im2latex calibrate


def _add_calibrate(commands) -> None:
    parser = commands.add_parser(
        "calibrate",
        help="fit the confidence to known formulas",
        description="Reads pictures whose formulas are known, none of them trained on, fits the "
        "temperature of the confidence, and writes it into the model. Prints the expected "
        "calibration error before and after.",
    )
    parser.add_argument("pairs", metavar="PAIRS.tsv", help="as for evaluate")
    _add_recognizer_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(handler=_calibrate)


def _calibrate(parsed: argparse.Namespace) -> int:
    from im2latex_jax import calibration, model_files

    answers, truths, failed = _answers(parsed)
    read = [(a, truth) for a, truth in zip(answers, truths, strict=True) if a.ink is not None]
    if not read:
        raise Im2latexError(f"{parsed.pairs}: none of the pictures could be read")
    fit = calibration.calibrate(
        [answer.log_prob for answer, _ in read], [answer.tokens == truth for answer, truth in read]
    )
    path = model_files.packaged() if parsed.checkpoint is None else parsed.checkpoint
    model_files.save_temperature(path, fit.temperature)
    _print_figures(dataclasses.asdict(fit), parsed.json)
    return 1 if failed else 0


# im2latex normalize


def _add_normalize(commands) -> None:
    parser = commands.add_parser(
        "normalize",
        help="bring formulas to the normal form",
        description="Reads formulas on standard input, one a line, and prints their normal form "
        "(that of im2latex-100k), tokens separated by spaces. The line of a formula that cannot be "
        "read is empty; the reason is on standard error.",
    )
    parser.add_argument(
        "--canonical",
        action="store_true",
        help="also fold spellings that draw the same picture",
    )
    parser.set_defaults(handler=_normalize)


def _normalize(parsed: argparse.Namespace) -> int:
    from im2latex_jax.latex.normalizer import normalize_lines

    results = normalize_lines(sys.stdin, canonical=parsed.canonical)
    for number, (text, reason) in enumerate(results, start=1):
        sys.stdout.write(f"{text}\n")
        if reason is not None:
            _say(f"line {number}: {reason}")
    return 0


# im2latex render


def _add_render(commands) -> None:
    parser = commands.add_parser(
        "render",
        help="draw formulas",
        description="Draws each line of a file to DIR/NNNNNN.png, NNNNNN being the line's number "
        "from 0, and writes DIR/index.tsv (image, formula) and DIR/rejected.tsv (line number, "
        "reason). Started again, it goes on where it was interrupted.",
    )
    parser.add_argument("formulas", metavar="FORMULAS.txt", help="formulas, one a line")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the pictures")
    parser.add_argument("--engine", choices=("latex", "mathtext"), default="latex")
    parser.add_argument("--dpi", type=_positive, default=100, help="pixels an inch")
    parser.add_argument(
        "--jobs", type=_positive, metavar="N", help="processes; by default all cores"
    )
    parser.set_defaults(handler=_render)


def _render(parsed: argparse.Namespace) -> int:
    from im2latex_jax.rendering.folder import render_to_folder

    summary = render_to_folder(
        parsed.formulas, parsed.out, engine=parsed.engine, dpi=parsed.dpi, jobs=parsed.jobs
    )
    if summary.remark is not None:
        _say(f"note: {summary.remark}")
    resumed = f", {summary.num_resumed} of them earlier" if summary.num_resumed else ""
    rejected = f"; {summary.num_rejected} rejected, see {pathlib.Path(parsed.out, 'rejected.tsv')}"
    _say(
        f"{summary.num_drawn} of {summary.num_lines} formulas drawn{resumed}"
        f"{rejected if summary.num_rejected else ''}"
    )
    return 0


# im2latex dataset


def _add_dataset(commands) -> None:
    parser = commands.add_parser(
        "dataset", help="look into a data set", description="Looks into a finished data set."
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    stats = actions.add_parser(
        "stats", help="print its figures", description="Prints the figures of a data set."
    )
    show = actions.add_parser(
        "show", help="draw a page of its examples", description="Draws a page of examples."
    )
    for action in (stats, show):
        action.add_argument(
            "folder", metavar="FOLDER", help="of the data set, or one that holds no other"
        )
    show.add_argument(
        "--out", default="examples.png", metavar="PNG", help="the page; by default examples.png"
    )
    show.add_argument("--count", type=_positive, default=40, metavar="N", help="examples shown")
    show.add_argument("--split", default="train", help="train, validation or test")
    stats.set_defaults(handler=_dataset_stats)
    show.set_defaults(handler=_dataset_show)


def _dataset_stats(parsed: argparse.Namespace) -> int:
    from im2latex_jax.datasets import report

    print(report.stats(parsed.folder), end="")
    return 0


def _dataset_show(parsed: argparse.Namespace) -> int:
    from im2latex_jax.datasets import report

    shown = report.show(parsed.folder, parsed.out, parsed.count, parsed.split)
    _say(f"{shown} examples of {parsed.split} drawn to {parsed.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
