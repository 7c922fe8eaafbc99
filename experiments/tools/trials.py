"""Short trainings that differ from a configuration in one thing each, and a table of the outcome.

    python -m experiments.tools.trials --out DIR [--only NAME ...] [--config FILE]
        [--config.KEY=VALUE ...]

The configuration is that of the released weights (`configs/release.py`) unless another is named;
set its `max_steps` for the length of a trial. Every trial trains in a folder of DIR from the same
seed on the same batches. Stopped anywhere, the same command goes on; trials that are done are not
done again. DIR gets `trials.md`, rewritten after every trial.
"""

import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from absl import logging
from ml_collections import ConfigDict

from experiments import command_line

# What each trial changes, by flattened keys of the configuration.
TRIALS: dict[str, dict[str, Any]] = {
    "as configured": {},
    "no block at stride 4": {"model.blocks": (0, 4)},
    "a block less at stride 8": {"model.blocks": (2, 3)},
    "wider encoder": {"model.features": (64, 256)},
    "smaller GRU": {"model.hidden": 320},
    "larger GRU": {"model.hidden": 640},
    "larger attention": {"model.attention": 256},
    "dropout 0.1": {"model.dropout": 0.1},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "counting as a second task": {"counting_weight": 0.1},
    "no average of the parameters": {"optimizer.ema_decay": 0.0},
    "constant learning rate": {"optimizer.schedule": "constant"},
    "Adam": {"optimizer.name": "adam"},
    "Adam at 3e-3": {"optimizer.name": "adam", "optimizer.learning_rate": 3e-3},
    "Muon at 8e-3": {"optimizer.muon_learning_rate": 8e-3},
    "Muon at 2e-3": {"optimizer.muon_learning_rate": 2e-3},
    "no augmentation": {"augmentation.probability": 0.0},
    "no short formulas first": {"curriculum_lengths": ()},
}
COLUMNS = {
    "bleu": "{:.1f}",
    "exact_match": "{:.3f}",
    "token_edit_distance": "{:.2f}",
    "loss": "{:.3f}",
    "num_parameters": "{:,}",
    "examples_per_second": "{:.0f}",
    "train_seconds": "{:.0f}",
}


def changed(config: ConfigDict, changes: Mapping[str, Any]) -> ConfigDict:
    """A copy of a configuration with changes by flattened keys."""
    copy = config.copy_and_resolve_references()
    with copy.unlocked():
        copy.update_from_flattened_dict(dict(changes))
    return copy


def table(results: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown: a row a trial, by falling BLEU."""
    rows = [["trial", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    for name, result in sorted(results.items(), key=lambda item: -item[1]["bleu"]):
        rows.append([name, *(form.format(result[key]) for key, form in COLUMNS.items())])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def run(config: ConfigDict, names: list[str], out: pathlib.Path) -> dict[str, dict[str, float]]:
    """Runs trials, or takes the results of those that are done; writes the table.

    Raises:
      Im2latexError: as `train.run`.
      Interrupted: as `train.run`.
    """
    from im2latex_jax.runtime import files
    from im2latex_jax.training import run as train

    results: dict[str, dict[str, float]] = {}
    for name in names:
        workdir = out / name.replace(" ", "_")
        finished = workdir / "result.json"
        if finished.exists():
            results[name] = json.loads(finished.read_text(encoding="utf-8"))
        else:
            print(f"== {name}", flush=True)
            results[name] = train.run(changed(config, TRIALS[name]), workdir)
        files.write_text(out / "trials.md", table(results))
    return results


def main() -> None:
    parser = command_line.parser("tools.trials", __doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the trials")
    parser.add_argument(
        "--only", nargs="+", choices=list(TRIALS), metavar="NAME", help=f"of: {', '.join(TRIALS)}"
    )
    parsed, rest = parser.parse_known_args()
    logging.set_verbosity(logging.FATAL)
    from im2latex_jax.errors import Im2latexError
    from im2latex_jax.runtime import compilation

    compilation.enable_cache()
    try:
        config = command_line.config(rest, "release")
        results = run(config, parsed.only or list(TRIALS), parsed.out)
    except Im2latexError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(130)
    print(table(results), end="")


if __name__ == "__main__":
    main()
