"""The command `im2latex`. Each subcommand has a function that adds its arguments, and a handler.

Handlers import what they need themselves: JAX takes a second, and `im2latex --help` should not.
Exit status: 0 done; 1 something could not be done (the reason on standard error); 2 wrong usage;
130 interrupted.
"""

import argparse
import dataclasses
import math
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from im2latex_jax import __version__, formats
from im2latex_jax.cli import arguments, inputs
from im2latex_jax.errors import Im2latexError, missing_extra, require_extra
from im2latex_jax.runtime import safe_text, streams

if TYPE_CHECKING:
    from im2latex_jax.evaluation.cases import EvaluationSet
    from im2latex_jax.recognizer import Recognition, Recognizer

INTERRUPTED = 130
BROKEN_PIPE = 141  # as a shell reports a program that SIGPIPE ended


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    try:
        streams.prepare()
        parsed = _parse(sys.argv[1:] if argv is None else argv)
        status = parsed.handler(parsed)
        streams.flush()
        return status
    except streams.OutputError as error:
        streams.abandon_output()
        streams.say(f"error: {error}")
        return 1
    except Im2latexError as error:
        streams.say(f"error: {error}")
        return 1
    except BrokenPipeError:
        streams.abandon_output()
        return BROKEN_PIPE
    except OSError as error:
        # Wherever it came from (no file descriptors, a full disk), it is no fault of the program.
        name = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        streams.say(f"error: {name}{error.strerror or error}")
        return 1
    except MemoryError:
        streams.say("error: out of memory: give fewer or smaller inputs, or a smaller --batch-size")
        return 1
    except ModuleNotFoundError as error:
        if (message := missing_extra(error)) is None:
            raise
        streams.say(f"error: {message}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _parse(given: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command line; leaves with exit status 2 where they are wrong."""
    parser, commands = _parser()
    if given and given[0] in commands:
        given = [given[0], *arguments.protect(given[1:], commands[given[0]])]
    parsed, rest = parser.parse_known_args(given)
    if rest and not parsed.takes_settings:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    parsed.settings = rest
    return parsed


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and that of each command."""
    parser = argparse.ArgumentParser(
        prog="im2latex", description="Reads pictures of formulas and writes their LaTeX."
    )
    parser.set_defaults(takes_settings=False)
    parser.add_argument("--version", action="version", version=f"im2latex {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (
        *(_add_predict, _add_solve, _add_evaluate, _add_calibrate, _add_export, _add_normalize),
        *(_add_render, _add_dataset, _add_train),
    ):
        add(commands)
    return parser, commands.choices


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


def _add_recursive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recursive", action="store_true", help="read the sub-folders of folders too"
    )


def _recognizer(parsed: argparse.Namespace) -> "Recognizer":
    from im2latex_jax.recognizer import Recognizer
    from im2latex_jax.runtime import compilation

    trouble = compilation.enable_cache()
    if trouble is not None:
        streams.say(f"note: compiled programs are not kept for the next call: {trouble}")
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
    _add_recursive(parser)
    _add_recognizer_arguments(parser)
    parser.add_argument(
        "--clipboard",
        action="store_true",
        help="read the picture in the clipboard, after the others",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON object a line")
    form.add_argument("--markdown", action="store_true", help="print Markdown with the pictures")
    form.add_argument(
        "--format",
        choices=(*formats.FORMATS, "json"),
        default="latex",
        help="what to print for each formula (default latex): LaTeX between delimiters, MathML, "
        "Typst, OMML (Word), SymPy's Python; some need pip install 'im2latex_jax[formats]' or "
        "'im2latex_jax[solve]'",
    )
    parser.add_argument(
        "--normal-form",
        action="store_true",
        help="give LaTeX as the network writes it, in the normal form of im2latex-100k, instead of "
        "clean LaTeX",
    )
    parser.add_argument(
        "--attention",
        metavar="OUT.gif",
        help="write an animation of where the network looked at each token (of a single picture)",
    )
    parser.add_argument(
        "--render",
        action="store_true",
        help=f"draw each answer beside its picture, for a.png to a.png{inputs.DRAWN_SUFFIX}",
    )
    parser.set_defaults(handler=_predict, usage_error=parser.error)


def _predict(parsed: argparse.Namespace) -> int:
    if not parsed.images and not parsed.clipboard:
        parsed.usage_error("give a picture, a folder, a pattern, - or --clipboard")
    if parsed.normal_form and parsed.format not in ("latex", "json"):
        parsed.usage_error(f"--normal-form is LaTeX, not {parsed.format}")
    parsed.json = parsed.json or parsed.format == "json"
    formats.require(parsed.format)
    given = _expanded(parsed)
    if parsed.clipboard:
        given.append(inputs.Input("clipboard", inputs.from_clipboard()))
    if parsed.attention is not None and len(given) != 1:
        raise Im2latexError(f"--attention shows one picture, and there are {len(given)}")
    recognizer = _recognizer(parsed)
    answers, failed = [], 0
    for one, answer in zip(given, recognizer.stream(map(inputs.opened, given)), strict=True):
        error = one.problem or answer.error
        try:
            written = _formatted(one.name, answer, error, parsed)
        except formats.FormatError as problem:
            error = f"{one.name}: {problem}"
            written = ""
        streams.write(written)
        if error is not None:
            failed += 1
            streams.say(f"error: {error}")
        elif answer.note is not None:
            streams.say(f"note: {answer.note}")
        if parsed.render or parsed.attention is not None:
            answers.append(answer)
    if parsed.attention is not None and not failed:
        from im2latex_jax.evaluation import illustrations

        stride = recognizer.model.network.encoder.stride
        illustrations.save_attention(parsed.attention, answers[0], stride)
    if parsed.render:
        failed += _draw_answers(given, answers)
    return 1 if failed else 0


def _expanded(parsed: argparse.Namespace) -> list[inputs.Input]:
    """The images that the arguments stand for; what folders leave out is told."""
    found = inputs.expand(parsed.images, recursive=parsed.recursive)
    for note in found.notes:
        streams.say(f"note: {note}")
    return found.images


def _draw_answers(given: Sequence[inputs.Input], answers: Sequence["Recognition"]) -> int:
    """Draws each answer beside its picture; returns how many could not be drawn."""
    from im2latex_jax.evaluation import illustrations
    from im2latex_jax.runtime import files

    # The normal form can always be drawn; clean LaTeX may have a tag.
    pairs = [(i.name, a.normal_form) for i, a in zip(given, answers, strict=True) if a.normal_form]
    failed = 0
    drawn = illustrations.draw_formulas([latex for _, latex in pairs])
    for (name, _), (png, reason) in zip(pairs, drawn, strict=True):
        # The whole name: a.png and a.jpg are two pictures.
        path = "standard_input" if name == inputs.STANDARD_INPUT else name
        path += inputs.DRAWN_SUFFIX
        if png is None:
            failed += 1
            streams.say(f"error: {name}: the answer cannot be drawn: {reason}")
            continue
        try:
            files.write_bytes(path, png)
        except OSError as error:
            raise Im2latexError(f"{path}: cannot be written: {error.strerror}") from error
    return failed


def _formatted(
    name: str, answer: "Recognition", error: str | None, parsed: argparse.Namespace
) -> str:
    latex = answer.normal_form if parsed.normal_form else answer.latex
    if parsed.json:
        fields = {"image": name, "latex": latex, "confidence": answer.confidence}
        if error is not None:
            fields["error"] = error
        if answer.note is not None:
            fields["note"] = answer.note
        return safe_text.as_json(fields)
    if parsed.markdown:
        body = f"$$\n{latex}\n$$" if error is None else f"*{safe_text.markdown(error)}*"
        return f"{safe_text.markdown_image(name)}\n\n{body}\n"
    if parsed.format == "latex":
        return safe_text.printable(latex)
    lines = answer.as_format(parsed.format).split("\n")
    return "\n".join(map(safe_text.printable, lines))


# im2latex solve


def _add_solve(commands) -> None:
    parser = commands.add_parser(
        "solve",
        help="compute with the formulas in pictures",
        description="Reads pictures of formulas and computes with them: solves equations, "
        "inequalities and systems, and gives the values of integrals, derivatives, limits and "
        "sums. Needs SymPy: pip install 'im2latex_jax[solve]'. The exit status is 1 where a "
        "formula cannot be computed with; the reason is on standard error.",
    )
    parser.add_argument("images", nargs="*", metavar="PICTURE", help="as for predict")
    _add_recursive(parser)
    parser.add_argument(
        "--latex",
        action="append",
        default=[],
        metavar="FORMULA",
        help="a formula in LaTeX instead of a picture; may be repeated",
    )
    _add_recognizer_arguments(parser)
    parser.add_argument(
        "--time-limit",
        type=_positive,
        default=30,
        metavar="SECONDS",
        help="when to give up on a formula: some computations never end (default 30)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")
    parser.set_defaults(handler=_solve, usage_error=parser.error)


def _solve(parsed: argparse.Namespace) -> int:
    from im2latex_jax.solving import report, require_sympy, solve

    if not parsed.images and not parsed.latex:
        parsed.usage_error("give a picture, a folder, a pattern, - or --latex FORMULA")
    require_sympy()
    failed = 0
    for origin, latex, confidence, error in _formulas(parsed):
        answer = None if error is not None else solve(latex, parsed.time_limit)
        error = error if answer is None else answer.error
        if parsed.json:
            fields = report.as_json(origin, latex, confidence, answer, error)
            streams.write(safe_text.as_json(fields))
        else:
            shown = None if origin is None else safe_text.printable(origin)
            streams.write(report.as_text(shown, latex, confidence, answer))
        if error is not None:
            failed += 1
            streams.say(f"error: {f'{origin}: ' if answer is not None and origin else ''}{error}")
    return 1 if failed else 0


def _formulas(
    parsed: argparse.Namespace,
) -> Iterator[tuple[str | None, str, float | None, str | None]]:
    """Where a formula comes from (None: the command line), it, its confidence, what is wrong."""
    for latex in parsed.latex:
        yield None, latex, None, None
    given = _expanded(parsed)
    if not given:
        return
    stream = _recognizer(parsed).stream(map(inputs.opened, given))
    for one, answer in zip(given, stream, strict=True):
        error = one.problem or answer.error
        if error is None and not answer.latex:
            error = answer.note or f"{one.name}: no formula was found in it"
        elif answer.note is not None:
            streams.say(f"note: {answer.note}")
        yield one.name, answer.latex, answer.confidence, error


# im2latex evaluate


def _add_evaluate(commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure how well pictures are read",
        description="Reads pictures whose formulas are known, and prints how near it comes, with "
        "95 % intervals. Give a table of pairs, --dataset or --formulas.",
    )
    parser.add_argument(
        "pairs",
        nargs="?",
        metavar="PAIRS.tsv",
        help="'image path<TAB>formula' a line; paths are relative to this file",
    )
    parser.add_argument("--dataset", metavar="FOLDER", help="of a finished data set")
    parser.add_argument("--split", default="test", help="of the data set; by default test")
    parser.add_argument(
        "--formulas",
        metavar="FILE",
        help="formulas to be drawn, a line each, or in a column of a table; may be packed (.xz)",
    )
    parser.add_argument(
        "--column",
        metavar="N",
        help="of the formulas in the table: a number from 0 or a name in the first line; by "
        "default the last column of a .tsv file, and the whole line of any other",
    )
    parser.add_argument("--engine", choices=("latex", "mathtext"), default="latex")
    parser.add_argument("--dpi", type=_positive, help="of the drawn formulas; by default 100")
    parser.add_argument("--limit", type=_positive, metavar="N", help="the first N examples only")
    _add_recognizer_arguments(parser)
    parser.add_argument(
        "--no-pictures",
        action="store_true",
        help="compare the formulas' text only: nothing of it is drawn, and no TeX is needed",
    )
    parser.add_argument(
        "--jobs", type=_positive, metavar="N", help="batches drawn at a time; by default all cores"
    )
    parser.add_argument("--report", metavar="DIR", help="also write DIR/index.html, for a browser")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(handler=_evaluate, usage_error=parser.error)


def _evaluate(parsed: argparse.Namespace) -> int:
    if sum(x is not None for x in (parsed.pairs, parsed.dataset, parsed.formulas)) != 1:
        parsed.usage_error("give one of PAIRS.tsv, --dataset FOLDER and --formulas FILE")
    from im2latex_jax.evaluation import scoring

    require_extra("evaluate")
    if parsed.report is not None:
        from im2latex_jax.evaluation.report import page

        page.prepare(parsed.report)
    found = _evaluation_set(parsed)
    recognizer = _recognizer(parsed)
    answers = _answers(recognizer, found)
    loss = recognizer.loss(answers, [case.truth for case in found.cases])
    scores = scoring.score(
        found.cases, answers, pictures=_can_draw(parsed.no_pictures), jobs=parsed.jobs
    )
    extra = {"loss": None if math.isnan(loss) else loss, "num_left_out": len(found.left_out)}
    figures = {**scores.figures, **extra}
    if parsed.report is not None:
        name = parsed.pairs or parsed.formulas or f"{parsed.dataset}, {parsed.split}"
        section = page.Section(pathlib.Path(name).name, scores)
        model = parsed.checkpoint or "the weights of the package"
        path = page.write(parsed.report, [section], subtitle=f"{model}, measured on {name}")
        streams.say(f"wrote {path}")
    streams.write(safe_text.as_json(figures) if parsed.json else scoring.table(figures))
    return 1 if figures["num_unreadable"] else 0


def _evaluation_set(parsed: argparse.Namespace) -> "EvaluationSet":
    from im2latex_jax.evaluation import cases as evaluation_sets

    if parsed.dataset is not None:
        return evaluation_sets.from_split(parsed.dataset, parsed.split, parsed.limit)
    if parsed.formulas is not None:
        return evaluation_sets.from_formulas(
            parsed.formulas,
            engine=parsed.engine,
            dpi=parsed.dpi,
            column=parsed.column,
            limit=parsed.limit,
            jobs=parsed.jobs,
        )
    return evaluation_sets.from_pairs(parsed.pairs, parsed.limit)


def _can_draw(unwanted: bool) -> bool:
    """Whether formulas are to be drawn for the picture metrics, and can be."""
    from im2latex_jax.rendering.tex import sandbox

    if unwanted:
        return False
    try:
        sandbox.require_programs()
    except sandbox.MissingProgramError as error:
        streams.say(f"note: without picture metrics: {error}")
        return False
    return True


def _answers(recognizer: "Recognizer", found: "EvaluationSet") -> list["Recognition"]:
    """What is read in the pictures of an evaluation set."""
    from tqdm import tqdm

    for problem in found.left_out:
        streams.say(f"left out: {problem}")
    stream = recognizer.stream(case.picture for case in found.cases)
    answers = list(tqdm(stream, total=len(found.cases), unit="picture", disable=None))
    errors = [answer.error for answer in answers if answer.error is not None]
    for error in errors:
        streams.say(f"error: {error}")
    if errors:
        streams.say(
            f"{len(errors)} of {len(answers)} pictures could not be read, and count as wrong"
        )
    return answers


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
    from im2latex_jax.evaluation import calibration
    from im2latex_jax.evaluation import cases as evaluation_sets
    from im2latex_jax.model import saved_model

    cases = evaluation_sets.from_pairs(parsed.pairs)
    answers = _answers(_recognizer(parsed), cases)
    read = [(a, case) for a, case in zip(answers, cases.cases, strict=True) if a.ink is not None]
    if not read:
        raise Im2latexError(f"{parsed.pairs}: none of the pictures could be read")
    fit = calibration.calibrate(
        [answer.log_prob for answer, _ in read],
        [evaluation_sets.normal_tokens(answer.normal_form) == case.truth for answer, case in read],
    )
    path = saved_model.packaged() if parsed.checkpoint is None else parsed.checkpoint
    saved_model.save_temperature(path, fit.temperature)
    _print_figures(dataclasses.asdict(fit), parsed.json)
    return 1 if len(read) < len(answers) else 0


def _print_figures(figures: dict, as_json: bool) -> None:
    if as_json:
        streams.write(safe_text.as_json(figures))
        return
    for name, value in figures.items():
        shown = f"{value:.4f}" if isinstance(value, float) else value
        streams.write(f"{name:<26}{shown}")


# im2latex export


def _add_export(commands) -> None:
    parser = commands.add_parser(
        "export",
        help="write a model as one file that runs without this package",
        description="Writes a model as one file that reads prepared pictures on a CPU or a CUDA "
        "device with JAX and NumPy alone: see im2latex_jax/export.py.",
    )
    parser.add_argument("--out", required=True, metavar="FILE.zip", help="the file to write")
    parser.add_argument(
        "--checkpoint",
        metavar="PATH",
        help="folder of a model or of a training run; by default the weights of the package",
    )
    parser.set_defaults(handler=_export)


def _export(parsed: argparse.Namespace) -> int:
    from im2latex_jax import export
    from im2latex_jax.model import saved_model

    folder = saved_model.packaged() if parsed.checkpoint is None else parsed.checkpoint
    height, width = export.export(folder, parsed.out)[-1]
    size = os.path.getsize(parsed.out) / 1e6
    streams.say(f"{parsed.out}: {size:.1f} MB, reads pictures of up to {width} x {height} pixels")
    return 0


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
            streams.say(f"line {number}: {reason}")
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
    from im2latex_jax.rendering.to_folder import render_to_folder

    summary = render_to_folder(
        parsed.formulas, parsed.out, engine=parsed.engine, dpi=parsed.dpi, jobs=parsed.jobs
    )
    if summary.remark is not None:
        streams.say(f"note: {summary.remark}")
    resumed = f", {summary.num_resumed} of them earlier" if summary.num_resumed else ""
    rejected = f"; {summary.num_rejected} rejected, see {pathlib.Path(parsed.out, 'rejected.tsv')}"
    streams.say(
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

    for line in report.stats(parsed.folder).splitlines():
        streams.write(safe_text.printable(line))
    return 0


def _dataset_show(parsed: argparse.Namespace) -> int:
    from im2latex_jax.datasets import report

    shown = report.show(parsed.folder, parsed.out, parsed.count, parsed.split)
    streams.say(f"{shown} examples of {parsed.split} drawn to {parsed.out}")
    return 0


# train


def _add_train(commands) -> None:
    from im2latex_jax.cli import train

    parser = commands.add_parser(
        "train", help="trains a network, or resumes; evaluates it", allow_abbrev=False
    )
    train.add_arguments(parser)
    parser.set_defaults(handler=_train, takes_settings=True)


def _train(parsed: argparse.Namespace) -> int:
    from im2latex_jax.cli import train

    return train.run(parsed.workdir, parsed.settings)


if __name__ == "__main__":
    sys.exit(main())
