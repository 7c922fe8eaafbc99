r"""Whether two formulas say the same, whatever their spelling: judges answers as a reader does.

Every sign, its style and the structure count. What does not count: spaces, the way LaTeX is
spelled (`\text` or `\mathrm`, `\left(` or `(`, one font command around several letters or one
each), a closing point or comma, an equation's number, and how the columns of aligned rows are cut.
"""

import re

from im2latex_jax.latex import commands
from im2latex_jax.latex.canonical import Group, Item, parse
from im2latex_jax.latex.normalizer import NormalizeError
from im2latex_jax.latex.uniform_spelling import respell

_FONTS = {
    "\\mathrm": "rm", "\\operatorname": "rm", "\\operatorname*": "rm", "\\text": "rm",
    "\\mathbb": "bb", "\\mathfrak": "frak", "\\mathscr": "scr", "\\mathsf": "sf",
    "\\mathtt": "tt", "\\mathit": "it", "\\boldsymbol": "bm", "\\mathbf": "bf",
    "\\mathcal": "cal",
}  # fmt: skip
_SWITCHES = {"\\bf": "bf", "\\cal": "cal", "\\it": "it", "\\sf": "sf", "\\tt": "tt"}
_SPACES = frozenset(("\\,", "\\:", "\\;", "\\!", "~", "\\", "\\quad", "\\qquad", "\\space"))
_DROPPED = _SPACES | {"\\limits", "\\nolimits", "\\big", "\\Big", "\\bigg", "\\Bigg"}
_SAME = {
    "\\mid": "|",
    "\\parallel": "\\|",
    "\\cdots": "\\ldots",
    "\\overset": "\\stackrel",
    "\\cfrac": "\\frac",
    "\\Longleftrightarrow": "\\Leftrightarrow",
    "\\Longrightarrow": "\\Rightarrow",
    "\\Longleftarrow": "\\Leftarrow",
    "\\longrightarrow": "\\rightarrow",
    "\\longleftarrow": "\\leftarrow",
    "\\longleftrightarrow": "\\leftrightarrow",
    "\\longmapsto": "\\mapsto",
    "\\Box": "\\square",
    "\\varnothing": "\\emptyset",
    "\\prime": "'",
}
# Over a single letter these look alike.
_SHORT = {"\\overline": "\\bar", "\\widehat": "\\hat", "\\widetilde": "\\tilde"}
_SYMBOLS = frozenset(f"\\{name}" for name in commands.GREEK | commands.SYMBOLS)
_CLOSING = frozenset((".", ",", ";"))
_ROWS = frozenset(("aligned", "gathered"))
_TAG = re.compile(r"\\tag\s*\*?\s*\{[^{}]*\}")
_CHEMISTRY = re.compile(r"\\ce\s*\{((?:[^{}]|\{[^{}]*\})*)\}")


def same(first: str, second: str) -> bool:
    """Whether two formulas say the same. One that cannot be read equals only its own text."""
    if first.split() == second.split():
        return True
    forms = meaning(first), meaning(second)
    return forms[0] is not None and forms[0] == forms[1]


def meaning(formula: str) -> list[str] | None:
    """What two formulas share exactly when they say the same; None if it cannot be read."""
    formula = _CHEMISTRY.sub(lambda found: _upright(found[1]), _TAG.sub("", formula))
    try:
        items, _ = parse(respell(formula).split(" "), 0)
    except NormalizeError:
        return None
    tokens = _walk(items, "")
    while tokens and tokens[-1] in _CLOSING:
        tokens.pop()
    return tokens


def _walk(items: list[Item], font: str) -> list[str]:
    items = _ordered(items)
    written: list[str] = []
    position = 0
    while position < len(items):
        item = items[position]
        position += 1
        if isinstance(item, Group):
            written += _group(item, font)
            continue
        following = items[position] if position < len(items) else None
        if item in _SWITCHES:
            font = _SWITCHES[item]
        elif item in _FONTS and isinstance(following, Group):
            written += _walk(following.items, _FONTS[item])
            position += 1
        elif item in _DROPPED:
            continue
        elif item in ("_", "^") and isinstance(following, Group):
            written += _script(item, _walk(following.items, font))
            position += 1
        elif isinstance(following, Group) and following.begin == "{" and _is_command(item):
            arguments: list[list[str]] = []
            while position < len(items):
                argument = items[position]
                if not isinstance(argument, Group) or argument.begin != "{":
                    break
                arguments.append(_walk(argument.items, font))
                position += 1
            name = _SAME.get(item, item)
            if len(arguments) == 1 and len(arguments[0]) == 1:
                name = _SHORT.get(name, name)
            written.append(name)
            for tokens in arguments:
                written += ["{", *tokens, "}"]
        else:
            written += _sign(item, font)
    return written


def _is_command(token: str) -> bool:
    """Whether a group behind the token is its argument."""
    return token[0] == "\\" and token[-1].isalpha() and token not in _SYMBOLS


def _ordered(items: list[Item]) -> list[Item]:
    """Subscripts before superscripts, where there is nothing before them too."""
    ordered = list(items)
    for place in range(len(ordered) - 3):
        if ordered[place] == "^" and ordered[place + 2] == "_":
            below, above = ordered[place + 2 : place + 4], ordered[place : place + 2]
            ordered[place : place + 4] = [*below, *above]
    return ordered


def _script(mark: str, content: list[str]) -> list[str]:
    if mark == "^" and content and set(content) == {"'"}:
        return content
    return [mark, "{", *content, "}"]


def _sign(token: str, font: str) -> list[str]:
    token = _SAME.get(token, token)
    if token == "\\'":
        return ["'"]
    # Digits are upright by themselves; a font is that of a letter.
    letter = token.isalpha() or (token.isdigit() and font in ("bf", "bb", "bm", "tt", "sf"))
    greek = token[0] == "\\" and font in ("bm", "bf")
    return [f"{font}:{token}"] if font and (letter or greek) else [token]


def _group(group: Group, font: str) -> list[str]:
    if group.begin == "{":
        return _walk(group.items, font)
    if group.begin.startswith("\\left"):
        left, right = group.begin.removeprefix("\\left"), group.end.removeprefix("\\right")
        inner = _walk(group.items, font)
        return [*([left] if left != "." else []), *inner, *([right] if right != "." else [])]
    name = group.begin.removeprefix("\\begin{").removesuffix("}")
    items = list(group.items)
    if name == "array":
        columns = items.pop(0)
        assert isinstance(columns, Group)
        # Which way a column leans is not said; a rule between columns is.
        rules = [item for item in columns.items if item == "|"]
        name = f"matrix{len(rules) or ''}"
    rows = _walk([item for item in items if not (name in _ROWS and item == "&")], font)
    while rows and rows[-1] == "\\\\":
        rows.pop()
    name = "rows" if name in _ROWS else name
    return [f"<{name}>", *rows, f"</{name}>"]


def _upright(formula: str) -> str:
    r"""A chemical formula of mhchem (`\ce{2H2 + O2 -> 2H2O}`) as TeX without it has it."""
    formula = formula.replace("<=>", r" \rightleftharpoons ").replace("->", r" \rightarrow ")
    words = []
    for word in formula.split():
        word = r"\downarrow" if word == "v" else word
        word = re.sub(r"\^(\d*[+-])", r"^{\1}", word)
        words.append(re.sub(r"(?<=[A-Za-z)\]])(\d+)", r"_{\1}", word) if word[0] != "\\" else word)
    return rf"\mathrm{{{' '.join(words)}}}"
