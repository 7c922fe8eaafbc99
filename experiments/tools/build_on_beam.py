"""python -m experiments.tools.build_on_beam --data_dir DIR [--config.KEY=VALUE] [-- BEAM OPTIONS]

Builds the data set of a configuration (`configs/corpus.py`) on Apache Beam, for example with
`-- --runner=FlinkRunner --flink_master=HOST:8081`; without options on this machine. A run with the
same configuration and `--config.dataset.data_dir=DIR` then trains on it. What it does is in
`im2latex_jax.datasets.corpus.beam`.
"""

import itertools
import sys

from absl import logging

from experiments import command_line


def main() -> None:
    parser = command_line.parser("tools.build_on_beam", __doc__)
    parser.add_argument("--data_dir", required=True, help="folder that all workers see")
    mine = list(itertools.takewhile(lambda argument: argument != "--", sys.argv[1:]))
    parsed, rest = parser.parse_known_args(mine)
    beam_options = sys.argv[len(mine) + 2 :]
    logging.set_verbosity(logging.WARNING)
    from im2latex_jax import datasets
    from im2latex_jax.errors import Im2latexError

    try:
        import apache_beam  # noqa: F401
    except ImportError:
        sys.exit("error: Apache Beam is not installed: pip install 'im2latex_jax[beam]'")
    from im2latex_jax.datasets.corpus.beam import BeamCorpus
    from im2latex_jax.datasets.corpus.builder import CorpusConfig

    try:
        config = CorpusConfig(**command_line.config(rest, "corpus").dataset.options)
        splits = datasets.build(BeamCorpus, parsed.data_dir, config=config, options=beam_options)
    except Im2latexError as error:
        sys.exit(f"error: {error}")
    print(splits["train"].directory)


if __name__ == "__main__":
    main()
