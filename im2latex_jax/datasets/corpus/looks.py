"""How each formula of a corpus is drawn: by which program, and in which style."""

import dataclasses
import hashlib
from collections.abc import Mapping

from im2latex_jax.datasets.corpus.selection import Candidate
from im2latex_jax.errors import Im2latexError
from im2latex_jax.rendering import browser
from im2latex_jax.rendering.styles import RenderStyle, random_style

# What `CorpusConfig.looks` may name: `styled` is the corpus's engine in a random style.
NAMES = ("styled", "mathtext", *browser.ENGINES)
PLAIN = RenderStyle()
_MIN_BOLD_TOKENS = 12  # in less, a heavy letter cannot be told from a bold one


@dataclasses.dataclass(frozen=True, order=True)
class Look:
    """How one formula is drawn.

    Attributes:
      renderer: `latex`, `mathtext`, `katex` or `mathjax`.
      seed: of a random style; -1 for the plain one.
    """

    renderer: str
    seed: int = -1

    @property
    def document(self) -> tuple[str, ...]:
        """Formulas that share this are drawn in one go."""
        if self.renderer == "latex":
            family, point_size = self.style(_MIN_BOLD_TOKENS).document
            return self.renderer, family, str(point_size)
        return (self.renderer,)

    def style(self, num_tokens: int) -> RenderStyle:
        """The style in which TeX or mathtext draws a formula of so many tokens."""
        if self.seed < 0:
            return PLAIN
        style = random_style(self.seed)
        return dataclasses.replace(style, bold=style.bold and num_tokens >= _MIN_BOLD_TOKENS)


def check_looks(shares: Mapping[str, float]) -> dict[str, float]:
    """The shares of looks in a fixed order.

    Raises:
      Im2latexError: an unknown name, or shares that are negative or more than all.
    """
    unknown = set(shares) - set(NAMES)
    if unknown:
        raise Im2latexError(
            f"corpus: looks has {', '.join(sorted(unknown))}: it may have {', '.join(NAMES)}"
        )
    if min(shares.values(), default=0) < 0 or sum(shares.values()) > 1 + 1e-9:
        raise Im2latexError("corpus: the shares in looks must be 0 to 1, and so must their sum")
    return {name: float(shares[name]) for name in NAMES if name in shares}


def choose_look(
    candidate: Candidate, engine: str, seed: int, shares: Mapping[str, float], repeated: bool
) -> Look:
    """The look of a formula: one of `shares`, else plain.

    It depends on the formula alone, not on what stands beside it; of a formula that is kept several
    times (`repeated`), also on its line.
    """
    text = f"{seed}\0{candidate.formula}" + (f"\0{candidate.line}" if repeated else "")
    hashed = hashlib.blake2b(text.encode(), digest_size=16, person=b"style").digest()
    mark = int.from_bytes(hashed[:8]) / 2**64
    for name, share in shares.items():
        mark -= share
        if mark < 0:
            return Look(engine if name == "styled" else name, int.from_bytes(hashed[8:12]))
    return Look(engine)
