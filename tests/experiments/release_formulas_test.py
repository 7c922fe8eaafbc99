import lzma

from experiments.tools.release_formulas import HELD_OUT, gather


def test_the_held_out_formulas_are_apart_and_short_inline_ones_left_out(tmp_path):
    official = [f"x _ {{ {number} }}" for number in range(HELD_OUT + 3)]
    (tmp_path / "im2latex-100k").mkdir()
    listing = tmp_path / "im2latex-100k" / "val.formulas.norm.txt"
    listing.write_text("\n".join(official) + "\n", "utf-8")
    with lzma.open(tmp_path / "arxiv_formulas.tsv.xz", "wt", encoding="utf-8") as lines:
        lines.write("7\tdisplay\ta=b\n7\tinline\tx\n8\tinline\t\\alpha+\\beta+\\gamma=0\n")

    counts = gather(tmp_path, tmp_path / "out", min_inline=10)

    assert counts == {"held out": HELD_OUT, "official": 3, "display": 1, "inline": 1}
    held_out = (tmp_path / "out" / "held_out.txt").read_text("utf-8").splitlines()
    assert held_out == official[:HELD_OUT]
    rows = (tmp_path / "out" / "formulas.tsv").read_text("utf-8").splitlines()
    assert [row.split("\t")[2] for row in rows] == [
        *official[HELD_OUT:], "a=b", "\\alpha+\\beta+\\gamma=0",
    ]  # fmt: skip
    assert len({row.split("\t")[0] for row in rows[:3]}) == 3  # every official line by itself
