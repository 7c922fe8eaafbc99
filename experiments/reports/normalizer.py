r"""Measures the normalizer: idempotent, faithful to the data set, fast, true to the pictures.

    python -m experiments.reports.normalizer --data FOLDER

FOLDER holds `im2latex-100k/val.formulas.norm.txt` (normalized formulas, one a line),
`normalizer_reference.tsv.xz` (`raw<TAB>normalized by the data set's script` a line) and
`arxiv_formulas.tsv.xz` (`paper<TAB>display or inline<TAB>formula` a line). Each part is left out
where its file is missing, and what needs pictures where there is no TeX.
"""

import collections
import lzma
import pathlib
import re
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from absl import app, flags

from im2latex_jax.latex.lexer import detokenize
from im2latex_jax.latex.normalizer import normalize_lines
from im2latex_jax.rendering.tex.render import render_formulas
from im2latex_jax.rendering.tex.sandbox import MissingProgramError

_DATA = flags.DEFINE_string("data", None, "folder of the data", required=True)
_NUM_PICTURES = flags.DEFINE_integer("num_pictures", 2000, "arXiv formulas to draw and compare")
_SEED = flags.DEFINE_integer("seed", 0, "of the choice of arXiv formulas")


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    data = pathlib.Path(_DATA.value)
    validation = data / "im2latex-100k" / "val.formulas.norm.txt"
    if validation.exists():
        report_idempotency(validation.read_text(encoding="utf-8").splitlines())
    if (data / "normalizer_reference.tsv.xz").exists():
        pairs = [row.split("\t", 1) for row in read_lines(data / "normalizer_reference.tsv.xz")]
        report_faithfulness([(raw, theirs) for raw, theirs in pairs])
    if (data / "arxiv_formulas.tsv.xz").exists():
        rows = (row.split("\t", 2) for row in read_lines(data / "arxiv_formulas.tsv.xz"))
        formulas = [row[2] for row in rows]
        order = np.random.default_rng(_SEED.value).permutation(len(formulas))
        report_speed([formulas[index] for index in order[:20_000]])
        report_pictures([formulas[index] for index in order[: 2 * _NUM_PICTURES.value]])


def read_lines(path: pathlib.Path) -> list[str]:
    """Lines of an xz file; only line feeds end a line."""
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        return [line.rstrip("\n") for line in lines]


def report_idempotency(lines: Sequence[str]) -> None:
    """Prints the share of normalized lines that normalizing leaves alone, and what it changes."""
    kinds: collections.Counter[str] = collections.Counter()
    for line, (normal, reason) in zip(lines, normalize_lines(lines), strict=True):
        if normal != line:
            kinds[reason or kind_of(IDEMPOTENCY_KINDS, line, line, normal)] += 1
    same = len(lines) - kinds.total()
    print(f"idempotent: {same} of {len(lines)} lines ({same / len(lines):.2%})")
    print_kinds(kinds)


def report_faithfulness(pairs: Sequence[tuple[str, str]]) -> None:
    """Prints how often the tokens are those of the data set's script, and where they are not.

    Only formulas that compile count. For each kind of difference: in how many the picture of our
    form, and of theirs, is the raw formula's picture.
    """
    pictures = draw(raw for raw, _ in pairs)
    if pictures is None:
        print("faithful: not measured without latex and dvipng")
        return
    kept = [(*pair, png) for pair, png in zip(pairs, pictures, strict=True) if png]
    normalized = list(normalize_lines(raw for raw, _, _ in kept))
    differing = [
        (raw, theirs, ours, reason, png)
        for (raw, theirs, png), (ours, reason) in zip(kept, normalized, strict=True)
        if ours.split() != theirs.split()
    ]
    same = len(kept) - len(differing)
    print(f"faithful: {same} of {len(kept)} that compile, of {len(pairs)} ({same / len(kept):.2%})")
    our_pictures = draw(as_latex(ours) for _, _, ours, _, _ in differing) or []
    their_pictures = draw(as_latex(theirs) for _, theirs, _, _, _ in differing) or []
    kinds: collections.Counter[str] = collections.Counter()
    ours_true: collections.Counter[str] = collections.Counter()
    theirs_true: collections.Counter[str] = collections.Counter()
    for (raw, theirs, ours, reason, png), our_png, their_png in zip(
        differing, our_pictures, their_pictures, strict=True
    ):
        kind = f"refused: {reason}" if reason else kind_of(FAITHFULNESS_KINDS, raw, theirs, ours)
        kinds[kind] += 1
        ours_true[kind] += our_png == png
        theirs_true[kind] += their_png == png
    print("  count, of them with the raw picture: ours, theirs")
    for kind, count in kinds.most_common():
        print(f"  {count:5d} {ours_true[kind]:5d} {theirs_true[kind]:5d}  {kind}")
    print(f"  {kinds.total():5d} {ours_true.total():5d} {theirs_true.total():5d}  in all")


def report_speed(formulas: Sequence[str]) -> None:
    """Prints how many formulas are normalized in a second on one core."""
    start = time.process_time()
    refused = sum(reason is not None for _, reason in normalize_lines(formulas))
    seconds = time.process_time() - start
    print(
        f"speed: {len(formulas) / seconds:.0f} formulas a second on one core; "
        f"{refused} of {len(formulas)} random arXiv formulas refused"
    )


def report_pictures(formulas: Sequence[str]) -> None:
    """Prints how often the normal and the canonical form draw the raw formula's picture.

    The first `--num_pictures` of the formulas that compile count; a refused one counts as changed.
    Pictures are compared byte by byte.
    """
    pictures = draw(formulas)
    if pictures is None:
        print("pictures: not measured without latex and dvipng")
        return
    kept = [(formula, png) for formula, png in zip(formulas, pictures, strict=True) if png]
    kept = kept[: _NUM_PICTURES.value]
    for canonical in (False, True):
        forms = list(normalize_lines((formula for formula, _ in kept), canonical=canonical))
        drawn = draw(as_latex(form) for form, _ in forms) or []
        kinds: collections.Counter[str] = collections.Counter()
        for (raw, png), (form, reason), form_png in zip(kept, forms, drawn, strict=True):
            if form_png != png:
                kinds[
                    f"refused: {reason}" if reason else kind_of(PICTURE_KINDS, raw, "", form)
                ] += 1
        same = len(kept) - kinds.total()
        name = "canonical" if canonical else "normal"
        print(
            f"pictures: {same} of {len(kept)} random arXiv formulas that compile look the same in "
            f"the {name} form ({same / len(kept):.2%})"
        )
        print_kinds(kinds)


def draw(formulas: Iterable[str]) -> list[bytes | None] | None:
    """Each formula's picture, None where it does not compile; None if TeX is not installed."""
    try:
        return [result.png for result in render_formulas(list(formulas), progress=True)]
    except MissingProgramError:
        return None


def as_latex(normal: str) -> str:
    return detokenize(normal.split())


Kinds = Sequence[tuple[str, Callable[[str, str, str], bool]]]

# Name of a kind of difference, and whether (raw formula, their tokens, our tokens) is of that kind.
# The tokens are those around the first difference. The first kind that holds is counted.
FAITHFULNESS_KINDS: Kinds = (
    ("index of a root, which they lose", lambda raw, theirs, ours: "[object" in theirs),
    (
        "cases, which they set in a second brace",
        lambda raw, theirs, ours: r"\left\{ \begin{cases}" in theirs,
    ),
    (
        "command with argument in a script, which they tear apart",
        lambda raw, theirs, ours: re.search(r"\\(ensuremath|text\w+) \}", theirs) is not None,
    ),
    (r"\limits or \nolimits that shows", lambda raw, theirs, ours: "limits" in ours),
    ("text that holds math", lambda raw, theirs, ours: is_text(ours) and "$" in raw),
    ("text that math sets otherwise", lambda raw, theirs, ours: is_text(ours)),
    (
        "prime before a superscript, which they lose",
        lambda raw, theirs, ours: r"\prime" in ours and r"\prime" not in theirs,
    ),
    ("extra space between rows", lambda raw, theirs, ours: r"\\ [" in ours),
    (r"rows of \substack", lambda raw, theirs, ours: r"\substack" in raw),
    (r"\% read as a comment by them", lambda raw, theirs, ours: r"\%" in ours),
    (
        r"\begin{array}[c], which they take for columns",
        lambda raw, theirs, ours: r"\begin{array} { }" in theirs,
    ),
    (
        "control word torn apart by them",
        lambda raw, theirs, ours: re.search(r"\\ [a-z] [a-z]", theirs) is not None,
    ),
    (r"reach of \rm", lambda raw, theirs, ours: r"\rm" in raw),
    ("other", lambda raw, theirs, ours: True),
)
IDEMPOTENCY_KINDS: Kinds = (
    ("index of a root lost by the data set's script", lambda raw, line, ours: "[object" in line),
    (r"\label left behind", lambda raw, line, ours: r"\label" in line),
    ("prime in text", lambda raw, line, ours: "'" in line),
    ("bare script in text", lambda raw, line, ours: re.search(r"[_^] [^{]", line) is not None),
    ("other", lambda raw, line, ours: True),
)
PICTURE_KINDS: Kinds = (
    ("text (kerning, italic correction)", lambda raw, _, form: is_text(raw)),
    (r"\tfrac or \dfrac", lambda raw, _, form: re.search(r"\\[td]frac", raw) is not None),
    (r"\limsup or \liminf", lambda raw, _, form: re.search(r"\\lim(sup|inf)", raw) is not None),
    (
        "space dropped at the beginning (rounding of what follows)",
        lambda raw, _, form: re.match(r"\s*(\\quad|\\qquad|~|\\[ ,;:!])", raw) is not None,
    ),
    ("other", lambda raw, _, form: True),
)


def is_text(latex: str) -> bool:
    return re.search(r"\\(text\w*|[mh]box)\b", latex) is not None


def kind_of(kinds: Kinds, raw: str, theirs: str, ours: str) -> str:
    """The name of the first kind that holds for the tokens around the first difference."""
    their_tokens, our_tokens = theirs.split(), ours.split()
    pairs = zip(their_tokens, our_tokens, strict=False)
    first = next((n for n, (a, b) in enumerate(pairs) if a != b), len(our_tokens))
    window = slice(max(0, first - 2), first + 6)
    theirs_near, ours_near = " ".join(their_tokens[window]), " ".join(our_tokens[window])
    return next(name for name, holds in kinds if holds(raw, theirs_near, ours_near))


def print_kinds(kinds: collections.Counter[str]) -> None:
    for kind, count in kinds.most_common():
        print(f"  {count:5d}  {kind}")


if __name__ == "__main__":
    app.run(main)
