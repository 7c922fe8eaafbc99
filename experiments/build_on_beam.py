"""python -m experiments.build_on_beam --data_dir DIR [--config.KEY=VALUE ...] [-- BEAM OPTIONS]

Builds the data set of a configuration (`configs/corpus.py`) on Apache Beam, for example with
`-- --runner=FlinkRunner --flink_master=HOST:8081`; without options on this machine. A run with the
same configuration and `--config.dataset.data_dir=DIR` then trains on it. What it does is in
`im2latex_jax.datasets.corpus.beam`.
"""

import pathlib
import sys

from absl import app, flags, logging
from ml_collections import config_flags

_CORPUS = pathlib.Path(__file__).parent / "configs" / "corpus.py"
_CONFIG = config_flags.DEFINE_config_file("config", str(_CORPUS), "Configuration of the run.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of data sets, seen by all workers.", required=True
)


def main(argv: list[str]) -> None:
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
        config = CorpusConfig(**_CONFIG.value.dataset.options)
        splits = datasets.build(BeamCorpus, _DATA_DIR.value, config=config, options=argv[1:])
    except Im2latexError as error:
        sys.exit(f"error: {error}")
    print(splits["train"].directory)


if __name__ == "__main__":
    app.run(main)
