"""How large an image of a formula may be, whichever engine draws it."""

MAX_WIDTH_INCHES = 36
MAX_HEIGHT_INCHES = 24
MAX_PIXELS = 1 << 26


def too_large(width: float, height: float, dpi: float) -> str | None:
    """The reason why an image of this size, in pixels, is not drawn; None if it is."""
    if not (width <= MAX_WIDTH_INCHES * dpi and height <= MAX_HEIGHT_INCHES * dpi):  # nor is NaN
        return f"larger than {MAX_WIDTH_INCHES} by {MAX_HEIGHT_INCHES} inches"
    if width * height > MAX_PIXELS:
        return f"larger than {MAX_PIXELS >> 20} megapixels at {dpi:g} dpi"
    return None
