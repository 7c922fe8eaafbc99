r"""The text of a tree of LaTeX math: compact, and with the braces that TeX needs.

Blanks stand only where tokens would run together, around `&` and `\\`, and behind a bare script
that a letter or digit follows (`x^2 y`).
"""

import re
from collections.abc import Callable, Iterable

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

_SIZED = re.compile(r"(\\(?:big|Big)g?[lrm]?)([^a-z].*)")
_ENDS_IN_WORD = re.compile(r"\\[A-Za-z]+\Z")


def write(items: Iterable[Node]) -> str:
    """Compact LaTeX of a tree."""
    return _join(_tokens_of(items))


def _tokens_of(items: Iterable[Node]) -> list[str]:
    parts: list[str] = []
    for item in items:
        parts += _write_node(item)
    return parts


def _write_node(node: Node) -> list[str]:
    return _WRITERS[type(node)](node)


def _write_token(node: Token) -> list[str]:
    if node.text == "\\not":
        # With an empty group for an argument, which leaves the symbol as it is.
        return ["\\not", "{", "}"]
    if node.text[1:4] in ("big", "Big"):
        sized = _SIZED.fullmatch(node.text)
        if sized is not None:
            return [sized[1], sized[2]]
    return [node.text]


def _braces(items: Items) -> list[str]:
    return ["{", *_tokens_of(items), "}"]


def _write_command(node: Command) -> list[str]:
    if node.name == "\\not":
        return [node.name, *_tokens_of(node.arguments[0])]
    option = [] if node.option is None else _tokens_of(node.option)
    if any("]" in token for token in option):
        option = ["{", *option, "}"]  # the option would end there
    if node.option is not None:
        option = ["[", *option, "]"]
    return [node.name, *option, *(part for a in node.arguments for part in _braces(a))]


def _write_text(node: Text) -> list[str]:
    return [f"{node.name}{{{node.content}}}"]


def _write_length(node: Length) -> list[str]:
    if node.name.startswith(("\\hspace", "\\vspace")):
        return [f"{node.name}{{{node.length}}}"]
    # A blank ends the unit, which a letter could otherwise go on.
    return [f"{node.name}{node.length} "]


def _write_scripts(node: Scripts) -> list[str]:
    parts = [] if node.base is None else _write_node(node.base)
    if node.limits:
        parts.append(node.limits)
    if node.sub is not None:
        parts += ["_", *_write_script(node.sub)]
    sup = node.sup
    if sup is not None:
        primes = 0
        while primes < len(sup) and sup[primes] == Token("\\prime"):
            primes += 1
        parts += ["'"] * primes
        if sup[primes:] or not primes:
            parts += ["^", *_write_script(sup[primes:])]
    return parts


def _write_script(script: Items) -> list[str]:
    """A script, without braces where it is a symbol that may stand bare."""
    if len(script) == 1 and isinstance(script[0], Token):
        text = script[0].text
        if text in BARE_SCRIPTS or (len(text) == 1 and text.isascii() and text.isalnum()):
            return [_BARE + text]
    return _braces(script)


# Marks a bare script for `_join`, which sets it apart from a letter or digit behind it.
_BARE = "\x00"
BARE_SCRIPTS = frozenset("*+-") | control_words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega varepsilon vartheta varpi varrho varsigma varphi Gamma Delta "
    "Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega infty dagger ddagger star ast circ pm mp "
    "perp parallel ell top bot prime bullet times otimes oplus partial nabla"
)


def _write_fence(node: Fence) -> list[str]:
    return [f"\\left{node.left}", *_tokens_of(node.items), f"\\right{node.right}"]


def _write_table(node: Table) -> list[str]:
    parts = []
    if node.name.startswith("\\"):
        parts += [node.name, "{"]
    else:
        parts.append(f"\\begin{{{node.name}}}")
        if node.placement:
            parts.append(f"[{node.placement}]")
        if node.columns is not None:
            parts.append(f"{{{node.columns}}}")
        parts.append(" ")
    for number, row in enumerate(node.rows):
        last = number == len(node.rows) - 1
        for rule in row.rules:
            parts += [rule, " "]
        for column, cell in enumerate(row.cells):
            tokens = _tokens_of(cell)
            bare = number or (node.columns is None and not node.name.startswith("\\"))
            if not column and bare and not row.rules and tokens[:1] in (["["], ["*"]):
                # Behind `\\` or `\begin{aligned}` they would be an option.
                tokens = ["{", *tokens, "}"]
            if column:
                parts += [" ", "&", " "]
            parts += tokens
        if not last or node.rules or row.space or _is_empty(row):
            parts += [" ", "\\\\"]
            if row.space:
                parts.append(f"[{row.space}]")
            if not last or node.rules:
                parts.append(" ")
    for rule in node.rules:
        parts.append(rule)
    if node.name.startswith("\\"):
        return [*parts, "}"]
    return [*parts, " ", f"\\end{{{node.name}}}"]


def _is_empty(row: Row) -> bool:
    return len(row.cells) == 1 and not row.cells[0]


_WRITERS: dict[type, Callable] = {
    Token: _write_token,
    Group: lambda node: _braces(node.items),
    Command: _write_command,
    Text: _write_text,
    Length: _write_length,
    Scripts: _write_scripts,
    Fence: _write_fence,
    Table: _write_table,
}


def _join(parts: Iterable[str]) -> str:
    pieces: list[str] = []
    previous, after_bare = "", False
    for part in parts:
        bare = part.startswith(_BARE)
        part = part.removeprefix(_BARE)
        if part == " ":
            if previous and not previous.endswith(" "):
                pieces.append(" ")
                previous = " "
            after_bare = False
            continue
        if previous and (
            _would_merge(previous, part) or (after_bare and part[0].isascii() and part[0].isalnum())
        ):
            pieces.append(" ")
        pieces.append("\\ " if part == "\\" else part)
        previous, after_bare = pieces[-1], bare
    return "".join(pieces).strip(" ") if previous != "\\ " else "".join(pieces)


def _would_merge(left: str, right: str) -> bool:
    if left == "\\operatorname" and right == "*":
        return True
    if not (right[0].isascii() and right[0].isalpha() and left[-1].isalpha()):
        return False
    return _ENDS_IN_WORD.search(left) is not None
