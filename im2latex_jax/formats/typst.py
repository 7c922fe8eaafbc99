r"""Typst's math from a tree of LaTeX math.

Common symbols are written by their names in Typst, all others as Unicode characters, which Typst
takes as well; latex2mathml knows which.
"""

import re
from collections.abc import Callable, Iterable

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex import parsing
from im2latex_jax.latex.tree import (
    Command,
    Fence,
    Group,
    Items,
    Length,
    Node,
    Scripts,
    Table,
    Text,
    Token,
)

_SAME = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "zeta", "eta", "theta", "iota", "kappa", "lambda"),
        *("mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "chi", "psi", "omega"),
        *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi"),
        *("Omega", "partial", "nabla", "ell", "sum", "in", "times", "equiv", "approx", "subset"),
        *("arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "csc", "deg", "det"),
        *("dim", "exp", "gcd", "hom", "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log"),
        *("max", "min", "Pr", "sec", "sin", "sinh", "sup", "tan", "tanh", "quad"),
    )
)
_NAMES = {
    "epsilon": "epsilon.alt",
    "varepsilon": "epsilon",
    "phi": "phi.alt",
    "varphi": "phi",
    "vartheta": "theta.alt",
    "varrho": "rho.alt",
    "varsigma": "sigma.alt",
    "varpi": "pi.alt",
    "varkappa": "kappa.alt",
    "infty": "infinity",
    "prod": "product",
    "int": "integral",
    "cdot": "dot",
    "leq": "<=",
    "le": "<=",
    "geq": ">=",
    "ge": ">=",
    "neq": "!=",
    "ne": "!=",
    "to": "->",
    "rightarrow": "->",
    "Rightarrow": "=>",
    "pm": "plus.minus",
    "mp": "minus.plus",
    "ldots": "...",
    "dots": "...",
    "cdots": "dots.c",
    "vdots": "dots.v",
    "ddots": "dots.down",
    "prime": "prime",
    "qquad": "wide",
    "bmod": "mod",
    "mid": "|",
}
_TOKENS = {
    "\\,": "thin",
    "\\:": "med",
    "\\;": "thick",
    "\\!": "#h(-0.1667em)",
    "\\": "space",
    "~": "space.nobreak",
    "\\{": "{",
    "\\}": "}",
    "\\|": "‖",
    "/": "\\/",
    "\\%": "%",
    "\\$": "\\$",
    "\\#": "\\#",
    "\\&": "\\&",
    "\\_": "\\_",
    "@": "\\@",
    '"': '"\\""',
    "`": '"‘"',  # noqa: RUF001
}
_STYLES = {
    "\\displaystyle": "display",
    "\\textstyle": "inline",
    "\\scriptstyle": "script",
    "\\scriptscriptstyle": "sscript",
}
_CALLS = {
    "\\hat": "hat",
    "\\widehat": "hat",
    "\\tilde": "tilde",
    "\\widetilde": "tilde",
    "\\bar": "macron",
    "\\vec": "arrow",
    "\\overrightarrow": "arrow",
    "\\overleftarrow": "arrow.l",
    "\\dot": "dot",
    "\\ddot": "dot.double",
    "\\dddot": "dot.triple",
    "\\acute": "acute",
    "\\grave": "grave",
    "\\breve": "breve",
    "\\check": "caron",
    "\\mathring": "circle",
    "\\overline": "overline",
    "\\underline": "underline",
    "\\overbrace": "overbrace",
    "\\underbrace": "underbrace",
    "\\sqrt": "sqrt",
    "\\frac": "frac",
    "\\binom": "binom",
    "\\mathrm": "upright",
    "\\mathcal": "cal",
    "\\mathscr": "scr",
    "\\mathfrak": "frak",
    "\\mathbb": "bb",
    "\\mathsf": "sans",
    "\\mathtt": "mono",
    "\\mathit": "italic",
    "\\boldsymbol": "bold",
    "\\bm": "bold",
    "\\pmb": "bold",
    "\\not": "cancel",
    "\\cancel": "cancel",
}
_WRAPPED = {
    "\\mathbf": "upright(bold({}))",
    "\\dfrac": "display(frac({}, {}))",
    "\\tfrac": "inline(frac({}, {}))",
    "\\dbinom": "display(binom({}, {}))",
    "\\tbinom": "inline(binom({}, {}))",
    "\\overset": "attach({1}, t: {0})",
    "\\stackrel": "attach(limits({1}), t: {0})",
    "\\underset": "attach({1}, b: {0})",
    "\\xrightarrow": "attach(limits(stretch(->, size: #200%)), t: {})",
    "\\xleftarrow": "attach(limits(stretch(<-, size: #200%)), t: {})",
    "\\boxed": "#box(stroke: 0.5pt, inset: 3pt, baseline: 3pt)[$ {} $]",
    "\\phantom": "#hide[$ {} $]",
    "\\pmod": "(mod {})",
    "\\pod": "({})",
    "\\mod": "mod {}",
    "\\mathop": "limits({})",
    "\\mathrel": 'class("relation", {})',
    "\\mathbin": 'class("binary", {})',
    "\\mathopen": 'class("opening", {})',
    "\\mathclose": 'class("closing", {})',
    "\\mathpunct": 'class("punctuation", {})',
    "\\mathord": 'class("normal", {})',
}
_ACCENTED = ("arrow.l", "circle", "dot.triple")
_OPEN, _CLOSE = "([{⟨⌊⌈", ")]}⟩⌋⌉"
_DELIMITERS = {
    "(": "paren.l",
    ")": "paren.r",
    "[": "bracket.l",
    "]": "bracket.r",
    "\\{": "brace.l",
    "\\}": "brace.r",
    ".": "",
}
_PLAIN_PAIRS = {("(", ")"): "()", ("[", "]"): "[]", ("\\{", "\\}"): "{}"}
# No blank stands before these.
_TIGHT = (*_CLOSE, ",", ";")
_CHARACTER_PAIRS = (("⟨", "⟩"), ("⌊", "⌋"), ("⌈", "⌉"))
_MATRICES = {
    "pmatrix": '"("',
    "bmatrix": '"["',
    "Bmatrix": '"{"',
    "vmatrix": '"|"',
    "Vmatrix": '"||"',
}
_BIG = re.compile(r"\\(?:big|Big)(g?)[lrm]?([^a-z].*)")
_BARE = re.compile(r"[A-Za-z0-9.]+|[^\x00-\x7f]")
_NUMBER = re.compile(r"[0-9]+\.?[0-9]*")
_MATH_IN_TEXT = re.compile(r"\$([^$]*)\$")


class TypstError(Im2latexError):
    """A formula has something that is not known how to write in Typst."""


def typst(latex: str) -> str:
    """A formula in Typst's math, without its dollar signs.

    Raises:
      Im2latexError: the formula cannot be taken apart, or has a command that Typst lacks.
    """
    return _list(parsing.parse(latex))


def _list(items: Items, *, escaped: bool = False) -> str:
    """Items side by side; `escaped` where commas and brackets would end an argument."""
    for number, item in enumerate(items):
        if isinstance(item, Token) and item.text in _STYLES:
            rest = items[number + 1 :]
            styled = [f"{_STYLES[item.text]}({_list(rest, escaped=True)})"] if rest else []
            return " ".join([*filter(None, [_list(items[:number], escaped=escaped)]), *styled])
    pieces = [(item, piece) for item in items if (piece := _node(item))]
    balanced = _is_balanced(piece for item, piece in pieces if _is_bracket(item, piece))
    joined: list[str] = []
    for item, piece in pieces:
        if (escaped and piece in (",", ";")) or (not balanced and _is_bracket(item, piece)):
            piece = f"\\{piece}"
        if _is_digits(item) and joined and _NUMBER.fullmatch(joined[-1]):
            joined[-1] += piece
        else:
            joined.append(piece)
    return "".join(
        piece if not before or before in _OPEN or piece[0] in _TIGHT else f" {piece}"
        for before, piece in zip(["", *joined], joined, strict=False)
    )


def _is_digits(node: Node) -> bool:
    """Whether a node may go on a number."""
    if isinstance(node, Scripts):
        return node.base is not None and _is_digits(node.base)
    return isinstance(node, Token) and (node.text.isdigit() or node.text == ".")


def _is_bracket(item: Node, piece: str) -> bool:
    """Whether what is written for a node begins with a bracket, which pairs with another."""
    base = item.base if isinstance(item, Scripts) else item
    return isinstance(base, Token) and piece[0] in _OPEN + _CLOSE


def _is_balanced(pieces: Iterable[str]) -> bool:
    depth = 0
    for piece in pieces:
        depth += 1 if piece[0] in _OPEN else -1
        if depth < 0:
            return False
    return depth == 0


def _node(node: Node) -> str:
    return _WRITERS[type(node)](node)


def _token(node: Token) -> str:
    text = node.text
    if text in _TOKENS:
        return _TOKENS[text]
    if len(text) == 1:
        return text
    name = text.removeprefix("\\")
    if name in _SAME:
        return name
    if name in _NAMES:
        return _NAMES[name]
    big = _BIG.fullmatch(text)
    if big is not None:
        size = "200%" if big[1] else "150%"
        return f"lr(size: #{size}, {_delimiter(big[2])})"
    return _character(text)


def _character(command: str) -> str:
    from latex2mathml.symbols_parser import convert_symbol

    code = convert_symbol(command)
    if code is None:
        raise TypstError(f"{command} is not known in Typst")
    return chr(int(code, 16))


def _delimiter(text: str) -> str:
    return _DELIMITERS[text] if text in _DELIMITERS else _token(Token(text))


def _group(node: Group) -> str:
    return _list(node.items)


def _argument(items: Items) -> str:
    return _list(items, escaped=True) or '""'


def _command(node: Command) -> str:
    arguments = [_argument(argument) for argument in node.arguments]
    name = node.name
    if name == "\\sqrt" and node.option:
        return f"root({_argument(node.option)}, {arguments[0]})"
    if name in ("\\operatorname", "\\operatorname*"):
        letters = "".join(arguments[0].split()).replace("thin", " ").replace('"', "")
        limits = ", limits: #true" if name.endswith("*") else ""
        return f'op("{letters}"{limits})'
    if name.startswith("\\genfrac") or name == "\\cfrac":
        return f"frac({', '.join(arguments)})"
    if name in _WRAPPED:
        return _WRAPPED[name].format(*arguments)
    if name in _CALLS:
        call = _CALLS[name]
        if call in _ACCENTED:
            return f"accent({arguments[0]}, {call})"
        return f"{call}({', '.join(arguments)})"
    raise TypstError(f"{name} is not known in Typst")


def _text(node: Text) -> str:
    if node.name.startswith("\\tag"):
        return f'quad "({node.content})"'
    pieces = []
    for number, piece in enumerate(_MATH_IN_TEXT.split(node.content)):
        if number % 2:
            pieces.append(_list(parsing.parse(piece)))
        elif piece:
            plain = re.sub(r"~|\\[ ,:;]", " ", piece).replace("{", "").replace("}", "")
            if "\\" in plain.replace("\\%", "").replace("\\&", "").replace("\\_", ""):
                raise TypstError(f"the text {piece!r} is not known in Typst")
            quoted = plain.replace("\\", "").replace('"', '\\"')
            styled = {"\\textbf": "bold", "\\textit": "italic", "\\textsf": "sans"}.get(node.name)
            pieces.append(f'{styled}("{quoted}")' if styled else f'"{quoted}"')
    return " ".join(pieces)


def _length(node: Length) -> str:
    return f"#h({node.length})" if node.name.startswith("\\hspace") else ""


def _scripts(node: Scripts) -> str:
    sup, primes = node.sup or (), 0
    while primes < len(sup) and sup[primes] == Token("\\prime"):
        primes += 1
    base = '""' if node.base is None else _base(node.base)
    if node.limits:
        placing = "limits" if node.limits == "\\limits" else "scripts"
        base = f"{placing}({base})"
    written = base + "'" * primes
    if node.sub is not None:
        written += f"_{_script(node.sub)}"
    if node.sup is not None and (sup[primes:] or not primes):
        written += f"^{_script(sup[primes:])}"
    return written


def _base(node: Node) -> str:
    if isinstance(node, Group):
        if len(node.items) == 1 and isinstance(node.items[0], Token):
            return _node(node.items[0])
        return f'class("normal", {_argument(node.items)})' if node.items else '""'
    return _node(node)


def _script(items: Items) -> str:
    written = _list(items)
    if (_BARE.fullmatch(written) and len(items) == 1) or written.isdigit():
        return written
    return f"({written})" if items else '""'


def _fence(node: Fence) -> str:
    inside = _list(node.items, escaped=True)
    pair = _PLAIN_PAIRS.get((node.left, node.right))
    if pair is not None:
        return f"lr({pair[0]} {inside} {pair[1]})"
    left, right = _delimiter(node.left), _delimiter(node.right)
    if (left, right) in _CHARACTER_PAIRS:
        return f"lr({left} {inside} {right})"
    sides = [f"\\{side}" if side in tuple(_OPEN + _CLOSE) else side for side in (left, right)]
    sides.insert(1, inside)
    return f"lr({' '.join(filter(None, sides))})"


def _table(node: Table) -> str:
    rows = [[_list(cell, escaped=True) for cell in row.cells] for row in node.rows]
    if node.name == "cases":
        return f"cases({', '.join(' & '.join(row) for row in rows)})"
    if node.name in ("aligned", "alignedat", "split", "gathered", "\\substack", "subarray"):
        rows = [[_list(cell) for cell in row.cells] for row in node.rows]
        return " \\ ".join(" & ".join(row) for row in rows)
    lines = ""
    bars = (node.columns or "").replace(" ", "")
    if "|" in bars or any(row.rules for row in node.rows[1:]):
        vertical = [len(bars[:at].replace("|", "")) for at, c in enumerate(bars) if c == "|"]
        horizontal = [at for at, row in enumerate(node.rows) if row.rules and at]
        vertical = [at for at in vertical if 0 < at < max(map(len, rows))]
        tuples = [f"({', '.join(map(str, part))},)" for part in (horizontal, vertical)]
        lines = f", augment: #(hline: {tuples[0]}, vline: {tuples[1]})".replace("(,)", "()")
    delimiter = _MATRICES.get(node.name, "#none")
    return f"mat(delim: {delimiter}{lines}, {'; '.join(', '.join(row) for row in rows)})"


_WRITERS: dict[type, Callable[..., str]] = {
    Token: _token,
    Group: _group,
    Command: _command,
    Text: _text,
    Length: _length,
    Scripts: _scripts,
    Fence: _fence,
    Table: _table,
}
