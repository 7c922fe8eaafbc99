r"""One spelling for what looks alike: training targets out of anybody's LaTeX.

A network cannot see whether an author wrote `\mathcal{L}` or `{\cal L}`, `\left(x\right)` or `(x)`.
Targets that differ where images do not cost accuracy. `respell` folds more than the canonical form,
which only folds what draws the same image exactly: training images are drawn from the respelled
formula, so a formula may also change a little on the way (a row's extra space, the kind of a blank,
invisible boxes), as long as it means the same. Where there is a choice, the spelling is the one
that prevails in im2latex-100k (`{ \cal L }`, `{ \bf x }`, `\leq`, `\rightarrow`), so that its own
formulas need no other. Layout by hand (`\kern`, `\raise`, `\rule`, ...) is refused.
"""

import re
from collections.abc import Sequence
from typing import TypeVar

from im2latex_jax.latex import commands
from im2latex_jax.latex.canonical import Group, Item, canonicalize, flatten, parse
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

_T = TypeVar("_T", str, Item)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DROPPED = _words(
    r"\displaystyle \textstyle \scriptstyle \scriptscriptstyle \tiny \scriptsize \footnotesize "
    r"\small \normalsize \large \Large \LARGE \huge \Huge \nobreak \allowdisplaybreaks \protect "
    r"\centering \nonumber \notag \relax \/ \- \strut \mathstrut \null \unboldmath \boldmath "
    r"\normalfont \rm \mit \displaylimits \middle \leavevmode \mathsurround \noindent \upshape "
    r"\hfill \hfil \hss \normalcolor \!"
)
_DROPPED_WITH_ARGUMENT = _words(r"\phantom \hphantom \vphantom \label \vspace")
_UNWRAPPED = _words(
    r"\smash \mathord \mathrel \mathbin \mathopen \mathclose \mathinner \mathpunct \mathnormal "
    r"\ensuremath \textnormal"
)
_REFUSED = _words(
    r"\kern \mkern \mskip \hskip \raise \raisebox \lower \rule \vrule \hrule \vcenter \vbox \vtop "
    r"\rlap \llap \clap \lefteqn \mathchoice \mathpalette \mathchar \mathaccent \char \genfrac "
    r"\multicolumn \special \skew \joinrel \relbar \eqno \leqno \sideset \atop \brack \brace "
    r"\above \buildrel \makebox \framebox \fbox \parbox \shortstack \begingroup \endgroup \cr "
    r"\qopname \setlength \arraycolsep \intertext \tag \hdotsfor \bordermatrix \textcircled "
    r"\verb \ooalign \cline \underbar \nulldelimiterspace \thinmuskip \medmuskip \mspace $"
)
_RENAMED = {
    r"\bm": [r"\boldsymbol"],
    r"\pmb": [r"\boldsymbol"],
    r"\mathds": [r"\mathbb"],
    r"\mathbbm": [r"\mathbb"],
    r"\dots": [r"\ldots"],
    r"\dotsc": [r"\ldots"],
    r"\dotso": [r"\ldots"],
    r"\hdots": [r"\ldots"],
    r"\mathellipsis": [r"\ldots"],
    r"\dotsb": [r"\cdots"],
    r"\dotsm": [r"\cdots"],
    r"\dotsi": [r"\cdots"],
    r"\lvert": ["|"],
    r"\rvert": ["|"],
    r"\lVert": [r"\|"],
    r"\rVert": [r"\|"],
    r"\iff": [r"\Longleftrightarrow"],
    r"\implies": [r"\Longrightarrow"],
    r"\impliedby": [r"\Longleftarrow"],
    r"\colon": [":"],
    r"\slash": ["/"],
    r"\thickapprox": [r"\approx"],
    r"\thicksim": [r"\sim"],
    r"\square": [r"\Box"],
    r"\hslash": [r"\hbar"],
    r"\restriction": [r"\upharpoonright"],
    r"\doublecap": [r"\Cap"],
    r"\doublecup": [r"\Cup"],
    r"\gggtr": [r"\ggg"],
    r"\llless": [r"\lll"],
    r"\dotsi ": [r"\cdots"],
    r"\dasharrow": [r"\dashrightarrow"],
    r"\leadsto": [r"\rightsquigarrow"],
    r"\gneq": [r"\gneqq"],
    r"\lneq": [r"\lneqq"],
    r"\vartriangle": [r"\triangle"],
    r"\lhd": [r"\triangleleft"],
    r"\rhd": [r"\triangleright"],
    r"\vartriangleleft": [r"\triangleleft"],
    r"\vartriangleright": [r"\triangleright"],
    r"\unlhd": [r"\trianglelefteq"],
    r"\unrhd": [r"\trianglerighteq"],
    r"\smallsetminus": [r"\setminus"],
    r"\varpropto": [r"\propto"],
    r"\mathdollar": [r"\$"],
    r"\lq": ["`"],
    r"\rq": [r"'"],
    r"\intop": [r"\int"],
    r"\ointop": [r"\oint"],
    r"\operatornamewithlimits": [r"\operatorname*"],
    **{rf"\{name.capitalize()}": [rf"\{name}"] for name in ("acute", "bar", "breve", "check")},
    **{rf"\{name.capitalize()}": [rf"\{name}"] for name in ("dot", "grave", "hat", "tilde", "vec")},
    **{f"\\{size}{side}": [f"\\{size}"] for size in _words("big Big bigg Bigg") for side in "lrm"},
    r"\textrm": [r"\mathrm"],
    r"\textup": [r"\mathrm"],
    r"\textmd": [r"\mathrm"],
    r"\textbf": [r"\mathbf"],
    r"\textit": [r"\mathit"],
    r"\textsl": [r"\mathit"],
    r"\emph": [r"\mathit"],
    r"\textsf": [r"\mathsf"],
    r"\texttt": [r"\mathtt"],
    r"\mbox": [r"\text"],
    r"\hbox": [r"\text"],
}  # fmt: skip
_RENAMED_FENCES = {
    r"\lvert": "|", r"\rvert": "|", r"\lVert": r"\|", r"\rVert": r"\|", r"\vert": "|",
    r"\Vert": r"\|", r"\arrowvert": "|", r"\Arrowvert": r"\|",
}  # fmt: skip
_NEGATED = {"=": r"\neq", r"\in": r"\notin", r"\exists": r"\nexists"}
# Widths in math units; a quad has 18. The spaces written are those of `_SPACES_WRITTEN`.
_SPACES = {
    r"\,": 3, r"\:": 4, r"\;": 5, "~": 6, "\\": 6, r"\space": 6, r"\enspace": 9, r"\enskip": 9,
    r"\quad": 18, r"\qquad": 36, r"\thinspace": 3, r"\medspace": 4, r"\thickspace": 5,
    r"\!": -3, r"\negthinspace": -3, r"\negmedspace": -4, r"\negthickspace": -5,
}  # fmt: skip
_SPACES_WRITTEN = {3: r"\,", 5: r"\;", 6: "~", 18: r"\quad", 36: r"\qquad"}
_UNITS = {"em": 18, "ex": 7.8, "pt": 1.8, "cm": 51, "mm": 5.1, "in": 130, "mu": 1, "pc": 21.6}
_LENGTH = re.compile(r"(-?\d*\.?\d+)(em|ex|pt|cm|mm|in|mu|pc)(?:plus.*|minus.*)?")

_FUNCTIONS = _words(
    "arccos arcsin arctan arg cos cosh cot coth csc deg dim exp hom ker lg ln log sec sin sinh tan "
    "tanh"
)
_LIMIT_FUNCTIONS = _words("det gcd inf lim liminf limsup max min Pr sup")
_OLD_FONTS = {r"\mathbf": r"\bf", r"\mathcal": r"\cal"}
_ONE = ONE_ARGUMENT | ACCENTS | LINES | TEXT_COMMANDS
_TWO = TWO_ARGUMENTS | frozenset(FRACTIONS.values())
_SYMBOLS = frozenset(
    f"\\{name}" for name in (commands.GREEK | commands.SYMBOLS) - {"mathstrut", "r", "t", "u"}
)
_RELATIONS = _words(
    r"= < > \leq \geq \sim \simeq \approx \equiv \rightarrow \leftarrow \leftrightarrow "
    r"\longrightarrow \longleftarrow \Rightarrow \Longrightarrow \Leftrightarrow \longmapsto "
    r"\hookrightarrow \mapsto \Longleftrightarrow \longleftrightarrow"
)
_LOW = re.compile(r"[A-Za-z0-9+\-*/=<>,.;:!~]")
_LOW_COMMANDS = frozenset(f"\\{name}" for name in commands.GREEK) | _words(
    r"\cdot \times \pm \mp \circ \ldots \cdots \infty \partial \ell \hbar \bf \cal \, \; \in \leq "
    r"\geq \neq \rightarrow \mapsto \to \wedge \vee \mid \nabla \bullet \otimes \oplus"
)
_MAX_MATRIX_COLUMNS = 10
_MAX_PASSES = 5


def respell(formula: str) -> str:
    """The formula in the spelling of the training targets, tokens joined by single spaces.

    The result is in the normal form (`normalize` leaves it as it is) and has its own canonical
    form as often as not: compare respelled formulas with respelled ones.

    Raises:
      NormalizeError: the formula cannot be read, or holds layout by hand.
    """
    respelled = formula
    for _ in range(_MAX_PASSES):  # what a fold leaves may fold again
        previous, canonical = respelled, canonicalize(respelled)
        items, _ = parse(canonical.split(" "), 0)
        respelled = " ".join(_strip_spaces(_join_spaces(flatten(_respell(items)))))
        if not respelled:
            raise NormalizeError("nothing to draw")
        if respelled in (previous, canonical):
            break
    return normalize(respelled)


def _respell(items: list[Item]) -> list[Item]:
    written: list[Item] = []
    position = 0
    while position < len(items):
        item = items[position]
        position += 1
        if isinstance(item, Group):
            scripted = position < len(items) and items[position] in ("_", "^")
            written += _group(item, scripted, written, items[position : position + 1])
            continue
        for token in _RENAMED.get(item, [item]):
            if token in _REFUSED:
                raise NormalizeError(f"{token}: layout by hand")
            position = _token(token, items, position, written)
    return written


def _token(token: str, items: list[Item], position: int, written: list[Item]) -> int:
    """Writes a token with its arguments; returns the position behind them."""
    following = items[position] if position < len(items) else None
    if token in _DROPPED:
        return position
    if token in _DROPPED_WITH_ARGUMENT:
        return position + isinstance(following, Group)
    if token in ("\\hspace", "\\hspace*"):
        if not isinstance(following, Group):
            raise NormalizeError("\\hspace: layout by hand")
        written += _width(following)
        return position + 1
    if token == "\\not" and isinstance(following, str) and following in _NEGATED:
        written.append(_NEGATED[following])
        return position + 1
    if token == "\\not" and isinstance(following, Group) and len(following.items) == 1:
        relation = following.items[0]
        negated = _NEGATED.get(relation) if isinstance(relation, str) else None
        written += [negated] if negated else ["\\not", relation]
        return position + 1
    if token in ("\\limits", "\\nolimits") and _ends_with_name(written):
        return position
    if token in _UNWRAPPED and isinstance(following, Group):
        return position  # the group is an atom by itself
    if token == "\\mathop" and isinstance(following, Group):
        written += _operator(following)
        return position + 1
    written.append(token)
    if token == "\\\\" and following == "[":
        return _bracket_end(items, position) + 1  # a row's extra space
    if token in _SYMBOLS or not _takes_arguments(token):
        return position
    if following == "[" and token in ("\\sqrt", "\\xrightarrow", "\\xleftarrow", "\\cfrac"):
        end = _bracket_end(items, position)
        if token != "\\cfrac":
            written += ["[", *_respell(items[position + 1 : end]), "]"]
        position = end + 1
    wanted = 2 if token in _TWO else 1
    arguments: list[Group] = []
    while len(arguments) < wanted and position < len(items):
        argument = items[position]
        if not isinstance(argument, Group) or argument.begin != "{":
            break
        inner_items = (
            _text(argument.items)
            if token == "\\text" or token in TEXT_COMMANDS
            else _unbraced(_respell(argument.items))
        )
        arguments.append(Group("{", inner_items, "}"))
        position += 1
    _write_command(token, arguments, written)
    return position


def _bracket_end(items: list[Item], position: int) -> int:
    if "]" not in items[position:]:
        raise NormalizeError("[ without ]")
    return items.index("]", position)


def _takes_arguments(token: str) -> bool:
    return token in ("_", "^") or token in _ONE or token in _TWO or (
        token[0] == "\\" and token[-1].isalpha() and token not in _SPACES
    )  # fmt: skip


def _write_command(token: str, arguments: list[Group], written: list[Item]) -> None:
    """Completes `token`, the last one written, by its arguments, or replaces it."""
    if not arguments:
        return
    inner = arguments[0].items
    if token == "\\text":
        if _is_plain_text(inner):
            written[-1], token = "\\mathrm", "\\mathrm"
            inner = ["~" if item == "\\space" else item for item in inner]
            arguments = [Group("{", inner, "}")]
        if not inner:
            written.pop()
            return
    name = "".join(item for item in inner if isinstance(item, str))
    if token in ("\\mathrm", "\\operatorname", "\\operatorname*"):
        if name in _FUNCTIONS and len(name) == len(inner):
            written[-1] = "\\operatorname"
        elif name in _LIMIT_FUNCTIONS and len(name) == len(inner):
            written[-1] = "\\operatorname*"
        elif token == "\\mathrm" and name.isdigit() and len(name) == len(inner):
            written.pop()
            written += inner
            return
    elif token == "\\mathit" and len(inner) == 1 and isinstance(inner[0], str):
        written[-1] = inner[0]
        return
    elif token in _OLD_FONTS:
        written[-1] = Group("{", [_OLD_FONTS[token], *inner], "}")
        return
    elif token in ("\\overset", "\\stackrel") and len(arguments) == 2:
        base = arguments[1].items
        relation = len(base) == 1 and isinstance(base[0], str) and base[0] in _RELATIONS
        written[-1] = "\\stackrel" if relation else "\\overset"
    written += arguments


def _unbraced(items: list[Item]) -> list[Item]:
    """An argument without braces around all of it."""
    while len(items) == 1 and isinstance(items[0], Group) and items[0].begin == "{":
        items = items[0].items
    return items


def _group(group: Group, scripted: bool, before: list[Item], after: list[Item]) -> list[Item]:
    """A group that is no command's argument."""
    if group.begin.startswith("\\begin{"):
        return [_environment(group)]
    if group.begin.startswith("\\left"):
        return _fenced(group, before)
    inner = _respell(group.items)
    if not inner:
        return [Group("{", [], "}")] if scripted else []
    if inner == [","]:
        digits = before and after and _is_digit(before[-1]) and _is_digit(after[0])
        return [Group("{", inner, "}")] if digits else inner
    first = inner[0]
    if scripted and len(inner) > 1:
        return [Group("{", inner, "}")]
    if isinstance(first, str) and first in (
        "\\bf",
        "\\cal",
        "\\it",
        "\\sf",
        "\\tt",
        "\\sc",
        "\\sl",
    ):
        return [Group("{", inner, "}")]
    return inner


def _is_digit(item: Item) -> bool:
    return isinstance(item, str) and item.isdigit()


def _fenced(group: Group, before: list[Item]) -> list[Item]:
    begin, end = _fence(group.begin, "\\left"), _fence(group.end, "\\right")
    inner = _respell(group.items)
    if begin == "\\left\\{" and end == "\\right." and len(inner) == 1:
        environment = inner[0]
        if isinstance(environment, Group) and _is_list_of_cases(environment):
            rows = environment.items[1:]
            return [Group("\\begin{cases}", rows, "\\end{cases}")]
    left, right = begin.removeprefix("\\left"), end.removeprefix("\\right")
    if left != "." and right != "." and _is_low(inner):
        return [left, *inner, right]
    return [Group(begin, inner, end)]


def _fence(token: str, word: str) -> str:
    delimiter = token.removeprefix(word)
    return word + _RENAMED_FENCES.get(delimiter, delimiter)


def _is_low(items: list[Item]) -> bool:
    """Whether a growing delimiter around these is no larger than a plain one."""
    for number, item in enumerate(items):
        if isinstance(item, Group):
            subscript = number and items[number - 1] == "_"
            font = item.begin == "{" and item.items and item.items[0] in ("\\bf", "\\cal")
            if not (subscript or font) or not _is_low(item.items):
                return False
        elif item != "_" and not (_LOW.fullmatch(item) or item in _LOW_COMMANDS):
            return False
    return "_" not in [item for group in items if isinstance(group, Group) for item in group.items]


def _is_list_of_cases(environment: Group) -> bool:
    if environment.begin != "\\begin{array}" or not environment.items:
        return False
    columns = environment.items[0]
    return isinstance(columns, Group) and len(columns.items) in (1, 2) and columns.items[0] != "c"


def _environment(group: Group) -> Group:
    name = group.begin.removeprefix("\\begin{").removesuffix("}")
    if name not in ("array", "matrix", "smallmatrix", "cases", "aligned", "gathered"):
        raise NormalizeError(f"{name}: an environment that is not written")
    name = "matrix" if name == "smallmatrix" else name
    items = list(group.items)
    columns: list[Item] = []
    if name == "array":
        specification = items.pop(0) if items else None
        if not isinstance(specification, Group):
            raise NormalizeError("array without columns")
        letters = [item for item in specification.items if not _is_space(item)]
        if any(item not in ("l", "c", "r", "|") for item in letters):
            raise NormalizeError("array: columns with layout by hand")
        if set(letters) == {"c"} and len(letters) <= _MAX_MATRIX_COLUMNS:
            name = "matrix"
        else:
            columns = [Group("{", letters, "}")]
    rows = _rows(items, relations=name == "aligned")
    return Group(f"\\begin{{{name}}}", [*columns, *rows], f"\\end{{{name}}}")


def _rows(items: list[Item], *, relations: bool) -> list[Item]:
    written: list[Item] = []
    position = 0
    while position < len(items):
        item = items[position]
        position += 1
        if isinstance(item, Group) and item.begin == "{":
            inner = item.items
            empty = inner[:1] == [Group("{", [], "}")] and relations
            cell = _strip_spaces(_unbraced(_respell(inner[1:] if empty else inner)))
            written.append(Group("{", [*inner[:1], *cell] if empty else cell, "}"))
        elif isinstance(item, str) and item in ("&", "\\\\", "\\hline"):
            written.append(item)
            if item == "\\\\" and items[position : position + 1] == ["["]:
                position = _bracket_end(items, position) + 1
        else:
            raise NormalizeError(f"{item if isinstance(item, str) else item.begin} between cells")
    return written


def _strip_spaces(items: Sequence[_T]) -> list[_T]:
    """Without spaces where a cell or a formula begins and ends."""
    begin, end = 0, len(items)
    while begin < end and _is_space(items[begin]):
        begin += 1
    while begin < end and _is_space(items[end - 1]):
        end -= 1
    return list(items[begin:end])


def _is_space(item: object) -> bool:
    return isinstance(item, str) and item in _SPACES


def _operator(group: Group) -> list[Item]:
    inner = _unbraced(_respell(group.items))
    if len(inner) == 2 and inner[0] in ("\\mathrm", "\\operatorname", "\\operatorname*"):
        return ["\\operatorname*", inner[1]]
    return inner if len(inner) == 1 else [Group("{", inner, "}")]


def _ends_with_name(written: list[Item]) -> bool:
    return len(written) > 1 and written[-2] in ("\\operatorname", "\\operatorname*")


def _text(items: list[Item]) -> list[Item]:
    """The content of a text command; math in it is not read."""
    written: list[Item] = []
    for item in items:
        if isinstance(item, Group):
            written += _text(item.items)
        elif item in ("$", "\\(") or item in _REFUSED:
            raise NormalizeError("math in text")
        elif item not in _DROPPED and item not in TEXT_COMMANDS:
            written.append(item)
    return written


def _is_plain_text(items: list[Item]) -> bool:
    return all(
        isinstance(item, str) and (item.isalnum() or item in "~.()[]!?:@" or item == "\\space")
        for item in items
    )


def _width(group: Group) -> list[Item]:
    """The space that comes nearest to an explicit width."""
    length = _LENGTH.fullmatch("".join(flatten(group.items)))
    if not length:
        raise NormalizeError("\\hspace of a width that cannot be read")
    return list(_space(float(length[1]) * _UNITS[length[2]]))


def _space(width: float) -> list[str]:
    if width < 1.5:
        return []
    return [_SPACES_WRITTEN[min(_SPACES_WRITTEN, key=lambda known: abs(known - width))]]


def _join_spaces(tokens: list[str]) -> list[str]:
    """Runs of spaces become one."""
    written: list[str] = []
    run = 0.0
    for token in tokens:
        if token in _SPACES:
            run += _SPACES[token]
            continue
        written += _space(run)
        run = 0.0
        written.append(token)
    return written
