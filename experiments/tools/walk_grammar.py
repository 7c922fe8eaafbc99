"""Writes formulas at random with the rules of decoding, and asks TeX, KaTeX and MathJax for them.

    python -m experiments.tools.walk_grammar [--count 4000] [--node FOLDER]

Decoding promises that what it writes compiles. Here the tokens are drawn at random among those that
it allows at each step, over the vocabulary of the weights of the package: first a kind of token,
then one of its kind, so that rare structures come up as often as letters. FOLDER is one in which
`npm install katex mathjax@3` was run; without it only TeX is asked. Exit status 1 if anything was
refused.
"""

import argparse
import collections
import functools
import json
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from experiments import command_line
from im2latex_jax.decoding import grammar
from im2latex_jax.latex import lexer
from im2latex_jax.latex.tidy import tidy
from im2latex_jax.latex.vocabulary import EOS, PAD, Vocabulary
from im2latex_jax.model import saved_model
from im2latex_jax.rendering.tex.render import render_formulas

# What compiles all the same.
_COMPILES = ("draws nothing", "larger than")

_NODE_PROGRAM = r"""
const katex = require("katex");
const lines = require("fs").readFileSync(0, "utf8").split("\n").filter((line) => line);
const settings = {
  loader: {load: ["input/tex"]},
  tex: {packages: {"[-]": ["noundefined"]}, formatError: (jax, error) => { throw error; }},
};
require("mathjax").init(settings).then(async (MathJax) => {
  for (const line of lines) {
    const formula = JSON.parse(line);
    const refused = {KaTeX: null, MathJax: null};
    try {
      katex.renderToString(formula, {displayMode: true, strict: false});
    } catch (error) {
      refused.KaTeX = error.message;
    }
    try {
      MathJax.texReset();
      await MathJax.tex2mmlPromise(formula);
    } catch (error) {
      refused.MathJax = error.message;
    }
    console.log(JSON.stringify(refused));
  }
});
"""


@functools.partial(jax.jit, static_argnums=(0, 2))
def walks(rules: grammar.Syntax, budgets: jax.Array, length: int, seed: jax.Array) -> jax.Array:
    """Random allowed tokens [B, length], a kind of token being as likely as any other.

    Args:
      rules: of decoding.
      budgets: [B], the most tokens of each row, <eos> among them.
      length: the largest budget.
      seed: of the choices.
    """
    kinds = jnp.asarray(rules.kind)
    num_kinds = int(np.max(rules.kind)) + 1

    def body(carry, inputs):
        state, ended = carry
        key, step = inputs
        allowed = rules.allowed(state, budgets - step)
        counts = jax.vmap(lambda row: jnp.zeros(num_kinds).at[kinds].add(row))(allowed * 1.0)
        weights = jnp.log(jnp.maximum(counts, 1.0))[:, kinds]
        token = jax.random.categorical(key, jnp.where(allowed, -weights, -jnp.inf))
        token = jnp.where(ended, PAD, token)
        return (rules.advance(state, token), ended | (token == EOS)), token

    keys = jax.random.split(jax.random.PRNGKey(seed), length)
    first = rules.start(len(budgets)), jnp.zeros(len(budgets), bool)
    return jax.lax.scan(body, first, (keys, jnp.arange(length)))[1].T


def formulas(vocabulary: Vocabulary, count: int, length: int, seed: int) -> list[str]:
    """Formulas of random walks, each behind an `x`, so that none is blank."""
    budgets = np.resize(np.arange(4, length + 1, dtype=np.int32), count)
    found = walks(grammar.build(vocabulary), budgets, length, jnp.asarray(seed))
    return ["x " + lexer.detokenize(vocabulary.decode(walk)) for walk in np.asarray(found)]


def refused_by_tex(written: Sequence[str]) -> dict[str, str]:
    """TeX's reason by refused formula."""
    results = render_formulas(written)
    refused = ((written[r.index], r.reason) for r in results if r.reason is not None)
    return {text: reason for text, reason in refused if not reason.startswith(_COMPILES)}


def refused_in_browsers(written: Sequence[str], folder: pathlib.Path) -> dict[str, dict[str, str]]:
    """The reasons of KaTeX and of MathJax by refused formula."""
    program = folder / "walk_grammar.js"
    program.write_text(_NODE_PROGRAM)
    run = subprocess.run(
        ["node", str(program)],
        input="".join(json.dumps(formula) + "\n" for formula in written),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    by_program: dict[str, dict[str, str]] = {"KaTeX": {}, "MathJax": {}}
    for formula, answer in zip(written, answers, strict=True):
        for name, reason in answer.items():
            if reason is not None:
                by_program[name][formula] = reason
    return by_program


def _report(name: str, refused: dict[str, str], count: int) -> None:
    print(f"{name}: {len(refused)} of {count} refused")
    kinds = collections.defaultdict(list)
    for formula, reason in refused.items():
        kinds[re.sub(r"at position \d+.*|\d+", "", reason)[:90]].append(formula)
    for kind, examples in sorted(kinds.items(), key=lambda item: -len(item[1])):
        print(f"  {len(examples):5d}  {kind}\n         {min(examples, key=len)}")


def main(arguments: Sequence[str]) -> int:
    parser = command_line.parser("tools.walk_grammar", __doc__ or "")
    parser.add_argument("--count", type=int, default=4000, help="formulas (default 4000)")
    parser.add_argument("--length", type=int, default=40, help="most tokens of one (default 40)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--node", type=pathlib.Path, help="folder with katex and mathjax")
    parser.add_argument("--tidy", action="store_true", help="as people write them, see latex.tidy")
    parsed: argparse.Namespace = parser.parse_args(arguments)
    vocabulary = Vocabulary.load(saved_model.packaged() / "vocabulary.json")
    written = formulas(vocabulary, parsed.count, parsed.length, parsed.seed)
    if parsed.tidy:
        written = [tidy(formula) for formula in written]
    refused = {}
    if shutil.which("latex") and shutil.which("dvipng"):
        refused["TeX"] = refused_by_tex(written)
    if parsed.node is not None:
        refused |= refused_in_browsers(written, parsed.node)
    for name, by_formula in refused.items():
        _report(name, by_formula, len(written))
    return int(any(refused.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
