r"""Tokens of LaTeX math to a tree.

Both dialects are read: the normal form, whose blanks separate tokens, and LaTeX as people write it,
where a blank inside `\text` is drawn.
"""

import re
from collections.abc import Sequence

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex import commands, normalizer
from im2latex_jax.latex.commands import control_words
from im2latex_jax.latex.lexer import scan
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

MAX_DEPTH = 60

_SIZES = frozenset(
    f"\\{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")
)
ONE_ARGUMENT = (
    normalizer.ONE_ARGUMENT
    | normalizer.ACCENTS
    | normalizer.LINES
    | {"\\Ddot", "\\underbar", "\\underleftarrow", "\\underrightarrow", "\\underleftrightarrow"}
) - {"\\hspace", "\\vspace", "\\not"}
TWO_ARGUMENTS = normalizer.TWO_ARGUMENTS | set(normalizer.FRACTIONS)
_OPTION = frozenset(("\\sqrt", "\\xrightarrow", "\\xleftarrow", "\\cfrac", "\\smash"))
TEXT_COMMANDS = normalizer.TEXT_COMMANDS | {"\\tag"}
_LENGTH_COMMANDS = frozenset(("\\kern", "\\mkern", "\\hskip", "\\mskip"))
_INFIX = {
    "\\over": "\\frac",
    "\\choose": "\\binom",
    "\\atop": "\\genfrac{}{}{0pt}{}",
}
# Environments of rows and cells, and what stands between their beginning and the first row.
TABLES = {
    **dict.fromkeys(("array", "tabular", "subarray"), "columns"),
    "alignedat": "columns",
    **dict.fromkeys(("aligned", "gathered", "split"), ""),
    **dict.fromkeys(("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix"), ""),
    **dict.fromkeys(("smallmatrix", "cases"), ""),
}
_RULES = frozenset(("\\hline", "\\hdashline"))
_ROW_ENDS = frozenset(("\\\\", "\\cr", "\\crcr", "\\tabularnewline"))
_CELL_STOPS = _ROW_ENDS | {"&"}
_END = ""
_DIMENSION = re.compile(r"-?\s*[0-9]*(\.[0-9]*)?(true)?(pt|pc|in|bp|cm|mm|dd|cc|sp|ex|em|mu)")
_CONTROL_WORD = re.compile(r"\\[A-Za-z]+")
_ENDS_IN_WORD = re.compile(r"\\[A-Za-z]+\Z")
# Commands whose arguments are not math, or that change how their surroundings are read.
_UNREADABLE = control_words(
    "raise raisebox lower vcenter vbox vtop parbox makebox framebox shortstack ooalign rule hrule "
    "vrule mathchoice mathpalette mathchar mathaccent char sideset setlength noalign hdotsfor "
    "multispan omit root of bgroup egroup begingroup endgroup matrix pmatrix cases bordermatrix "
    "displaylines halign qopname tmspace textcircled textsubscript textsuperscript above "
    "abovewithdelims atopwithdelims overwithdelims lefteqn skew brace brack arraystretch "
    "renewcommand def H b c d k r t u v leftroot uproot operatornamewithlimits varlimsup "
    "varliminf varinjlim varprojlim centerline clap unskip hss hidewidth buildrel overunderset"
)
_KNOWN = frozenset(f"\\{name}" for name in commands.COMMANDS) | control_words(
    "left right begin end hdashline tag bm cancel mathds mathbbm cline buildrel"
)


class TreeError(Im2latexError):
    """Tokens that do not form a tree; the message says why."""


def parse(formula: str) -> Items:
    """The tree of a formula.

    Raises:
      Im2latexError: if the formula's characters or tokens do not form a tree, or it has commands
        whose arguments are not known to be math.
    """
    tokens, spaced = scan(formula)
    if formula.strip(" ") == " ".join(tokens):
        spaced = []
    for token in tokens:
        for word in _CONTROL_WORD.findall(token):
            if word in _UNREADABLE or word not in _KNOWN:
                raise TreeError(f"the arguments of {word} are not known")
    return _Parser(tokens, frozenset(spaced)).formula()


class _Parser:
    """Each method begins at the first token of what it reads and leaves off behind the last."""

    def __init__(self, tokens: Sequence[str], spaced: frozenset[int]):
        self._tokens = [*tokens, _END]
        self._spaced = spaced
        self._at = 0
        self._depth = 0

    def formula(self) -> Items:
        items = self._items(frozenset())
        if self._token != _END:
            raise TreeError(f"{self._token} out of place")
        return items

    @property
    def _token(self) -> str:
        return self._tokens[self._at]

    def _take(self, expected: str | None = None) -> str:
        token = self._token
        if token == _END or (expected is not None and token != expected):
            raise TreeError(f"{expected or 'an argument'} is missing")
        self._at += 1
        return token

    def _items(self, stops: frozenset[str]) -> Items:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TreeError(f"nested more than {MAX_DEPTH} deep")
        items: list[Node] = []
        infix: tuple[str, list[Node]] | None = None
        while True:
            token = self._token
            if token in (_END, "}", "&") or token in stops or _closes(token):
                break
            if token in _ROW_ENDS:
                raise TreeError(f"{token} outside an environment")
            if token in _INFIX:
                if infix is not None:
                    raise TreeError(f"two of {', '.join(_INFIX)} in one group")
                self._at += 1
                infix, items = (_INFIX[token], items), []
            else:
                items += self._element(stops)
        self._depth -= 1
        if infix is not None:
            name, numerator = infix
            return (Command(name, (tuple(numerator), tuple(items))),)
        return tuple(items)

    def _element(self, stops: frozenset[str] = frozenset()) -> list[Node]:
        """A nucleus with its scripts; nothing for what draws nothing and takes an argument."""
        nucleus: Node | None = None
        if self._token not in ("_", "^", "\\sb", "\\sp", "'"):
            nucleus = self._nucleus()
            if nucleus is None:
                return []
        sub = sup = None
        limits = ""
        while True:
            token = self._token
            if token in ("_", "\\sb"):
                if sub is not None:
                    raise TreeError("double subscript")
                self._at += 1
                sub = self._argument()
            elif token in ("^", "\\sp"):
                if sup is not None:
                    raise TreeError("double superscript")
                self._at += 1
                sup = self._argument()
            elif token == "'":
                if sup is not None:
                    raise TreeError("double superscript")
                sup = self._primes()
            elif token in ("\\limits", "\\nolimits") and nucleus is not None:
                self._at += 1
                limits = token
            else:
                break
        if sub is None and sup is None:
            if nucleus is None:
                raise TreeError("a script is missing")
            return [nucleus if not limits else Scripts(nucleus, limits=limits)]
        return [Scripts(nucleus, sub, sup, limits)]

    def _primes(self) -> Items:
        primes: list[Node] = []
        while self._token == "'":
            self._at += 1
            primes.append(Token("\\prime"))
        if self._token in ("^", "\\sp"):
            self._at += 1
            primes += self._argument()
        return tuple(primes)

    def _argument(self) -> Items:
        """A group without its braces, or one bare element."""
        if self._token == "{":
            return self._group()
        if self._token in (_END, "}", "&", "_", "^", "'") or self._token in _ROW_ENDS:
            raise TreeError("an argument is missing")
        if self._token in ("--", "---"):
            self._tokens[self._at] = self._token[1:]
            return (Token("-"),)
        nucleus = self._nucleus()
        return () if nucleus is None else (nucleus,)

    def _group(self) -> Items:
        self._take("{")
        items = self._items(frozenset())
        self._take("}")
        return items

    def _raw_group(self) -> str:
        """A group's tokens as they are, joined."""
        if self._token != "{":
            return self._take()
        depth = 0
        parts: list[str] = []
        while True:
            token = self._take()
            depth += (token == "{") - (token == "}")
            if depth == 0:
                return "".join(parts[1:])
            parts.append(token)

    def _nucleus(self) -> Node | None:
        token = self._token
        if token == "{":
            return Group(self._group())
        self._at += 1
        if token.startswith("\\left") and _is_fence(token, "\\left"):
            return self._fence(token)
        if token.startswith("\\begin{"):
            return self._table(token[len("\\begin{") : -1])
        if token in ("--", "---"):
            # The lexer's run of hyphens is several minus signs in math.
            self._at -= 1
            self._tokens[self._at : self._at + 1] = ["-"] * len(token)
            self._spaced = frozenset(
                n + len(token) - 1 if n > self._at else n for n in self._spaced
            )
            self._at += 1
            return Token("-")
        if token in _SIZES:
            delimiter = self._take()
            if delimiter in ("{", "}", "&"):
                raise TreeError(f"{token} without a delimiter")
            return Token(token + delimiter)
        if token in TEXT_COMMANDS:
            return self._text(token)
        if token in ("\\eqno", "\\leqno"):
            return self._equation_number()
        if token == "\\label":
            self._raw_group()
            return None
        if token in ("\\hspace", "\\vspace"):
            star = self._accept("*")
            return Length(token + star, self._raw_group().replace(" ", ""))
        if token in _LENGTH_COMMANDS:
            return Length(token, self._dimension())
        if token == "\\not":
            return self._negation()
        if token == "\\substack":
            self._take("{")
            rows, rules = self._rows("}", amsmath=True)
            self._take("}")
            return Table(token, None, rows, rules=rules)
        if token == "\\multicolumn":
            name = f"{token}{{{self._raw_group()}}}{{{self._raw_group()}}}"
            return Command(name, (self._argument(),))
        if token == "\\genfrac":
            name = token + "".join(f"{{{self._raw_group()}}}" for _ in range(4))
            return Command(name, (self._argument(), self._argument()))
        count = 1 if token in ONE_ARGUMENT else 2 if token in TWO_ARGUMENTS else 0
        if not count:
            return Token(token)
        if token == "\\operatorname":
            token += self._accept("*")
        option = None
        if token in _OPTION and self._token == "[":
            self._at += 1
            option = self._items(frozenset("]"))
            self._take("]")
        return Command(token, tuple(self._argument() for _ in range(count)), option)

    def _negation(self) -> Node:
        """`\\not` with what it strikes out: a bare symbol or command, or a group."""
        following = self._token
        if following == "{":
            return Command("\\not", ((Group(self._group()),),))
        if following in _NEGATED or (len(following) == 1 and following not in "}&^_~\\"):
            self._at += 1
            return Command("\\not", ((Token(following),),))
        if following in ONE_ARGUMENT:
            return Command("\\not", (self._argument(),))
        return Token("\\not")

    def _accept(self, token: str) -> str:
        if self._token != token:
            return ""
        self._at += 1
        return token

    def _dimension(self) -> str:
        text = ""
        end = self._at
        while end < len(self._tokens) and len(self._tokens[end]) == 1:
            text += self._tokens[end]
            end += 1
            if _DIMENSION.fullmatch(text):
                self._at = end
                return text
        raise TreeError("a length is missing")

    def _equation_number(self) -> Node:
        parts = []
        while self._token not in (_END, "}", "&"):
            parts.append(self._take())
        number = join_text(parts)
        if number.startswith("{") and number.endswith("}"):
            number = number[1:-1]
        if number.startswith("(") and number.endswith(")"):
            return Text("\\tag", number[1:-1])
        return Text("\\tag*", number)

    def _fence(self, token: str) -> Node:
        items = self._items(frozenset())
        right = self._take()
        if not _is_fence(right, "\\right"):
            raise TreeError(f"{token} without \\right")
        return Fence(token[len("\\left") :], items, right[len("\\right") :])

    def _table(self, name: str) -> Node:
        if name not in TABLES:
            raise TreeError(f"the environment {name} is not known")
        placement = ""
        if self._token == "[" and self._tokens[self._at + 2 : self._at + 3] == ["]"]:
            placement = self._tokens[self._at + 1]
            self._at += 3
        columns = self._raw_group() if TABLES[name] else None
        amsmath = name in ("aligned", "alignedat", "gathered", "split")
        rows, rules = self._rows(f"\\end{{{name}}}", amsmath)
        self._take(f"\\end{{{name}}}")
        return Table(name, columns, rows, placement, rules)

    def _rows(self, end: str, amsmath: bool) -> tuple[tuple[Row, ...], tuple[str, ...]]:
        rows: list[Row] = []
        while True:
            rules = []
            while self._token in _RULES or self._token == "\\cline":
                rule = self._take()
                rules.append(rule if rule in _RULES else f"{rule}{{{self._raw_group()}}}")
            start = self._at
            cells = [self._items(_CELL_STOPS)]
            while self._token == "&":
                self._at += 1
                cells.append(self._items(_CELL_STOPS))
            if self._token not in _ROW_ENDS:
                if self._token != end:
                    raise TreeError(f"{end} is missing")
                if self._at == start:
                    return tuple(rows), tuple(rules)
                return (*rows, Row(tuple(cells), tuple(rules))), ()
            self._at += 1
            rows.append(Row(tuple(cells), tuple(rules), self._row_space(amsmath)))

    def _row_space(self, amsmath: bool) -> str:
        r"""The length of `\\[2pt]`; amsmath's environments look for it only right behind `\\`."""
        self._accept("*")
        start = self._at
        if self._token != "[" or (amsmath and start in self._spaced):
            return ""
        end = start + 1
        while len(self._tokens[end]) == 1 and self._tokens[end] != "]":
            end += 1
        text = "".join(self._tokens[start + 1 : end])
        if self._tokens[end] != "]" or not _DIMENSION.fullmatch(text):
            return ""
        self._at = end + 1
        return text

    def _text(self, name: str) -> Node:
        if name == "\\tag":
            name += self._accept("*")
        if self._token != "{":
            return Text(name, self._take())
        depth = 0
        parts: list[str] = []
        while True:
            if depth and self._at in self._spaced and not (parts and _swallows(parts[-1])):
                parts.append(" ")
            token = self._take()
            depth += (token == "{") - (token == "}")
            if depth == 0:
                return Text(name, join_text(parts[1:]))
            parts.append(token)


_NEGATED = frozenset(f"\\{name}" for name in commands.SYMBOLS | commands.GREEK)


def _closes(token: str) -> bool:
    return token.startswith("\\end{") or _is_fence(token, "\\right")


def _is_fence(token: str, word: str) -> bool:
    rest = token.removeprefix(word)
    return rest not in ("", token) and not rest[0].isalpha()


def _swallows(token: str) -> bool:
    """Whether TeX drops a blank behind this token of text."""
    return token == " " or (token[0] == "\\" and token[-1].isalpha())


def join_text(parts: Sequence[str]) -> str:
    """Tokens of TeX's text mode side by side, where a blank is a token of its own."""
    pieces: list[str] = []
    for part in parts:
        if pieces and part[0].isascii() and part[0].isalpha() and _ENDS_IN_WORD.search(pieces[-1]):
            pieces.append(" ")
        pieces.append("\\ " if part == "\\" else part)
    return "".join(pieces)
