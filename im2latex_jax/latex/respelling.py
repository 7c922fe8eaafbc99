r"""The nodes of a tree as people write them; what is drawn stays the same.

`respell` goes through a tree with the place of each list in mind: its style (text in scripts is not
drawn as roman letters are), whether it is a cell (where `\hfill` moves things), and whether
`\displaystyle` would change anything there.
"""

import dataclasses
import re
from collections.abc import Callable

from im2latex_jax.latex import braces, parsing, spacing, writing
from im2latex_jax.latex.braces import FONTS, SWITCHES
from im2latex_jax.latex.commands import control_words
from im2latex_jax.latex.tree import (
    Command,
    Fence,
    Group,
    Items,
    Length,
    Node,
    Row,
    Scripts,
    Table,
    Text,
    Token,
)

# Switches that work on text only: LaTeX ignores them in math.
_IDLE = control_words(
    "boldmath unboldmath sl sc em nobreak - protect relax nonumber notag allowdisplaybreaks "
    "noindent displaylimits centering normalfont"
)
_FILLS = frozenset(("\\hfill", "\\hfil"))
_SIZES = control_words("tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge")
_SYNONYMS = {
    "\\vert": "|",
    "\\Vert": "\\|",
    "\\lbrace": "\\{",
    "\\rbrace": "\\}",
    "\\lbrack": "[",
    "\\rbrack": "]",
    "\\thinspace": "\\,",
    "\\medspace": "\\:",
    "\\thickspace": "\\;",
    "\\negthinspace": "\\!",
    "\\>": "\\:",
    "\\space": "\\",
    "\\dag": "\\dagger",
    "\\ddag": "\\ddagger",
    "\\land": "\\wedge",
    "\\lor": "\\vee",
}
_FENCE_SYNONYMS = {
    **{name: _SYNONYMS[name] for name in ("\\lbrace", "\\rbrace", "\\lbrack", "\\rbrack")},
    "\\vert": "|",
    "\\Vert": "\\|",
    "<": "\\langle",
    ">": "\\rangle",
}
_ACCENT_SYNONYMS = {
    f"\\{name.capitalize()}": f"\\{name}"
    for name in ("hat", "tilde", "bar", "vec", "dot", "ddot", "check", "acute", "grave", "breve")
}
_ACCENTS = frozenset(_ACCENT_SYNONYMS.values()) | {"\\mathring", "\\widehat", "\\widetilde"}
_TEXT_SYNONYMS = {
    "\\textnormal": "\\text",
    "\\textrm": "\\text",
    "\\textup": "\\text",
    "\\textmd": "\\text",
    "\\emph": "\\textit",
    "\\hbox": "\\mbox",
}
_FUNCTIONS = control_words(
    "arccos arcsin arctan arg cos cosh cot coth csc deg dim exp hom ker lg ln log sec sin sinh tan "
    "tanh"
)
_LIMIT_FUNCTIONS = control_words("det gcd inf lim max min Pr sup")
_SPACED_FUNCTIONS = {"\\lim\\,sup": "\\limsup", "\\lim\\,inf": "\\liminf"}
_SIZED_FRACTIONS = {
    ("\\textstyle", "\\frac"): "\\tfrac",
    ("\\displaystyle", "\\frac"): "\\dfrac",
    ("\\textstyle", "\\binom"): "\\tbinom",
    ("\\displaystyle", "\\binom"): "\\dbinom",
}
_MATRICES = {
    ("(", ")"): "pmatrix",
    ("[", "]"): "bmatrix",
    ("\\{", "\\}"): "Bmatrix",
    ("|", "|"): "vmatrix",
    ("\\|", "\\|"): "Vmatrix",
    ("\\lvert", "\\rvert"): "vmatrix",
    ("\\lVert", "\\rVert"): "Vmatrix",
}
_ALIGNED = frozenset(("aligned", "alignedat", "split"))
# Words that stand between formulas rather than for a quantity.
_TEXT_WORDS = control_words(
    "and or for where with otherwise when then in on at is are the all any some such that as by "
    "from to constant const"
)
# Behind these letters math adds the italic correction, text does not.
_CORRECTED = re.compile("[fvwFTVWKY](?![A-Za-z0-9])")
_WORDS = re.compile(r"[A-Za-z0-9~()]*[A-Za-z]{2}[A-Za-z0-9~()]*")
_MATH_IN_TEXT = re.compile(r"\$([^$]*)\$")
# A single tie away from punctuation, behind which a blank may be wider.
_TIE = re.compile(r"(?<![~ .,:;?!\\])~(?![~ ])")
_SPACE_COMMAND = re.compile(r"\\space(?![A-Za-z])(?! *(?:~|\\space|\\ )) *")
_DOTS = (Token("\\ldots"), Token("\\cdots"), Token("\\ddots"))


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where a list stands.

    Attributes:
      style: D display, T text, S scripts.
      plain: the style is the one that `\\displaystyle` would give, where `style` is D.
      in_cell: in a table's cell itself, whose width fills may take.
    """

    style: str = "D"
    plain: bool = True
    in_cell: bool = False


def respell(items: Items) -> Items:
    """A formula's tree as a person would write it."""
    return _list(items, _Place())


def _list(items: Items, place: _Place) -> Items:
    changed: list[Node] = []
    for number, node in enumerate(items):
        if isinstance(node, Token):
            text, rest = node.text, items[number + 1 :]
            if text in SWITCHES:
                changed += _in_font(text, _list(rest, place), first=not changed)
                break
            if text in _IDLE or (text in _FILLS and not place.in_cell):
                continue
            if text in _SIZES and not _has_text(rest):
                continue
            if text == "\\displaystyle" and place.style == "D" and place.plain:
                continue
            if text in spacing.STYLES:
                place = _Place(spacing.STYLES[text], text == "\\displaystyle", place.in_cell)
        changed += _RESPELLERS[type(node)](node, place)
    return _joined_spaces(braces.unbraced(changed))


def _in_font(switch: str, rest: Items, first: bool) -> list[Node]:
    """What a font switch applies to, as the argument of a font command."""
    if not rest or all(isinstance(node, Command) and node.name in FONTS for node in rest):
        return list(rest)  # inner fonts win
    if first or spacing.class_of(rest[0]) == spacing.ORD:
        return [Command(SWITCHES[switch], (rest,))]
    # As an argument, which is spaced as an ordinary symbol, it would move.
    return [Token(switch), *rest]


def _has_text(items: Items) -> bool:
    """Whether items hold what a size of text changes: text, and spaces in its units."""
    for node in items:
        if isinstance(node, (Text, Length, Table)) or node in _TEXT_SPACES:
            return True
        inner: list[Items] = []
        if isinstance(node, (Group, Fence)):
            inner = [node.items]
        elif isinstance(node, Command):
            inner = list(node.arguments)
        elif isinstance(node, Scripts):
            inner = [(node.base,) if node.base else (), node.sub or (), node.sup or ()]
        if any(map(_has_text, inner)):
            return True
    return False


_TEXT_SPACES = tuple(Token(text) for text in ("~", "\\", "\\space", "\\quad", "\\qquad"))


def _joined_spaces(items: Items) -> Items:
    joined: list[Node] = []
    for node in items:
        if isinstance(node, Token) and node.text == "\\quad" and joined[-1:] == [node]:
            joined[-1] = Token("\\qquad")
        else:
            joined.append(node)
    return tuple(joined)


def _token(node: Token, place: _Place) -> list[Node]:
    if node.text in ("\\enspace", "\\enskip"):
        return [Length("\\hspace", "0.5em")]
    if node.text == "\\null":
        return [Group(())]
    return [Token(_SYNONYMS.get(node.text, node.text))]


def _group(node: Group, place: _Place) -> list[Node]:
    items = _list(node.items, dataclasses.replace(place, in_cell=False))
    if len(items) == 2 and isinstance(items[0], Token) and isinstance(items[1], Command):
        name = _SIZED_FRACTIONS.get((items[0].text, items[1].name))
        if name is not None:
            return [Command(name, items[1].arguments)]
    if len(items) == 1 and isinstance(items[0], Command) and items[0].name in FONTS:
        return list(items)
    return [Group(items)]


def _command(node: Command, place: _Place) -> list[Node]:
    name = _ACCENT_SYNONYMS.get(node.name, node.name)
    styles = _argument_styles(name, place.style, len(node.arguments))
    arguments = tuple(
        _list(argument, _Place(style, plain=False))
        for argument, style in zip(node.arguments, styles, strict=True)
    )
    option = None if node.option is None else _list(node.option, _Place("S", plain=False))
    first = arguments[0]
    if name == "\\ensuremath":
        return list(first)
    if name == "\\not":
        return [_negated(node)]
    if name in ("\\operatorname", "\\operatorname*"):
        return [_function(name, first)]
    if name == "\\mathop" and _is_name(first) and isinstance(first[0], Command):
        return [Command("\\operatorname*", first[0].arguments)]
    if name == "\\mathrm" and (text := _as_text(first, place)) is not None:
        return [text]
    if name == "\\mathinner" and len(first) == 1 and first[0] in _DOTS:
        return list(first)
    if name in FONTS and not first:
        return [Group(())]
    if name in FONTS and all(isinstance(node, Command) and node.name in FONTS for node in first):
        return list(first)  # inner fonts win
    return [Command(name, arguments, option)]


def _argument_styles(name: str, style: str, count: int) -> list[str]:
    if name in ("\\frac", "\\binom") or name.startswith("\\genfrac"):
        return ["T" if style == "D" else "S"] * count
    if name in ("\\dfrac", "\\dbinom", "\\cfrac"):
        return ["T"] * count
    if name in ("\\tfrac", "\\tbinom", "\\xrightarrow", "\\xleftarrow"):
        return ["S"] * count
    if name in parsing.TWO_ARGUMENTS:
        return ["S", style]
    return [style] * count


def _negated(node: Command) -> Node:
    """`\\not` with a bare relation, which it is spaced with; with other symbols in braces."""
    [struck] = node.arguments[0]
    if isinstance(struck, Token) and spacing.class_of(struck) not in (spacing.REL, spacing.BIN):
        struck = Group((struck,))
    return Token("\\ne") if struck == Token("=") else Command(node.name, ((struck,),))


def _function(name: str, letters: Items) -> Node:
    word = "\\" + writing.write(letters)
    if name == "\\operatorname" and word in _FUNCTIONS:
        return Token(word)
    if name == "\\operatorname*" and (word in _LIMIT_FUNCTIONS or word in _SPACED_FUNCTIONS):
        return Token(_SPACED_FUNCTIONS.get(word, word))
    return Command(name, (letters,))


def _is_name(items: Items) -> bool:
    """Whether items are one `\\mathrm` of at least two letters."""
    if len(items) != 1 or not isinstance(items[0], Command) or items[0].name != "\\mathrm":
        return False
    letters = items[0].arguments[0]
    return len(letters) > 1 and all(
        isinstance(node, Token) and node.text.isalpha() and node.text.isascii() for node in letters
    )


def _as_text(letters: Items, place: _Place) -> Text | None:
    """Roman words as text, where that is drawn alike."""
    if place.style == "S":
        return None
    content = ""
    for node in letters:
        if not isinstance(node, Token):
            return None
        content += node.text
    if not _WORDS.fullmatch(content) or _CORRECTED.search(content):
        return None
    if "~" not in content and f"\\{content}" not in _TEXT_WORDS:
        return None
    return Text("\\text", _TIE.sub(" ", content))


def _text(node: Text, place: _Place) -> list[Node]:
    pieces = []
    for number, piece in enumerate(_MATH_IN_TEXT.split(node.content)):
        if number % 2:
            pieces.append(f"${writing.write(_list(parsing.parse(piece), _Place('T')))}$")
        else:
            pieces.append(_SPACE_COMMAND.sub(" ", _TIE.sub(" ", piece)))
    name = _TEXT_SYNONYMS.get(node.name, node.name)
    if name == "\\mbox" and place.style != "S":
        name = "\\text"
    return [Text(name, "".join(pieces))]


def _length(node: Length, place: _Place) -> list[Node]:
    return [node]


def _scripts(node: Scripts, place: _Place) -> list[Node]:
    small = _Place("S", plain=False)
    sub, sup = (None if script is None else _list(script, small) for script in (node.sub, node.sup))
    before: list[Node] = []
    base: Node = Group(())
    if node.base is not None:
        respelled = _RESPELLERS[type(node.base)](node.base, place)
        if respelled:
            *before, base = respelled
        if isinstance(base, Scripts):
            base = Group((base,))
        if isinstance(base, Group) and len(base.items) == 1 and _carries_scripts(base.items[0]):
            base = base.items[0]
        if sub is None and sup is None:
            return [*before, base]
    return [*before, Scripts(base, sub, sup, node.limits)]


def _carries_scripts(node: Node) -> bool:
    """Whether scripts stand alike on a node and on a group of it alone."""
    if isinstance(node, Command):
        return node.name in _ACCENTS or (node.name in FONTS and len(node.arguments[0]) == 1)
    return braces.is_symbol(node)


def _fence(node: Fence, place: _Place) -> list[Node]:
    items = _list(node.items, dataclasses.replace(place, in_cell=False))
    left, right = (_FENCE_SYNONYMS.get(side, side) for side in (node.left, node.right))
    if len(items) == 1 and isinstance(items[0], Table) and items[0].name == "matrix":
        name = _MATRICES.get((left, right))
        if name is not None:
            return [dataclasses.replace(items[0], name=name)]
    return [Fence(left, items, right)]


def _table(node: Table, place: _Place) -> list[Node]:
    style = "D" if node.name in _ALIGNED or node.name == "gathered" else "T"
    if node.name in ("smallmatrix", "subarray", "\\substack"):
        style = "S"
    inside = _Place(style, plain=style == "D", in_cell=True)
    rows = [
        Row(
            tuple(
                _cell(cell, inside, aligned=number % 2 == 1 and node.name in _ALIGNED)
                for number, cell in enumerate(row.cells)
            ),
            row.rules,
            row.space,
        )
        for row in node.rows
    ]
    return [dataclasses.replace(node, rows=tuple(rows))]


def _cell(cell: Items, place: _Place, aligned: bool) -> Items:
    """A cell's items; where it is `aligned`, amsmath puts an empty group before them."""
    whole = len(cell) == 1 and isinstance(cell[0], Group)
    items = _list(cell, dataclasses.replace(place, in_cell=not whole))
    if not aligned or not items:
        return items
    if whole:
        # The braces kept the cell's space apart from the empty group.
        inner = items[0].items if len(items) == 1 and isinstance(items[0], Group) else items
        rest = inner[1:] if inner[:1] == (Group(()),) else None
        if rest is not None:
            return rest
        if spacing.class_of(items[0]) not in (spacing.ORD, spacing.OPEN, ""):
            return (Group(items),)
    return items


_RESPELLERS: dict[type, Callable[..., list[Node]]] = {
    Token: _token,
    Group: _group,
    Command: _command,
    Text: _text,
    Length: _length,
    Scripts: _scripts,
    Fence: _fence,
    Table: _table,
}
