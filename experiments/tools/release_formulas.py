"""python -m experiments.tools.release_formulas --data FOLDER --out DIR

Gathers the formulas that the released model is trained on, for `configs/released.py`:

- `DIR/formulas.tsv` (group, kind, formula): the arXiv formulas of `FOLDER/arxiv_formulas.tsv.xz`,
  the inline ones from `--min_inline` characters on; and the official validation formulas of
  im2latex-100k from line 1,001 on, as in-domain material.
- `DIR/held_out.txt`: the first 1,000 of those validation formulas, which must not come in.
"""

import collections
import lzma
import pathlib

from experiments import command_line

HELD_OUT = 1_000  # validation formulas that are never trained on


def main() -> None:
    parser = command_line.parser("tools.release_formulas", __doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the data")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the lists")
    parser.add_argument(
        "--min_inline", type=int, default=25, help="characters of an inline formula to take it"
    )
    parsed = parser.parse_args()
    counts = gather(parsed.data, parsed.out, parsed.min_inline)
    print(", ".join(f"{count} {name}" for name, count in counts.items()))


def gather(data: pathlib.Path, out: pathlib.Path, min_inline: int) -> dict[str, int]:
    """Writes the two lists; returns how many formulas of each kind stand in them."""
    official = (data / "im2latex-100k" / "val.formulas.norm.txt").read_text("utf-8").splitlines()
    counts = collections.Counter({"held out": HELD_OUT})
    out.mkdir(parents=True, exist_ok=True)
    (out / "held_out.txt").write_text("\n".join(official[:HELD_OUT]) + "\n", "utf-8")
    with (
        (out / "formulas.tsv").open("w", encoding="utf-8", newline="\n") as formulas,
        lzma.open(data / "arxiv_formulas.tsv.xz", "rt", encoding="utf-8", newline="\n") as lines,
    ):
        for number, formula in enumerate(official[HELD_OUT:], start=HELD_OUT + 1):
            formulas.write(f"im2latex-{number}\tofficial\t{formula}\n")
            counts["official"] += 1
        for line in lines:
            _, kind, formula = line.rstrip("\n").split("\t", 2)
            if kind == "display" or len(formula) >= min_inline:
                formulas.write(line)
                counts[kind] += 1
    return dict(counts)


if __name__ == "__main__":
    main()
