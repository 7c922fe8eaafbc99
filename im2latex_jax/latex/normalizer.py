r"""Raw LaTeX math to the normal form of im2latex-100k (Deng et al. 2017).

The data set's normal form is what a modified KaTeX printed after parsing; no library gives it. So
this is a recursive-descent parser over the project's lexer that writes the normal form's tokens
while it reads. pylatexenc was weighed and left aside: its tree keeps what the normal form folds
(infix `\over`, `\rm` switches, primes, scripts) as flat lists of nodes, so that the same parser
would have to run over them, and its walker alone reads 1,200 of the reference formulas a second on
a core that normalizes 10,000.

What the form does:

- Tokens are separated by single spaces; subscript, then superscript, always braced; primes become
  `^ { \prime }`.
- Function names are spelled out (`\operatorname { s i n }`, `\operatorname* { l i m }` for those
  that take limits). Accents, `\overline`, `\underline` and `\phantom` always brace their argument;
  other commands (`\frac`, `\sqrt`, `\mathcal` ...) keep an argument of one token bare, as the data
  set does (`\frac 1 2`); `canonicalize` braces those too.
- `{\rm x}` becomes `\mathrm { x }`, `\over` and `\choose` become `\frac` and `\binom`, `pmatrix`
  becomes `\left( \begin{matrix} ... \end{matrix} \right)`; each cell is braced, each row ends in
  `\\`.
- Text (`\text`, `\mbox`, `\hbox`) becomes `\mathrm` with `~` for its blanks where that looks the
  same. Text that holds math, hyphens, commas, quotes, or words in f, v or w (whose italic
  correction math adds) stays what it was, with `~` and (after punctuation) `\space` for its blanks.
  The other text commands (`\textrm`, `\textbf` ...) lose their blanks, as in the data set.
- Comments and labels are removed. A `%` that begins the formula is taken off instead: it would
  leave nothing.
- Spacing: every spacing command (`\,` `\:` `\;` `\!` `\ ` `~` `\quad` `\qquad` `\hspace`) is kept
  as it is, because the picture shows it; `\>` is spelled `\:` and `\hskip` `\hspace`. Blanks of the
  source are dropped in math. `\\` outside an environment is the data set's `\,`; a row without
  anything in it is dropped.
- `\dfrac` and `\tfrac` are `\frac`; `\limits` is dropped behind operators that take limits in
  display style by themselves.

Where the data set's script spoils the picture otherwise, this normalizer does not follow it: it
keeps `\int \limits`, `\sum \nolimits`, a prime before a superscript, `cases` without a second
brace, the index of `\sqrt`, the rows of `\substack`, the extra space of `\\[1ex]`, what follows
`\%`, arguments of commands in scripts, and text as said above.

A formula whose tokens are already separated by single spaces is taken to be in the normal form's
dialect: a cell's braces and those of `\overline { x }` are then the form's own, so that normalizing
twice changes nothing.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.lexer import LexError, scan
from im2latex_jax.latex.unicode_math import UnsupportedCharacterError, to_latex

MAX_CHARACTERS = 20_000
MAX_DEPTH = 60


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


_FUNCTIONS = _words(
    "arccos arcsin arctan arg cos cosh cot coth csc deg dim exp hom ker lg ln log sec sin sinh tan "
    "tanh"
)
_LIMIT_FUNCTIONS = _words("det gcd inf lim liminf limsup max min Pr sup")
_NAMES = {f"\\{name}": ["\\operatorname", "{", *name, "}"] for name in _FUNCTIONS}
_NAMES |= {f"\\{name}": ["\\operatorname*", "{", *name, "}"] for name in _LIMIT_FUNCTIONS}

# Operators that take limits above and below in display style without being told to.
_LIMIT_OPERATORS = _words(
    "\\sum \\prod \\coprod \\bigcap \\bigcup \\bigodot \\bigoplus \\bigotimes \\bigsqcup "
    "\\biguplus \\bigvee \\bigwedge \\operatorname* \\mathop"
)

ACCENTS = _words(
    "\\acute \\bar \\breve \\check \\ddot \\dot \\grave \\hat \\tilde \\vec \\mathring \\phantom"
)
LINES = frozenset(("\\overline", "\\underline"))

ONE_ARGUMENT = _words(
    "\\mathrm \\mathbf \\mathcal \\mathit \\mathsf \\mathtt \\mathbb \\mathfrak \\mathscr "
    "\\mathnormal \\mathds \\mathbbm \\boldsymbol \\bm \\pmb \\sqrt \\widehat \\widetilde "
    "\\overbrace \\underbrace \\overrightarrow \\overleftarrow \\overleftrightarrow \\hphantom "
    "\\vphantom \\smash \\llap \\rlap \\mathop \\mathrel \\mathbin \\mathord \\mathopen "
    "\\mathclose \\mathpunct \\mathinner \\operatorname \\operatorname* \\ensuremath \\boxed "
    "\\dddot \\ddddot \\hspace \\vspace \\not \\pmod \\pod \\mod \\xrightarrow \\xleftarrow "
    "\\cancel \\Hat \\Tilde \\Bar \\Vec \\Dot \\Check \\Acute \\Grave \\Breve"
)
FRACTIONS = {
    "\\frac": "\\frac",
    "\\dfrac": "\\frac",
    "\\tfrac": "\\frac",
    "\\binom": "\\binom",
    "\\dbinom": "\\binom",
    "\\tbinom": "\\binom",
    "\\cfrac": "\\cfrac",
}
# Names that AMS-TeX used before the present ones.
_OLD_NAMES = {"\\Bbb": "\\mathbb", "\\bold": "\\mathbf", "\\frak": "\\mathfrak"}
TWO_ARGUMENTS = frozenset(("\\overset", "\\underset", "\\stackrel"))

_INFIX = {"\\over": "\\frac", "\\choose": "\\binom"}

_TEXT_TO_MATHRM = frozenset(("\\text", "\\mbox", "\\hbox"))
TEXT_COMMANDS = _TEXT_TO_MATHRM | _words(
    "\\textrm \\textnormal \\textup \\textbf \\textmd \\textit \\textsl \\textsf \\texttt "
    "\\textsc \\emph \\fbox"
)
# Text of these characters, letters and digits looks the same in \mathrm, where `~` is its space.
_PLAIN_IN_MATHRM = (
    frozenset((*"~.()[]!?@{}", "\\", "\\,", "\\&", "\\_", "\\%", "\\space")) | TEXT_COMMANDS
)
# Math adds the italic correction behind these letters, at a word's end.
_ITALIC_WORD_END = re.compile("[fvw](~|$)")
# A source blank in text: `\space` after punctuation, where TeX may widen it, else `~`.
_BLANKS = frozenset(("~", "\\space"))

_FENCES = {
    "pmatrix": ("\\left(", "\\right)"),
    "bmatrix": ("\\left[", "\\right]"),
    "Bmatrix": ("\\left\\{", "\\right\\}"),
    "vmatrix": ("\\left|", "\\right|"),
    "Vmatrix": ("\\left\\Vert", "\\right\\Vert"),
}
# Environment of the source -> environment written.
_ENVIRONMENTS = {
    "array": "array",
    "tabular": "tabular",
    "subarray": "subarray",
    "matrix": "matrix",
    "smallmatrix": "smallmatrix",
    "cases": "cases",
    "aligned": "aligned",
    "alignedat": "alignedat",
    "gathered": "gathered",
    "split": "aligned",
    "align": "aligned",
    "gather": "gathered",
    "eqnarray": "array",
    **{name: "matrix" for name in _FENCES},
}
# Plain TeX's matrices, `\matrix{a & b \cr c & d}`, and the environments that replace them.
_PLAIN_TEX_MATRICES = {"\\matrix": "matrix", "\\pmatrix": "pmatrix"}
# AMS-TeX's environments, `\aligned ... \endaligned`.
_AMS_TEX_BORDERS = {
    f"\\{end}{name}": f"\\{end or 'begin'}{{{name}}}"
    for name in ("aligned", "gathered", "split")
    for end in ("", "end")
}
_COLUMN_SPECIFIED = frozenset(("array", "tabular", "subarray", "alignedat"))
_DISPLAYS = frozenset(("equation", "displaymath", "math"))
_RULES = frozenset(("\\hline", "\\hdashline", "\\toprule", "\\midrule", "\\bottomrule"))

_REFUSED = {
    name: "it changes TeX itself: expand macros first"
    for name in _words(
        "\\def \\edef \\gdef \\xdef \\let \\futurelet \\newcommand \\renewcommand "
        "\\providecommand \\DeclareMathOperator \\newenvironment \\catcode \\csname \\input "
        "\\include \\openin \\openout \\read \\write \\immediate \\special \\loop \\repeat "
        "\\usepackage \\verb \\par"
    )
}

_END = ""
_STOPS = frozenset(("}", "&", "\\\\", "\\cr", "\\crcr", "\\tabularnewline", "$", "\\)", _END))
_ROW_ENDS = frozenset(("\\\\", "\\cr", "\\crcr", "\\tabularnewline"))
_SCRIPT_MARKS = frozenset(("_", "^", "'", "\\limits", "\\nolimits"))

_OUTER_MATH = re.compile(
    r"\s*(?:\$\$(?P<a>[^$]*)\$\$|\$(?P<b>[^$]*)\$|\\\[(?P<c>.*)\\\]|\\\((?P<d>.*)\\\))\s*",
    re.DOTALL,
)
_BORDER = re.compile(r"\\(left|right|begin|end)(?![A-Za-z])")
_DIMENSION = re.compile(r"-?[0-9]*(\.[0-9]*)?(pt|pc|in|bp|cm|mm|dd|cc|sp|ex|em|mu)")
_INFINITE_DIMENSION = re.compile(r"[+-]?[0-9]*(\.[0-9]*)?fil{1,3}")


class NormalizeError(Im2latexError):
    """A formula that cannot be brought to the normal form; the message says why."""


def normalize(formula: str) -> str:
    r"""The formula's normal form, its tokens joined by single spaces.

    The formula may stand between `$`, `$$`, `\( \)` or `\[ \]`.

    Raises:
      NormalizeError: if the formula cannot be read, with the reason.
    """
    if len(formula) > MAX_CHARACTERS:
        raise NormalizeError(
            f"formula of {len(formula)} characters: more than {MAX_CHARACTERS} are not read"
        )
    try:
        formula = to_latex(formula)
        outer = _OUTER_MATH.fullmatch(formula)
        if outer:
            formula = outer[outer.lastgroup or 0]
        # A leading % would leave nothing of a formula of one line; the data set takes it off.
        tokens, spaced = scan(formula.removeprefix("%"))
    except (LexError, UnsupportedCharacterError) as error:
        raise NormalizeError(str(error)) from error
    if not tokens:
        raise NormalizeError("empty formula")
    in_normal_dialect = formula.rstrip(" ") == " ".join(tokens)
    normal = _Parser(tokens, spaced, in_normal_dialect).formula()
    if not normal:
        raise NormalizeError("nothing to draw")
    return " ".join(normal)


def normalize_lines(
    lines: Iterable[str], canonical: bool = False
) -> Iterator[tuple[str, str | None]]:
    """Normalizes a formula a line.

    Args:
      lines: formulas; a line end is not part of the formula.
      canonical: gives the canonical form instead (see `canonical.canonicalize`).

    Yields:
      For each line, its form and None, or "" and the reason why it was refused.
    """
    # Imported here because the canonical form is built on this module.
    from im2latex_jax.latex.canonical import canonicalize

    convert = canonicalize if canonical else normalize
    for line in lines:
        try:
            yield convert(line.rstrip("\r\n")), None
        except NormalizeError as error:
            yield "", str(error)


class _Parser:
    """Reads tokens and writes the normal form's tokens.

    Each method that reads an element begins at its first token, leaves `_position` behind its last
    and returns its normal form.
    """

    def __init__(self, tokens: list[str], spaced: list[int], in_normal_dialect: bool) -> None:
        self._tokens = [_AMS_TEX_BORDERS.get(token, token) for token in tokens]
        self._tokens.append(_END)
        self._spaced = frozenset(() if in_normal_dialect else spaced)
        self._in_normal_dialect = in_normal_dialect
        self._position = 0
        self._depth = 0
        self._has_over = "\\over" in tokens

    def formula(self) -> list[str]:
        normal: list[str] = []
        while True:
            normal += self._expression()
            token = self._tokens[self._position]
            if token == _END:
                return normal
            if token not in _ROW_ENDS:
                raise self._unexpected(token)
            self._row_end(array=False)
            normal += self._scripts(["\\,"])

    # Expressions and their elements.

    def _expression(self) -> list[str]:
        """Elements up to a token that closes what encloses them."""
        normal: list[str] = []
        numerator: list[str] | None = None
        infix = ""
        tokens = self._tokens
        start = self._position
        while True:
            token = tokens[self._position]
            if token in _PLAIN:
                self._position += 1
                if tokens[self._position] in _SCRIPT_MARKS:
                    normal += self._scripts([token])
                else:
                    normal.append(token)
                continue
            if token in _STOPS or _border(token) in ("right", "end"):
                break
            if token in _INFIX:
                if numerator is not None:
                    raise NormalizeError(f"{infix} and {token} in one group")
                self._position += 1
                numerator, infix, normal = normal, token, []
            elif token == "\\rm":
                self._position += 1
                self._enter()
                rest = self._expression()
                self._depth -= 1
                first_in_group = self._tokens[start - 1] == "{" and not normal
                normal += ["\\mathrm", *(["{", *rest, "}"] if first_in_group else _braced(rest))]
            else:
                normal += self._element()
        if numerator is not None:
            return [_INFIX[infix], *_braced(numerator), *_braced(normal)]
        return normal

    def _element(self) -> list[str]:
        """An atom with its scripts."""
        token = self._tokens[self._position]
        if token in _SCRIPT_MARKS:
            return self._scripts_without_base()
        nucleus = self._nucleus()
        if self._tokens[self._position] in _SCRIPT_MARKS and nucleus:
            return self._scripts(nucleus)
        return nucleus

    def _nucleus(self) -> list[str]:
        token = self._tokens[self._position]
        if token == "{":
            return self._group()
        if token in _STOPS:
            raise self._unexpected(token)
        self._position += 1
        if token in _NAMES:
            return _NAMES[token]
        if token in ACCENTS:
            return [token, *_in_braces(self._argument(token))]
        if token in LINES:
            return [token, *self._line_argument(token)]
        if token in FRACTIONS:
            return self._fraction(token)
        if token in ONE_ARGUMENT:
            return self._one_argument(token)
        if token in _OLD_NAMES:
            return self._one_argument(_OLD_NAMES[token])
        if token in TEXT_COMMANDS:
            return self._text_command(token)
        if token in TWO_ARGUMENTS:
            return self._two_arguments(token)
        return self._rare_nucleus(token)

    def _rare_nucleus(self, token: str) -> list[str]:
        if token in _REFUSED:
            raise NormalizeError(f"{token} is not read: {_REFUSED[token]}")
        border = _border(token)
        if border == "left":
            return self._fenced(token)
        if border == "begin":
            return self._environment(token[len("\\begin{") : -1])
        if border:
            raise self._unexpected(token)
        if token == "\\label":
            self._raw_argument()
            return []
        if token == "\\tag":
            star = self._accept("*")
            return [token, *(["*"] if star else []), "{", *self._text_argument(token), "}"]
        if token == "\\buildrel" and self._has_over and self._over_ahead():
            return self._built_relation()
        if token == "\\substack":
            return [token, *self._substack()]
        if token in _PLAIN_TEX_MATRICES or token == "\\bordermatrix":
            return self._plain_tex_matrix(token)
        if token == "\\>":
            return ["\\:"]
        if token == "\\hskip":
            return self._skip(token)
        if token == "\\(":
            raise NormalizeError("\\( inside a formula")
        if token == "#":
            raise NormalizeError("# outside a macro definition")
        return [token]

    def _one_argument(self, token: str) -> list[str]:
        normal = [token]
        if token == "\\operatorname*" and not self._in_normal_dialect:
            # The data set has `\operatorname*` in one piece only where it stands for a name.
            normal = ["\\operatorname", "*"]
        following = self._tokens[self._position]
        if following == "*" and token in ("\\hspace", "\\vspace", "\\operatorname"):
            self._position += 1
            normal.append("*")
        elif following == "[" and token in ("\\sqrt", "\\xrightarrow", "\\xleftarrow", "\\smash"):
            normal += self._optional_argument()
        return normal + self._argument(token)

    def _two_arguments(self, token: str) -> list[str]:
        return [token, *self._argument(token), *self._argument(token)]

    def _built_relation(self) -> list[str]:
        """Plain TeX's `\\buildrel x \\over =`, which is `\\stackrel { x } { = }`."""
        above: list[str] = []
        while self._tokens[self._position] != "\\over":
            above += self._element()
        self._position += 1
        relation = self._argument("\\buildrel")
        return ["\\stackrel", *_braced(above), *_in_braces(relation)]

    def _fraction(self, token: str) -> list[str]:
        normal = [FRACTIONS[token]]
        if token == "\\cfrac" and self._tokens[self._position] == "[":
            normal += self._optional_argument()
        normal += self._argument(token)
        normal += self._argument(token)
        return normal

    def _line_argument(self, token: str) -> list[str]:
        """The argument of a line above or below, which the data set braces once more."""
        if self._tokens[self._position] != "{":
            return _in_braces(self._argument(token))
        argument = self._argument(token)
        if self._in_normal_dialect:
            return argument
        return ["{", *argument, "}"]

    def _skip(self, token: str) -> list[str]:
        """A length written without braces: `\\hskip 1cm` is `\\hspace { 1 c m }`."""
        length = self._glue()
        return ["\\hspace", "{", *length, "}"] if length else [token]

    def _glue(self) -> str:
        """A length and how it may stretch and shrink, which draws nothing: only it is returned.

        TeX's `<dimen> plus <dimen> minus <dimen>`, the units of infinite stretch included.
        """
        length = self._length()
        for keyword in ("plus", "minus") if length else ():
            start = self._position
            letters = self._tokens[start : start + len(keyword)]
            if "".join(letters).lower() != keyword or len(letters) != len(keyword):
                continue
            self._position += len(keyword)
            if self._infinite_length() or self._length():
                continue
            self._position = start  # letters of the formula
        return length

    def _infinite_length(self) -> bool:
        """Whether a stretch such as `1fil` or `-1.5 fill` is read."""
        text = "".join(self._tokens[self._position : self._position + 20])
        match = _INFINITE_DIMENSION.match(text)
        if match is None:
            return False
        end = self._position
        left = len(match[0])
        while left > 0:
            left -= len(self._tokens[end])
            end += 1
        self._position = end
        return left == 0

    def _length(self) -> str:
        """A length such as `-.5cm` is read; "" if there is none."""
        text = ""
        for end in range(self._position, min(self._position + 20, len(self._tokens))):
            if len(self._tokens[end]) != 1:
                return ""
            text += self._tokens[end]
            if _DIMENSION.fullmatch(text):
                self._position = end + 1
                return text
        return ""

    def _argument(self, command: str) -> list[str]:
        """A macro's argument: a group with its braces, or one bare element without scripts."""
        token = self._tokens[self._position]
        if token == "{":
            group = self._group()
            return group if group[0] == "{" else ["{", *group, "}"]
        if token in _STOPS or token in _SCRIPT_MARKS or token in _INFIX or token == "\\rm":
            raise NormalizeError(f"{command} without an argument")
        if token in ("--", "---") and not self._in_normal_dialect:
            # The lexer's run of hyphens is several arguments to TeX.
            self._tokens[self._position] = token[1:]
            return ["-"]
        self._enter()
        nucleus = self._nucleus()
        self._depth -= 1
        return nucleus or ["{", "}"]

    def _optional_argument(self) -> list[str]:
        """What stands between brackets, brackets included."""
        self._enter()
        end = self._closing_bracket()
        self._position += 1
        self._tokens[end] = _END
        inner = self._expression()
        if self._position != end:
            raise self._unexpected(self._tokens[self._position])
        self._tokens[end] = "]"
        self._position += 1
        self._depth -= 1
        return ["[", *inner, "]"]

    def _closing_bracket(self) -> int:
        depth = 0
        for number in range(self._position, len(self._tokens)):
            token = self._tokens[number]
            if token == "]" and depth == 0:
                return number
            depth += (token == "{") - (token == "}")
        raise NormalizeError("[ without ]")

    def _group(self) -> list[str]:
        r"""A braced group; `{\rm x}` gives `\mathrm { x }`."""
        self._enter()
        self._position += 1
        switched = self._tokens[self._position] == "\\rm"
        inner = self._expression()
        if self._tokens[self._position] != "}":
            raise self._unexpected(self._tokens[self._position])
        self._position += 1
        self._depth -= 1
        if switched and inner[0] == "\\mathrm":
            return inner
        return ["{", *inner, "}"]

    def _over_ahead(self) -> bool:
        r"""Whether the group that is being read goes on with an `\over` of its own."""
        depth = 0
        for number in range(self._position, len(self._tokens)):
            token = self._tokens[number]
            if token == "{":
                depth += 1
            elif token == "}":
                depth -= 1
                if depth < 0:
                    return False
            elif depth == 0 and token == "\\over":
                return True
        return False

    def _fenced(self, left: str) -> list[str]:
        self._enter()
        body = self._expression()
        right = self._tokens[self._position]
        if _border(right) != "right":
            raise self._unexpected(right, f"{left} without \\right")
        self._position += 1
        self._depth -= 1
        return [left, *body, right]

    # Scripts.

    def _scripts(self, nucleus: list[str]) -> list[str]:
        """The nucleus with the subscript and superscript that follow it."""
        sub: list[str] | None = None
        sup: list[str] | None = None
        limits = ""
        while True:
            token = self._tokens[self._position]
            if token == "_":
                if sub is not None:
                    raise NormalizeError("double subscript")
                self._position += 1
                sub = self._script(token)
            elif token == "^":
                if sup is not None:
                    raise NormalizeError("double superscript")
                self._position += 1
                sup = self._script(token)
            elif token == "'":
                if sup is not None:
                    raise NormalizeError("double superscript")
                sup = self._primes()
            elif token in ("\\limits", "\\nolimits"):
                self._position += 1
                limits = token
            else:
                break
        normal = list(nucleus)
        if limits:
            takes_limits = nucleus[0] in _LIMIT_OPERATORS
            if takes_limits != (limits == "\\limits"):
                normal.append(limits)
        if sub is not None:
            normal += ["_", *sub]
        if sup is not None:
            normal += ["^", *sup]
        return normal

    def _primes(self) -> list[str]:
        primes: list[str] = []
        while self._tokens[self._position] == "'":
            primes.append("\\prime")
            self._position += 1
        if self._tokens[self._position] == "^":
            self._position += 1
            script = self._script("^")
            primes += script[1:-1]
        return ["{", *primes, "}"]

    def _script(self, mark: str) -> list[str]:
        script = self._argument("subscript" if mark == "_" else "superscript")
        return _in_braces(script)

    def _scripts_without_base(self) -> list[str]:
        """Scripts at the beginning of an expression, which the data set leaves as they stand."""
        mark = self._tokens[self._position]
        self._position += 1
        if mark not in "_^":
            return [mark]
        if self._tokens[self._position] == "{":
            script = self._group()
        else:
            script = self._argument("subscript" if mark == "_" else "superscript")
        return [mark, *script]

    # Environments.

    def _environment(self, name: str) -> list[str]:
        base = name.removesuffix("*")
        if base in _DISPLAYS:
            self._enter()
            body = self._expression()
            self._depth -= 1
            self._close(name)
            return body
        if base not in _ENVIRONMENTS or (
            base != name and base not in ("align", "gather", "eqnarray")
        ):
            raise NormalizeError(f"environment {name} is not read")
        written = _ENVIRONMENTS[base]
        self._enter()
        begin: list[str] = []
        array = base in _COLUMN_SPECIFIED
        if array or base in ("aligned", "gathered"):
            begin += self._placement()
        if array:
            begin += self._columns(name)
        elif base == "eqnarray":
            begin += ["{", "r", "c", "l", "}"]
        rows = self._rows(written, array)
        self._close(name)
        self._depth -= 1
        return _in_environment(base, rows, begin)

    def _plain_tex_matrix(self, token: str) -> list[str]:
        if not self._accept("{"):
            raise NormalizeError(f"{token} without an argument")
        self._enter()
        written = _PLAIN_TEX_MATRICES.get(token, "")
        rows = self._rows(written, array=True)
        if not self._accept("}"):
            raise self._unexpected(self._tokens[self._position])
        self._depth -= 1
        if not written:
            return [token, "{", *("\\cr" if part == "\\\\" else part for part in rows), "}"]
        return _in_environment(written, rows)

    def _close(self, name: str) -> None:
        token = self._tokens[self._position]
        if token != f"\\end{{{name}}}":
            raise self._unexpected(token, f"\\begin{{{name}}} without its \\end")
        self._position += 1

    def _placement(self) -> list[str]:
        """`[t]` or `[b]`, kept because it moves the environment up or down; `[c]` is no change."""
        position = self._position
        if self._tokens[position] != "[" or self._tokens[position + 2 : position + 3] != ["]"]:
            return []
        letter = self._tokens[position + 1]
        self._position += 3
        return [] if letter == "c" else ["[", letter, "]"]

    def _columns(self, name: str) -> list[str]:
        if self._tokens[self._position] != "{":
            raise NormalizeError(f"\\begin{{{name}}} without its columns")
        return ["{", *_expand_columns(self._raw_argument()), "}"]

    def _rows(self, written: str, array: bool) -> list[str]:
        normal: list[str] = []
        while True:
            rules = self._row_rules()
            cells: list[list[str]] = []
            start = self._position
            while True:
                cells.append(self._cell(written, len(cells)))
                if self._tokens[self._position] != "&":
                    break
                self._position += 1
            empty = self._position == start
            if self._tokens[self._position] not in _ROW_ENDS:
                normal += rules if empty else [*rules, *_joined(cells), "\\\\"]
                return normal
            space = self._row_end(array)
            if empty:
                normal += rules
            else:
                normal += [*rules, *_joined(cells), "\\\\", *space]

    def _cell(self, written: str, number: int) -> list[str]:
        start = self._position
        cell = self._expression()
        if self._tokens[start] == "\\multicolumn":
            return cell
        if self._in_normal_dialect and _is_group(cell):
            cell = cell[1:-1]
        if written in ("aligned", "alignedat") and number % 2 and cell[:2] != ["{", "}"]:
            # The empty group is what makes a relation at the beginning of a cell keep its space.
            cell = ["{", "}", *cell]
        return ["{", *cell, "}"]

    def _row_rules(self) -> list[str]:
        rules = []
        while True:
            token = self._tokens[self._position]
            if token in _RULES:
                self._position += 1
                rules.append(token)
            elif token == "\\cline":
                self._position += 1
                rules += [token, "{", *self._raw_argument(), "}"]
            else:
                return rules

    def _row_end(self, array: bool) -> list[str]:
        r"""Reads `\\`, `\\*` or `\\[1ex]`; gives the extra space."""
        self._position += 1
        self._accept("*")
        start = self._position
        tokens = self._tokens
        if tokens[start] != "[" or (start in self._spaced and not array):
            return []
        text = ""
        for number in range(start + 1, min(start + 16, len(tokens))):
            if tokens[number] == "]":
                if not _DIMENSION.fullmatch(text):
                    return []
                self._position = number + 1
                return ["[", *text, "]"]
            text += tokens[number]
        return []

    def _substack(self) -> list[str]:
        if self._tokens[self._position] != "{":
            raise NormalizeError("\\substack without an argument")
        self._enter()
        self._position += 1
        normal = ["{", *self._expression()]
        while self._tokens[self._position] in _ROW_ENDS:
            space = self._row_end(array=False)
            normal += ["\\\\", *space, *self._expression()]
        if self._tokens[self._position] != "}":
            raise self._unexpected(self._tokens[self._position])
        self._position += 1
        self._depth -= 1
        return [*normal, "}"]

    # Text.

    def _text_command(self, command: str) -> list[str]:
        content = self._text_argument(command)
        if self._in_normal_dialect:
            return [command, "{", *content, "}"]
        if command not in _TEXT_TO_MATHRM:
            content = [token for token in content if token not in _BLANKS]
        elif _is_plain_in_mathrm(content):
            command = "\\mathrm"
            content = ["~" if token in _BLANKS else token for token in content]
        return [command, "{", *content, "}"]

    def _text_argument(self, command: str) -> list[str]:
        token = self._tokens[self._position]
        if token in _STOPS or (token[0] == "\\" and token != "\\"):
            raise NormalizeError(f"{command} without an argument")
        self._position += 1
        if token != "{":
            return [token]
        return self._text("}")

    def _text(self, end: str) -> list[str]:
        """Text up to the token `end`, which is read; a blank of the source is `~`."""
        self._enter()
        normal: list[str] = []
        after_length = -1
        while True:
            token = self._tokens[self._position]
            blank = self._position in self._spaced and self._position != after_length
            if blank and not (normal and _skips_space(normal[-1])):
                normal.append("\\space" if normal and normal[-1] in ".,:;?!" else "~")
            self._position += 1
            if token == end:
                self._depth -= 1
                return normal
            if token == "{":
                normal += ["{", *self._text("}"), "}"]
            elif token.startswith("\\begin{"):
                close = token.replace("begin", "end", 1)
                normal += [token, *self._text(close), close]
            elif token in (_END, "}"):
                raise self._unexpected(token, "{ without }" if end == "}" else f"{end} is missing")
            elif _border(token) and not self._in_normal_dialect:
                raise NormalizeError(f"{token} in text")
            elif token in ("$", "\\("):
                normal += self._math_in_text("$" if token == "$" else "\\)")
            elif token in _REFUSED:
                raise NormalizeError(f"{token} is not read: {_REFUSED[token]}")
            elif token in ("\\kern", "\\hskip"):
                normal += [token, *(self._length() if token == "\\kern" else self._glue())]
                after_length = self._position
            elif token == "\\label":
                self._raw_argument()
            else:
                normal.append(token)

    def _math_in_text(self, end: str) -> list[str]:
        math = self._expression()
        if self._tokens[self._position] != end:
            raise self._unexpected(self._tokens[self._position], "$ without $")
        self._position += 1
        return ["$", *math, "$"]

    # Small things.

    def _raw_argument(self) -> list[str]:
        """An argument's tokens as they are, without its braces."""
        start = self._position
        if self._tokens[start] == _END:
            raise NormalizeError("a command without its argument ends the formula")
        if self._tokens[start] != "{":
            self._position += 1
            return self._tokens[start : start + 1]
        depth = 0
        while True:
            token = self._tokens[self._position]
            if token == _END:
                raise NormalizeError("{ without }")
            depth += (token == "{") - (token == "}")
            self._position += 1
            if depth == 0:
                return self._tokens[start + 1 : self._position - 1]

    def _accept(self, token: str) -> bool:
        if self._tokens[self._position] != token:
            return False
        self._position += 1
        return True

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NormalizeError(f"nested more than {MAX_DEPTH} deep")

    def _unexpected(self, token: str, missing: str = "") -> NormalizeError:
        if token == _END:
            return NormalizeError(missing or "{ without }")
        reasons = {
            "}": "} without {",
            "&": "& outside an environment",
            "$": "$ inside a formula",
        }
        if token in _ROW_ENDS:
            return NormalizeError(missing or f"{token} inside a group")
        return NormalizeError(reasons.get(token, missing or f"{token} out of place"))


# Tokens that stand for themselves and only need a look at what follows them.
_PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789()=-+,.|/~[]<>:;*!"
)
_PLAIN |= _words(
    "\\alpha \\beta \\gamma \\delta \\epsilon \\varepsilon \\lambda \\mu \\nu \\pi \\rho \\sigma "
    "\\tau \\phi \\psi \\theta \\omega \\xi \\partial \\, \\; \\! \\: \\quad \\prime \\infty \\int "
    "\\in \\cdot \\leq \\times \\bf \\cal"
)


def _border(token: str) -> str:
    r"""The control word of a compound such as `\left(` or `\end{array}`; "" for other tokens."""
    found = _BORDER.match(token)
    return found[1] if found else ""


def _is_plain_in_mathrm(content: list[str]) -> bool:
    if _ITALIC_WORD_END.search("".join(content)):
        return False
    return all(token in _PLAIN_IN_MATHRM or token.isalnum() for token in content)


def _skips_space(token: str) -> bool:
    """Whether TeX drops a blank behind this token: a control word or the control space."""
    return token[0] == "\\" and (len(token) == 1 or token[-1].isalpha())


def _is_group(tokens: list[str]) -> bool:
    """Whether the tokens are one braced group."""
    if len(tokens) < 2 or tokens[0] != "{" or tokens[-1] != "}":
        return False
    depth = 0
    for token in tokens[:-1]:
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if depth == 0:
                return False
    return True


def _braced(tokens: list[str]) -> list[str]:
    return tokens if _is_group(tokens) else ["{", *tokens, "}"]


def _in_braces(argument: list[str]) -> list[str]:
    """An argument with its braces: a group has them, a bare element gets them."""
    return argument if argument[0] == "{" else ["{", *argument, "}"]


def _in_environment(name: str, rows: list[str], begin: Sequence[str] = ()) -> list[str]:
    """The rows in the environment that the normal form has for `name`, with its fences."""
    written = _ENVIRONMENTS[name]
    normal = [f"\\begin{{{written}}}", *begin, *rows, f"\\end{{{written}}}"]
    if name in _FENCES:
        left, right = _FENCES[name]
        return [left, *normal, right]
    return normal


def _joined(cells: list[list[str]]) -> list[str]:
    normal = list(cells[0])
    for cell in cells[1:]:
        normal.append("&")
        normal += cell
    return normal


def _expand_columns(tokens: list[str], depth: int = 0) -> list[str]:
    """Column specification with `*{3}{c}` written out."""
    if depth > 3:
        raise NormalizeError("nested * in a column specification")
    columns: list[str] = []
    position = 0
    while position < len(tokens):
        if tokens[position] != "*":
            columns.append(tokens[position])
            position += 1
            continue
        count, position = _braced_part(tokens, position + 1)
        repeated, position = _braced_part(tokens, position)
        if not "".join(count).isdigit() or int("".join(count)) > 100:
            raise NormalizeError(f"*{{{''.join(count)}}} in a column specification")
        columns += _expand_columns(repeated, depth + 1) * int("".join(count))
        if len(columns) > 1000:
            raise NormalizeError("more than 1000 columns")
    return columns


def _braced_part(tokens: list[str], position: int) -> tuple[list[str], int]:
    if position >= len(tokens):
        raise NormalizeError("* without arguments in a column specification")
    if tokens[position] != "{":
        return [tokens[position]], position + 1
    depth = 0
    for end in range(position, len(tokens)):
        depth += (tokens[end] == "{") - (tokens[end] == "}")
        if depth == 0:
            return tokens[position + 1 : end], end + 1
    raise NormalizeError("{ without } in a column specification")
