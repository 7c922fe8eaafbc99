"""Pictures that show an answer: where the network looked, and what the formula looks like."""

import os
import pathlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from im2latex_jax.errors import Im2latexError
from im2latex_jax.recognizer import Recognition
from im2latex_jax.rendering import mathtext
from im2latex_jax.rendering.tex.render import render_formulas
from im2latex_jax.rendering.tex.sandbox import MissingProgramError

# Formats that hold an animation.
SUFFIXES = (".gif", ".webp", ".png")
ENLARGE = 3
MILLISECONDS = 300
LAST_MILLISECONDS = 2000
FONT_SIZE = 16
# Colour of the cells that the network looks at, where it looks hardest.
HIGHLIGHT = np.asarray([255, 96, 0])


def attention_frames(answer: Recognition, stride: tuple[int, int]) -> list[Image.Image]:
    """A frame a token: the picture with the cells that the network looked at, and the text so far.

    Args:
      answer: with its picture.
      stride: rows and columns of pixels that a cell of the attention stands for.

    Raises:
      Im2latexError: if nothing was read.
    """
    if answer.ink is None or not answer.tokens:
        raise Im2latexError("there is no attention to show: nothing was read")
    height, width = answer.ink.shape
    paper = 255 - np.repeat(answer.ink[..., None], 3, axis=2).astype(np.float32)
    font = ImageFont.load_default(FONT_SIZE)
    lines = _lines(answer.tokens, font, max(ENLARGE * width, 320))
    frames = []
    for number, weights in enumerate(answer.attention):
        size = (weights.shape[1] * stride[1], weights.shape[0] * stride[0])
        heat = cv2.resize(weights / weights.max(), size, interpolation=cv2.INTER_LINEAR)
        share = np.clip(heat[:height, :width, None], 0, 1) * 0.7
        # Ink stays dark under the colour.
        shown = paper * (1 - share) + np.minimum(paper, HIGHLIGHT) * share
        picture = Image.fromarray(shown.astype(np.uint8))
        picture = picture.resize((ENLARGE * width, ENLARGE * height), Image.Resampling.BICUBIC)
        frames.append(_captioned(picture, lines, number, font))
    return frames


def save_attention(
    path: str | os.PathLike[str], answer: Recognition, stride: tuple[int, int]
) -> None:
    """Writes `attention_frames` as an animation; the path's suffix is one of SUFFIXES.

    Raises:
      Im2latexError: if nothing was read, or the file cannot be written.
    """
    if pathlib.Path(path).suffix.lower() not in SUFFIXES:
        raise Im2latexError(
            f"{os.fspath(path)}: an animation's file name ends in one of {', '.join(SUFFIXES)}"
        )
    first, *others = attention_frames(answer, stride)
    durations = [*[MILLISECONDS] * len(others), LAST_MILLISECONDS]
    try:
        first.save(path, save_all=True, append_images=others, duration=durations, loop=0)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Im2latexError(f"{os.fspath(path)}: cannot be written: {reason}") from error


def _lines(
    tokens: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[list[tuple[int, str]]]:
    """Numbered tokens broken into lines that are at most `width` pixels wide."""
    lines: list[list[tuple[int, str]]] = [[]]
    x = 0.0
    for number, token in enumerate(tokens):
        step = font.getlength(token + " ")
        if lines[-1] and x + step > width:
            lines.append([])
            x = 0.0
        lines[-1].append((number, token))
        x += step
    return lines


def _captioned(picture: Image.Image, lines, current: int, font) -> Image.Image:
    """The picture with the tokens up to `current`, that one in colour, below it."""
    leading = FONT_SIZE + 6
    width = max(
        picture.width, *(int(font.getlength(" ".join(t for _, t in line) + " ")) for line in lines)
    )
    frame = Image.new("RGB", (width, picture.height + leading * len(lines) + 6), "white")
    frame.paste(picture, (0, 0))
    draw = ImageDraw.Draw(frame)
    for row, line in enumerate(lines):
        x = 0.0
        for number, token in line:
            colour = tuple(HIGHLIGHT.tolist()) if number == current else (0, 0, 0)
            if number <= current:
                draw.text((x, picture.height + leading * row), token, colour, font)
            x += font.getlength(token + " ")
    return frame


def draw_formulas(formulas: Sequence[str]) -> Iterator[tuple[bytes | None, str | None]]:
    """PNG of each formula or the reason why there is none; by TeX, else by mathtext."""
    try:
        for result in render_formulas(list(formulas), progress=False):
            yield result.png, result.reason
    except MissingProgramError:
        for formula in formulas:
            try:
                yield mathtext.render(formula), None
            except Im2latexError as error:
                yield None, str(error)
