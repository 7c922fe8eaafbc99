r"""The canonical form: one spelling for what draws the same picture, as a fairer way to score.

Works on the normal form (see `normalizer`), which has fixed most of the spelling already, and folds

- font switches into font commands: `{ \bf x }` to `\mathbf { x }`, `{ \cal L }` to
  `\mathcal { L }` (the normal form has already done so for `\rm`);
- bare arguments into braced ones, and braces around one symbol or one ordinary element away, unless
  they decide where a script stands;
- synonyms (`\le` and `\leq`, `\to` and `\rightarrow`, `\vert` and `|`, `\sp` and `^` ...);
- what draws nothing: `\nonumber`, `\ensuremath`, `\displaystyle` at the beginning, and spaces at
  the ends of the formula.

Nothing is folded that is equal only for some contents: `\left(` and `(`, for instance, stay apart.
"""

import dataclasses

from im2latex_jax.latex.normalizer import (
    ACCENTS,
    FRACTIONS,
    LINES,
    ONE_ARGUMENT,
    TEXT_COMMANDS,
    TWO_ARGUMENTS,
    NormalizeError,
    normalize,
)

_SYNONYMS = {
    "\\le": ["\\leq"],
    "\\ge": ["\\geq"],
    "\\ne": ["\\neq"],
    "\\to": ["\\rightarrow"],
    "\\gets": ["\\leftarrow"],
    "\\land": ["\\wedge"],
    "\\lor": ["\\vee"],
    "\\lnot": ["\\neg"],
    "\\owns": ["\\ni"],
    "\\dag": ["\\dagger"],
    "\\ddag": ["\\ddagger"],
    "\\ast": ["*"],
    "\\lbrace": ["\\{"],
    "\\rbrace": ["\\}"],
    "\\lbrack": ["["],
    "\\rbrack": ["]"],
    "\\vert": ["|"],
    "\\Vert": ["\\|"],
    "\\left\\lbrace": ["\\left\\{"],
    "\\right\\rbrace": ["\\right\\}"],
    "\\left\\lbrack": ["\\left["],
    "\\right\\rbrack": ["\\right]"],
    "\\left\\vert": ["\\left|"],
    "\\right\\vert": ["\\right|"],
    "\\left\\Vert": ["\\left\\|"],
    "\\right\\Vert": ["\\right\\|"],
    "\\left<": ["\\left\\langle"],
    "\\right>": ["\\right\\rangle"],
    "\\thinspace": ["\\,"],
    "\\medspace": ["\\:"],
    "\\thickspace": ["\\;"],
    "\\negthinspace": ["\\!"],
    "\\qquad": ["\\quad", "\\quad"],
    "\\sp": ["^"],
    "\\sb": ["_"],
    "\\nonumber": [],
    "\\notag": [],
    "\\relax": [],
}
_SWITCHES = {
    "\\bf": "\\mathbf",
    "\\cal": "\\mathcal",
    "\\it": "\\mathit",
    "\\sf": "\\mathsf",
    "\\tt": "\\mathtt",
}
_SPACES = frozenset(("~", "\\", "\\,", "\\:", "\\;", "\\!", "\\quad"))
_INVISIBLE_FIRST = _SPACES | {"\\displaystyle"}
_FONTS = frozenset(
    ("\\mathrm", "\\mathbf", "\\mathcal", "\\mathit", "\\mathsf", "\\mathtt", "\\mathbb")
) | frozenset(("\\mathfrak", "\\mathscr", "\\boldsymbol"))
_LETTER_NAMES = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi "
    "pi varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta "
    "Lambda Xi Pi Sigma Upsilon Phi Psi Omega partial infty nabla ell hbar prime imath jmath aleph "
    "wp Re Im emptyset"
)
_LETTER_COMMANDS = frozenset(f"\\{name}" for name in _LETTER_NAMES.split())
_SYMBOL_NAMES = (
    "leq geq neq sim simeq approx equiv propto in ni subset supset subseteq supseteq rightarrow "
    "leftarrow leftrightarrow Rightarrow Leftrightarrow mapsto longrightarrow perp parallel mid "
    "pm mp times cdot circ bullet otimes oplus wedge vee cup cap star dagger quad langle rangle "
    "int sum prod oint forall exists ldots cdots dots"
)
# Commands without an argument: a group behind them is an atom of its own.
_KNOWN_SYMBOLS = _LETTER_COMMANDS | {f"\\{name}" for name in _SYMBOL_NAMES.split()}
_TWO = TWO_ARGUMENTS | frozenset(FRACTIONS)
# Braces around the argument of these make it another kind of atom.
_UNBRACED = frozenset(
    ("\\not", "\\mathop", "\\mathrel", "\\mathbin", "\\mathopen", "\\mathclose", "\\mathpunct")
)
_ONE = (ONE_ARGUMENT | ACCENTS | LINES) - _UNBRACED
_OPTIONED = frozenset(("\\sqrt", "\\xrightarrow", "\\xleftarrow", "\\cfrac", "\\smash"))
# Elements of these commands are ordinary atoms: braces around them change nothing.
_ORDINARY_COMMANDS = _FONTS | ACCENTS | LINES | frozenset(("\\frac", "\\dfrac", "\\sqrt"))


@dataclasses.dataclass(frozen=True)
class Group:
    """What stands between two tokens: braces, `\\left` and `\\right`, or an environment's ends."""

    begin: str
    items: "list[Item]"
    end: str


Item = str | Group


def canonicalize(formula: str) -> str:
    """The formula's canonical form, its tokens joined by single spaces.

    Raises:
      NormalizeError: if the formula cannot be read, with the reason.
    """
    normal = normalize(formula).split(" ")
    tokens = [written for token in normal for written in _SYNONYMS.get(token, (token,))]
    if "\\sp" in normal or "\\sb" in normal:
        # They have become scripts, which the normal form orders.
        tokens = normalize(" ".join(tokens)).split(" ")
    begin, end = 0, len(tokens)
    while begin < end and tokens[begin] in _INVISIBLE_FIRST:
        begin += 1
    while begin < end and tokens[end - 1] in _SPACES:
        end -= 1
    if begin == end:
        raise NormalizeError("nothing to draw")
    items, _ = parse(tokens[begin:end], 0)
    return " ".join(flatten(_fold(items)))


def parse(tokens: list[str], position: int) -> tuple[list[Item], int]:
    """Items up to the token that closes the group, and that token's place."""
    items: list[Item] = []
    while position < len(tokens):
        token = tokens[position]
        if _closes(token):
            break
        if _opens(token):
            inner, end = parse(tokens, position + 1)
            items.append(Group(token, inner, tokens[end]))
            position = end
        else:
            items.append(token)
        position += 1
    return items, position


def _opens(token: str) -> bool:
    return token == "{" or token.startswith("\\begin{") or _is_fence(token, "\\left")


def _closes(token: str) -> bool:
    return token == "}" or token.startswith("\\end{") or _is_fence(token, "\\right")


def _is_fence(token: str, word: str) -> bool:
    return token.startswith(word) and token != word and not token[len(word)].isalpha()


def _fold(items: list[Item]) -> list[Item]:
    for number, item in enumerate(items):
        if isinstance(item, str) and item in _SWITCHES:
            rest = items[number + 1 :]
            items = [*items[:number], _SWITCHES[item], Group("{", rest, "}")]
            break
    folded: list[Item] = []
    position = 0
    while position < len(items):
        item = items[position]
        element, position = _element(items, position)
        scripted = position < len(items) and items[position] in ("_", "^")
        if isinstance(item, Group) and _may_lose_braces(item, items, position - 2, scripted):
            inner = element[0]
            assert isinstance(inner, Group)
            element = inner.items if _is_removable(inner.items, scripted) else element
        folded += element
    return folded


def _fold_rows(items: list[Item]) -> list[Item]:
    """Folds the cells of an environment, which keep their braces, and not its columns."""
    return [
        Group(item.begin, _fold(item.items), item.end)
        if isinstance(item, Group) and not _is_column_specification(item)
        else item
        for item in items
    ]


def _is_column_specification(group: Group) -> bool:
    return all(isinstance(item, str) and item in "lcr|" for item in group.items)


def _may_lose_braces(group: Group, items: list[Item], before: int, scripted: bool) -> bool:
    """Whether the group is an atom of its own, not the argument of a command we do not know."""
    if group.begin != "{" or not group.items:
        return False
    previous = items[before] if before >= 0 else ""
    if not isinstance(previous, str):
        return True
    return not (
        previous.startswith("\\") and previous[-1].isalpha() and previous not in _KNOWN_SYMBOLS
    )


def _is_removable(items: list[Item], scripted: bool) -> bool:
    if len(items) == 1 and isinstance(items[0], str):
        return _is_letter(items[0])
    head = items[0]
    if scripted:
        # TeX itself takes the braces away from a single letter in a font.
        font = isinstance(head, str) and head in _FONTS
        return font and len(items) == 2 and _is_letter(items[1])
    if isinstance(head, Group):
        return len(items) == 1 and head.begin == "{"
    if _is_letter(head):
        end = 1
    elif head in _ORDINARY_COMMANDS:
        _, end = _element(items, 0)
    else:
        return False
    return end == len(items) or (items[end] in ("_", "^") and _only_scripts(items[end:]))


def _is_letter(item: Item) -> bool:
    if isinstance(item, Group):
        return len(item.items) == 1 and _is_letter(item.items[0])
    return item.isalnum() or item in _LETTER_COMMANDS


def _only_scripts(items: list[Item]) -> bool:
    return len(items) in (2, 4) and all(mark in ("_", "^") for mark in items[::2])


def _element(items: list[Item], position: int) -> tuple[list[Item], int]:
    """The folded element at `position` without its scripts, and the place behind it."""
    item = items[position]
    position += 1
    if isinstance(item, Group):
        fold = _fold_rows if item.begin.startswith("\\begin{") or "&" in item.items else _fold
        return [Group(item.begin, fold(item.items), item.end)], position
    if item in TEXT_COMMANDS:
        return [item, *items[position : position + 1]], position + 1
    if item in ("--", "---"):
        return ["-"] * len(item), position
    count = 2 if item in _TWO else 1 if item in _ONE or item in ("_", "^") else 0
    folded: list[Item] = [item]
    if count and position < len(items) and items[position] == "*":
        folded = ["\\operatorname*"] if item == "\\operatorname" else [item, "*"]
        position += 1
    if item in _OPTIONED and position < len(items) and items[position] == "[":
        end = items.index("]", position)
        folded += ["[", *_fold(items[position + 1 : end]), "]"]
        position = end + 1
    for _ in range(count):
        if position == len(items):
            break
        argument, position = _element(items, position)
        if item in ACCENTS and _holds_accent(items[position - 1]):
            # Accents over accents are placed by what is braced.
            argument = items[position - 1 : position]
        folded.append(Group("{", _without_braces(argument), "}"))
    if item == "\\ensuremath":
        return _without_braces(folded[1:]), position
    return folded, position


def _holds_accent(item: Item) -> bool:
    if isinstance(item, str):
        return item in ACCENTS
    return any(_holds_accent(inner) for inner in item.items)


def _without_braces(argument: list[Item]) -> list[Item]:
    while len(argument) == 1 and isinstance(argument[0], Group) and argument[0].begin == "{":
        argument = argument[0].items
    return argument


def flatten(items: list[Item]) -> list[str]:
    tokens: list[str] = []
    for item in items:
        if isinstance(item, str):
            tokens.append(item)
        else:
            tokens += [item.begin, *flatten(item.items), item.end]
    return tokens
