"""The parts of the released model's data, one dataset each: `release_data.py:official`, ...

    python -m experiments.tools.release_formulas --data FOLDER --out formulas
    npm install katex mathjax@3
    python -m experiments.tools.build_dataset --link papers-0 \\
        --config experiments/configs/release_data.py:papers-0

`self` is what `experiments.tools.self_training` writes, moved to `formulas/self.tsv`.

Of papers a third of the formulas are drawn plainly, as the pages of im2latex-100k are. Everyday
formulas, which users photograph and copy from screens, are drawn in more looks: those of the second
part mostly by KaTeX and MathJax, which take the most time to draw. Repeated ones get several looks.
All parts deal their formulas out to the splits by the same rule.
"""

from ml_collections import ConfigDict

from experiments.configs import corpus

_PAPERS = {"styled": 0.50, "katex": 0.05, "mathjax": 0.02, "mathtext": 0.06}
LOOKS = {
    "official": {"styled": 0.25},
    "everyday-0": {"styled": 0.52, "mathtext": 0.10},
    "everyday-1": {"styled": 0.20, "katex": 0.45, "mathjax": 0.15, "mathtext": 0.05},
    "papers-0": {"styled": 0.56, "mathtext": 0.06},
    "papers-1": _PAPERS,
    "papers-2": _PAPERS,
    "papers-3": _PAPERS,
    "self": {"styled": 0.25},
}


def get_config(part: str = "official") -> ConfigDict:
    if part not in LOOKS:
        raise ValueError(f"release_data: there is no part {part!r}: choose {', '.join(LOOKS)}")
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
    options.looks = ConfigDict(LOOKS[part])
    options.keep_repeated = part.startswith("everyday")
    if part == "official":
        options.validation_share = options.test_share = 0.02
    return config
