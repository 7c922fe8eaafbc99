r"""LaTeX between the delimiters of a document."""

import re

_TAG = re.compile(r"\\tag\*?\{([^{}]*)\}")


def display(latex: str) -> str:
    r"""A formula on a line of its own: `\[...\]`."""
    return rf"\[{_padded(latex)}\]"


def inline(latex: str) -> str:
    r"""A formula in a line of text: `$...$`, where a number stands beside it (`\tag` may not)."""
    return f"${_TAG.sub(_number, latex)}$"


def markdown(latex: str) -> str:
    """A formula on lines of its own: `$$` above and below."""
    return f"$$\n{latex}\n$$"


def _number(tag: re.Match) -> str:
    return rf"\quad({tag[1]})"


def _padded(latex: str) -> str:
    r"""With a blank before `[`, which `\\[` may not have right behind it."""
    return f" {latex}" if latex.startswith("[") else latex
