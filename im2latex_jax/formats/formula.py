"""A formula that was read, with its spellings and formats as properties."""

import dataclasses
import functools

from im2latex_jax import formats
from im2latex_jax.latex.tidy import tidy


@dataclasses.dataclass(frozen=True, eq=False)
class Formula:
    """A formula; a format is computed when it is first asked for.

    Attributes:
      normal_form: the formula as the network writes it, in the normal form of im2latex-100k.
    """

    normal_form: str = ""

    @functools.cached_property
    def latex(self) -> str:
        """LaTeX as a person would write it, see `latex.tidy`."""
        return tidy(self.normal_form, portable=True)

    def as_format(self, name: str) -> str:
        """The formula in one of `formats.FORMATS`; "" where there is none.

        Raises:
          FormatError: the format is unknown, or cannot express the formula.
          Im2latexError: a library is not installed.
        """
        return formats.convert(self.latex, name)

    @property
    def display(self) -> str:
        r"""LaTeX for a line of its own: `\[...\]`."""
        return self.as_format("display")

    @property
    def inline(self) -> str:
        """LaTeX for a line of text: `$...$`."""
        return self.as_format("inline")

    @property
    def markdown(self) -> str:
        """Markdown: `$$` on lines above and below."""
        return self.as_format("markdown")

    @property
    def mathml(self) -> str:
        """A `<math>` element. Needs the extra `formats`."""
        return self.as_format("mathml")

    @property
    def omml(self) -> str:
        """An `<m:oMath>` element, Word's format. Needs the extra `formats`."""
        return self.as_format("omml")

    @property
    def typst(self) -> str:
        """Typst's math, without dollar signs. Needs the extra `formats`."""
        return self.as_format("typst")

    @property
    def sympy(self) -> str:
        """SymPy's Python. Needs the extra `solve`."""
        return self.as_format("sympy")
