"""The field's figures on the test split of im2latex-100k, as their authors give them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Published:
    """A system's figures; percent, None where not given.

    Attributes:
      system: its name.
      source: where the figures stand.
      bleu: over tokens.
      picture_edit: edit distance score over picture columns.
      picture_match: share of pictures that match, white space included.
      other: what else was measured, or what else the reader should know.
    """

    system: str
    source: str
    bleu: float | None = None
    picture_edit: float | None = None
    picture_match: float | None = None
    other: str = ""


TABLE = (
    Published(
        "Seq2seq with additive attention",
        "the paper whose method this project follows",
        bleu=70,
        other="mean Levenshtein distance 31",
    ),
    Published(
        "The work that paper compares itself with",
        "as that paper gives it",
        bleu=40,
        other="mean Levenshtein distance 44",
    ),
    Published(
        "WYGIWYS",
        "Deng et al. 2017, Image-to-Markup Generation with Coarse-to-Fine Attention",
        bleu=87.73,
        picture_edit=87.60,
        picture_match=77.46,
        other="picture match 79.88 without white space",
    ),
    Published("WYGIWYS in TensorFlow 2", "a remake of it", bleu=84.3),
    Published(
        "I2L-STRIPS",
        "Singh 2018, Teaching Machines to Code: Neural Markup Generation with Visual Attention",
        bleu=88.86,
    ),
    Published(
        "MI2LS",
        "Wang and Liu 2020, Translating Math Formula Images to LaTeX Sequences Using Deep Neural "
        "Networks with Sequence-level Training",
        bleu=90.28,
        picture_edit=92.28,
        picture_match=82.33,
    ),
    Published(
        "pix2tex",
        "its README, on a mixed test set of its own",
        bleu=88,
        other="normalized edit distance 0.10, token accuracy 0.60",
    ),
)
