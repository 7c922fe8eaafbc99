"""Formulas of your own: any lists of LaTeX, normalized, drawn by TeX, split by paper.

Name the files: --config.dataset.options.files="('formulas.tsv.xz',)". The columns below are those
of a TSV with the lines `paper<TAB>display or inline<TAB>formula`; for a text file with a formula a
line, set formula_column, group_column and kind_column to "" and kinds to "()".
"""

from ml_collections import ConfigDict

from experiments.configs import paper


def get_config() -> ConfigDict:
    config = paper.get_config()
    config.dataset.name = "corpus"
    config.dataset.options = ConfigDict()
    config.dataset.options.files = ()  # paths or patterns; plain, .xz, .gz or .bz2
    config.dataset.options.encoding = "utf-8"
    config.dataset.options.formula_column = "2"  # a number from 0 or a name in the first line
    config.dataset.options.group_column = "0"  # all formulas of a group come into one split
    config.dataset.options.kind_column = "1"
    config.dataset.options.kinds = ("display",)  # the lines that are taken
    config.dataset.options.exclude = ()  # files of formulas, one a line, that must not come in
    config.dataset.options.validation_share = 0.02  # of the groups
    config.dataset.options.test_share = 0.02
    config.dataset.options.seed = 0  # of the splits and the styles
    config.dataset.options.canonical = False  # one spelling a picture, not that of im2latex-100k
    config.dataset.options.min_tokens = 1
    config.dataset.options.max_tokens = 200
    config.dataset.options.max_height = 160  # pixels
    config.dataset.options.max_width = 800
    config.dataset.options.engine = "latex"  # or mathtext, where there is no TeX
    # Shares drawn otherwise: styled (other fonts, sizes, resolutions), katex, mathjax, mathtext.
    config.dataset.options.looks = ConfigDict({"styled": 0.0})
    config.dataset.options.web_packages = ""  # folder of the npm packages katex and mathjax
    config.dataset.options.keep_repeated = False  # each repetition in a look of its own
    config.dataset.min_token_count = 5

    config.limits.max_height = 168  # the pictures and their margin
    config.limits.max_width = 808
    config.limits.max_length = 201  # the tokens and <eos>

    config.model.dropout = 0.1
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 1_000
    config.optimizer.b2 = 0.98
    config.optimizer.clip_norm = 1.0
    return config
