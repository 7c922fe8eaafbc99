"""How a formula is to look: typeface, size, resolution, display or inline, bold."""

import dataclasses
import random

from im2latex_jax.errors import Im2latexError

POINT_SIZES = (10, 11, 12)
MIN_DPI, MAX_DPI = 30, 1200
# A few resolutions rather than any number: formulas of one resolution are drawn in one go.
RANDOM_DPIS = (60, 72, 80, 90, 100, 110, 120, 150, 200, 300, 600)
_DPI_WEIGHTS = (2, 2, 3, 2, 3, 2, 3, 4, 4, 3, 1)
_MIN_DPI_FOR_SMALL = 80  # below, an index in small type has no shape any more
_OTHER_WEIGHTS = {"times": 4}  # of the families beside Computer Modern and Latin Modern; 1 if not


class StyleError(Im2latexError):
    """A style asks for something that the renderer does not have."""


@dataclasses.dataclass(frozen=True)
class Family:
    """A typeface for text and mathematics: its LaTeX preamble, and where Debian keeps it."""

    preamble: str
    debian_package: str


FAMILIES = {
    # As LaTeX has it by itself: large operators and delimiters of one size, that of 10 points, in
    # documents of any size. The amsmath package would enlarge them in proportion.
    "computer-modern": Family(
        r"\DeclareFontShape{OMX}{cmex}{m}{n}{<->sfixed*cmex10}{}", "texlive-latex-base"
    ),
    "latin-modern": Family(r"\usepackage[T1]{fontenc}\usepackage{lmodern}", "lmodern"),
    "times": Family(r"\usepackage{newtxtext,newtxmath}", "texlive-fonts-extra"),
    "palatino": Family(r"\usepackage{newpxtext,newpxmath}", "texlive-fonts-extra"),
    "fourier": Family(r"\usepackage{fourier}", "texlive-fonts-extra"),
    "euler": Family(
        r"\usepackage{newpxtext}\usepackage[euler-digits]{eulervm}", "texlive-fonts-extra"
    ),
    "stix": Family(r"\usepackage[T1]{fontenc}\usepackage{stix}", "texlive-fonts-extra"),
    "kepler": Family(r"\usepackage{kpfonts}", "texlive-fonts-extra"),
    "new-century": Family(r"\usepackage{fouriernc}", "texlive-fonts-extra"),
    "libertine": Family(
        r"\usepackage{libertine}\usepackage{libertinust1math}", "texlive-fonts-extra"
    ),
    "antykwa": Family(r"\usepackage[math]{anttor}", "texlive-fonts-extra"),
    "sans-cm": Family(r"\usepackage{cmbright}", "texlive-fonts-extra"),
    "sans-arev": Family(r"\usepackage{arev}", "texlive-fonts-extra"),
}


@dataclasses.dataclass(frozen=True)
class RenderStyle:
    """The look of one picture. The default is that of the im2latex-100k pages, at half their size.

    Attributes:
      family: a key of `FAMILIES`.
      point_size: of the document class, one of `POINT_SIZES` (TeX points, 1/72.27 inch).
      dpi: pixels an inch.
      display: display style on a line of its own; else inline style.
      bold: heavy mathematics and text. A family without heavy fonts looks as usual.

    Raises:
      StyleError: a value is out of its range.
    """

    family: str = "computer-modern"
    point_size: int = 12
    dpi: int = 100
    display: bool = True
    bold: bool = False

    def __post_init__(self):
        if self.family not in FAMILIES:
            raise StyleError(
                f"unknown font family {self.family!r}: choose one of {', '.join(FAMILIES)}"
            )
        if self.point_size not in POINT_SIZES:
            raise StyleError(f"point size {self.point_size}: choose one of 10, 11, 12")
        if not MIN_DPI <= self.dpi <= MAX_DPI:
            raise StyleError(f"{self.dpi} dpi: choose {MIN_DPI} to {MAX_DPI}")

    @property
    def document(self) -> tuple[str, int]:
        """Formulas that share this can stand in one LaTeX document."""
        return self.family, self.point_size


def random_style(seed: int) -> RenderStyle:
    """A style drawn at random; the same seed gives the same style everywhere.

    Half of all styles are Computer Modern or Latin Modern, in which most formulas are printed, and
    one in seven is Times; one in five is inline, one in eight is bold.
    """
    choose = random.Random(seed)
    families = tuple(FAMILIES)
    if choose.random() < 0.5:
        family = choose.choice(families[:2])
    else:
        weights = [_OTHER_WEIGHTS.get(family, 1) for family in families[2:]]
        family = choose.choices(families[2:], weights)[0]
    point_size = choose.choice(POINT_SIZES)
    dpi = choose.choices(RANDOM_DPIS, _DPI_WEIGHTS)[0]
    display = choose.random() >= 0.2
    bold = choose.random() < 0.125
    if dpi < _MIN_DPI_FOR_SMALL:
        point_size, display = max(POINT_SIZES), True
    return RenderStyle(family, point_size, dpi, display, bold)
