"""Everyday formulas: what pupils, students and engineers photograph, from single symbols up.

`generate(seed, number)` is a pure function. One formula in four shows a symbol alone or in a small
frame, going through all of `symbols.items()` in turn, so that every symbol is seen equally often;
the others come from the weighted rules of the topics.
"""

import functools
import importlib.resources

import numpy as np

from im2latex_jax.datasets.everyday import layouts, symbols
from im2latex_jax.datasets.everyday.grammar import Grammar

SYMBOLS = 4  # one formula in so many shows a symbol
# Shares of the other formulas.
_TOPICS = {
    "small": 0.14,
    "school": 0.26,
    "university": 0.28,
    "physics": 0.08,
    "chemistry": 0.09,
    "layout": 0.15,
}


@functools.cache
def grammar() -> Grammar:
    """The rules of all topics, `rules/*.txt`."""
    folder = importlib.resources.files(__package__) / "rules"
    return Grammar(
        file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".txt")
    )


def generate(seed: int, number: int) -> str:
    """Formula `number` (from 0) of the endless sequence that `seed` names, as raw LaTeX.

    Different numbers often give the same formula, above all the short ones.
    """
    rng = np.random.default_rng((seed, number, 17))
    if number % SYMBOLS == 0:
        items = symbols.items()
        return _symbol(*items[number // SYMBOLS % len(items)], rng)
    topic = str(rng.choice(list(_TOPICS), p=list(_TOPICS.values())))
    if topic == "layout":
        return layouts.layout(grammar(), rng)
    return grammar().generate(topic, rng)


def _symbol(symbol: str, kind: str, rng: np.random.Generator) -> str:
    """The symbol in one of its frames, in a fifth of all cases alone."""
    frames = symbols.FRAMES[kind]
    if rng.random() < 0.2 and frames[0] == "<s>":
        return symbol
    bound = {"s": symbol}
    if kind == "pair":
        bound["open"], bound["close"] = symbol.split()
    elif kind == "styled":
        font = symbol[: symbol.index("{")]
        letters = symbols.ALPHABETS.get(font, symbols.UPPER)
        bound["s2"] = f"{font}{{{letters[rng.integers(len(letters))]}}}"
    return grammar().fill(frames[int(rng.integers(len(frames)))], rng, bound)
