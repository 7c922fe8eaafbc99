"""What is wrong with an image."""

from im2latex_jax.errors import Im2latexError


class ImageError(Im2latexError):
    """A picture cannot be read or used: the message names it and says why."""


class BlankImageError(ImageError):
    """There is no writing in the picture."""
