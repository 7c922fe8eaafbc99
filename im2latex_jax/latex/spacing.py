r"""TeX's spaces between neighbours in math: what may lose its braces without moving.

The classes and the table are those of The TeXbook, chapter 18 (page 170), with the rules by which a
binary operator becomes an ordinary symbol (rules 5 and 6 of appendix G).
"""

import itertools
from collections.abc import Sequence

from im2latex_jax.latex import commands, tree
from im2latex_jax.latex.commands import control_words

ORD, OP, BIN, REL = "ord", "op", "bin", "rel"
OPEN, CLOSE, PUNCT, INNER = "open", "close", "punct", "inner"

# Spaces in mu by the class on the left (row) and on the right: 3 thin, 4 medium, 5 thick. They are
# dropped in scripts, except those of 1 (thin, beside operators).
_CLASSES = (ORD, OP, BIN, REL, OPEN, CLOSE, PUNCT, INNER)
_TABLE = dict(
    zip(
        _CLASSES,
        (
            (0, 1, 4, 5, 0, 0, 0, 3),
            (1, 1, 0, 5, 0, 0, 0, 3),
            (4, 4, 0, 0, 4, 0, 0, 4),
            (5, 5, 0, 0, 5, 0, 0, 5),
            (0, 0, 0, 0, 0, 0, 0, 0),
            (0, 1, 4, 5, 0, 0, 0, 3),
            (3, 3, 0, 3, 3, 3, 3, 3),
            (3, 1, 4, 5, 3, 0, 3, 3),
        ),
        strict=True,
    )
)
# A binary operator behind one of these, or at the beginning, is an ordinary symbol ...
_NO_BIN_AFTER = (None, BIN, OP, REL, OPEN, PUNCT)
# ... and so it is before one of these, or at the end.
_NO_BIN_BEFORE = (None, REL, CLOSE, PUNCT)


_LETTERS = control_words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega varepsilon vartheta varpi varrho varsigma varphi varkappa digamma "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega partial infty nabla ell hbar "
    "hslash prime imath jmath aleph beth wp Re Im emptyset varnothing forall exists nexists neg "
    "lnot top bot angle triangle flat natural sharp Box square Diamond diamondsuit heartsuit "
    "clubsuit spadesuit surd backslash mho eth checkmark lozenge blacksquare bigstar Bbbk "
    "complement"
)
_OPERATORS = control_words(
    "sum prod coprod int iint iiint oint intop bigcup bigcap bigoplus bigotimes bigodot bigvee "
    "bigwedge biguplus bigsqcup arccos arcsin arctan arg cos cosh cot coth csc deg dim exp hom ker "
    "lg ln log sec sin sinh tan tanh det gcd inf lim liminf limsup max min Pr sup mathop "
    "operatorname operatorname* smallint injlim projlim"
)
_BINARIES = frozenset("+-*") | control_words(
    "pm mp times cdot circ bullet div otimes oplus ominus oslash odot wedge vee land lor cap cup "
    "sqcap sqcup uplus star ast dagger dag ddagger ddag setminus smallsetminus amalg diamond wr "
    "bigcirc bigtriangleup bigtriangledown triangleleft triangleright rtimes ltimes boxplus "
    "boxtimes boxminus boxdot centerdot mathbin lhd rhd intercal"
)
_RELATIONS = frozenset("=<>:") | control_words(
    "leq le geq ge neq ne equiv sim simeq approx cong propto in ni owns notin subset supset "
    "subseteq supseteq to rightarrow gets leftarrow leftrightarrow Rightarrow Leftarrow "
    "Leftrightarrow longrightarrow longleftarrow longleftrightarrow Longrightarrow Longleftarrow "
    "Longleftrightarrow mapsto longmapsto perp parallel mid ll gg prec succ preceq succeq doteq "
    "models vdash dashv asymp bowtie smile frown hookrightarrow hookleftarrow uparrow downarrow "
    "Uparrow Downarrow updownarrow nearrow searrow swarrow nwarrow lesssim gtrsim "
    "leqslant geqslant triangleq iff implies mathrel stackrel xrightarrow xleftarrow"
)
_OPENS = frozenset("([") | control_words("{ lbrace lbrack langle lfloor lceil lvert lVert mathopen")
_CLOSES = frozenset(")]!?") | control_words(
    "} rbrace rbrack rangle rfloor rceil rvert rVert mathclose"
)
_PUNCTUATION = frozenset(",;") | control_words("colon mathpunct ldotp cdotp")
_INNERS = control_words("ldots cdots ddots mathinner")
_OTHER_ORDINARY = frozenset('./|@&"') | control_words(
    "vert Vert | % & $ # _ vdots S P slash mathord"
)
_CLASS_OF = {
    **dict.fromkeys(_LETTERS | _OTHER_ORDINARY, ORD),
    **dict.fromkeys(_OPERATORS, OP),
    **dict.fromkeys(_BINARIES, BIN),
    **dict.fromkeys(_RELATIONS, REL),
    **dict.fromkeys(_OPENS, OPEN),
    **dict.fromkeys(_CLOSES, CLOSE),
    **dict.fromkeys(_PUNCTUATION, PUNCT),
    **dict.fromkeys(_INNERS, INNER),
}
SPACES = frozenset(("\\", "~", "\\,", "\\:", "\\;", "\\!", "\\>")) | control_words(
    "quad qquad enspace enskip thinspace medspace thickspace negthinspace negmedspace "
    "negthickspace space nobreak"
)
STYLES = {
    "\\displaystyle": "D",
    "\\textstyle": "T",
    "\\scriptstyle": "S",
    "\\scriptscriptstyle": "S",
}
GREEK_LETTERS = frozenset(f"\\{name}" for name in commands.GREEK) | {"\\partial", "\\ell"}
_SIDES = {"l": OPEN, "m": REL, "r": CLOSE}
_ORDINARY_COMMANDS = control_words(
    "frac dfrac tfrac cfrac binom dbinom tbinom sqrt mathrm mathbf mathcal mathit mathsf mathtt "
    "mathbb mathfrak mathscr mathnormal overline underline hat bar tilde vec dot ddot acute grave "
    "breve check mathring widehat widetilde phantom hphantom vphantom overrightarrow overleftarrow "
    "boxed"
)


def class_of(node: tree.Node) -> str | None:
    """The class of a node; "" for a space, which has none, and None where it is not known."""
    if isinstance(node, tree.Token):
        text = node.text
        if text in SPACES or text in STYLES:
            return ""
        if text.isalnum() and text.isascii():
            return ORD
        if text in _CLASS_OF:
            return _CLASS_OF[text]
        if text[1:4] in ("big", "Big"):
            return _SIDES.get(text.removeprefix(text[:4]).removeprefix("g")[0], ORD)
        return None
    if isinstance(node, tree.Length):
        return ""
    if isinstance(node, tree.Scripts):
        return ORD if node.base is None else class_of(node.base)
    if isinstance(node, tree.Fence):
        return INNER
    if isinstance(node, tree.Command):
        if node.name.startswith("\\genfrac") or node.name in _ORDINARY_COMMANDS:
            return ORD
        return _CLASS_OF.get(node.name)
    if isinstance(node, tree.Table) and (node.name == "cases" or node.name[1:] == "matrix"):
        return INNER
    return ORD  # groups, text, other tables (which stand in a box)


def gaps(classes: Sequence[str]) -> list[int]:
    """The spaces (see `_TABLE`) before each atom of a list, and after the last: 0 at both ends."""
    known: list[str] = list(classes)
    for number, current in enumerate(known):
        before = known[number - 1] if number else None
        if current == BIN and before in _NO_BIN_AFTER:
            known[number] = ORD
        elif before == BIN and current in _NO_BIN_BEFORE:
            known[number - 1] = ORD
    if known and known[-1] == BIN:
        known[-1] = ORD
    inner = [_TABLE[left][_CLASSES.index(right)] for left, right in itertools.pairwise(known)]
    return [0, *inner, 0] if known else [0]
