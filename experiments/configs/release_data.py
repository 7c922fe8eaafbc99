"""The parts of the released model's data, one dataset each: `release_data.py:official`, ...

    python -m experiments.tools.release_formulas --data FOLDER --out formulas
    npm install katex mathjax@3
    python -m experiments.tools.build_dataset --link papers-0 \\
        --config experiments/configs/release_data.py:papers-0

Of papers a third of the formulas are drawn plainly, as im2latex-100k's pages are; of everyday
formulas, which users photograph and copy from screens, fewer, and repeated ones in several looks.
All parts deal their formulas out to the splits by the same rule.
"""

from ml_collections import ConfigDict

from experiments.configs import corpus

PARTS = (
    "official",
    "everyday-0",
    "everyday-1",
    "papers-0",
    "papers-1",
    "papers-2",
    "papers-3",
)
_PAPERS = {"styled": 0.46, "katex": 0.07, "mathjax": 0.04, "mathtext": 0.06}
_EVERYDAY = {"styled": 0.36, "katex": 0.22, "mathjax": 0.08, "mathtext": 0.08}
_OFFICIAL = {"styled": 0.25}


def get_config(part: str = "official") -> ConfigDict:
    if part not in PARTS:
        raise ValueError(f"release_data: there is no part {part!r}: choose {', '.join(PARTS)}")
    config = corpus.get_config()
    options = config.dataset.options
    options.files = (f"formulas/{part}.tsv",)
    options.kind_column = ""
    options.kinds = ()
    options.exclude = ("formulas/held_out.txt",)
    options.validation_share = 0.004
    options.test_share = 0.004
    options.max_height = 192
    options.max_width = 632
    options.web_packages = "node_modules"
    options.looks = ConfigDict(_PAPERS)
    if part == "official":
        options.looks = ConfigDict(_OFFICIAL)
        options.validation_share = options.test_share = 0.02
    elif part.startswith("everyday"):
        options.looks = ConfigDict(_EVERYDAY)
        options.keep_repeated = True
    return config
