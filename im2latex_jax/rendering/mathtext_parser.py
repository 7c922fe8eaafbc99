"""A direct parser for mathtext: the same pictures in a fifth of the time.

Mathtext's grammar runs on pyparsing, whose backtracking takes most of the time of a drawing. This
one reads the common part of the grammar by recursive descent and calls the same actions, in the
same order, that build boxes and glue. What it does not know it leaves to mathtext's own parser,
which also explains what is wrong with a formula that neither can read.

It is built on internals of matplotlib (3.8 and later); a test compares it with mathtext's parser.
"""

import re
from typing import Any

from matplotlib._mathtext import Glue, Hlist, Kern, List, Node, Parser, ParserState
from matplotlib._mathtext_data import tex2uni
from pyparsing import ParseBaseException, ParseResults

from im2latex_jax.rendering.limits import too_large

_TOKEN = re.compile(r"\s*(\\[A-Za-z]+|\\.|\S)")
_CHARACTER = re.compile(r"[a-zA-Z0-9+\-*/<>=:,.;!?&@()\[\]|\x80-\U0001ffff]|\\[%{}\[\]_|]")
_CONTROL_WORD = re.compile(r"\\[A-Za-z]+")
_END = ""  # behind the last token
_MOST_FOR_PYPARSING = 2000  # tokens; mathtext's own parser takes half a second for as many


class TooLargeError(ValueError):
    """The formula's image would be larger than any that is drawn; the message is the reason."""


class _UnknownError(Exception):
    """The formula goes beyond what is read here."""


def _parts(**parts: Any) -> Any:
    """What an action is given: it asks for parts by name, as a `ParseResults` would let it."""
    return parts


def _one(result: Any) -> Node:
    """The node that an action made; some give it in a list."""
    return result[0] if isinstance(result, list) else result


def _moved(boxes: List) -> float:
    """The sum of all movements by spaces, in pixels, those to the left counted as positive."""
    moved, waiting = 0.0, [boxes]
    while waiting:
        for child in waiting.pop().children:
            if isinstance(child, List):
                waiting.append(child)
            elif isinstance(child, Glue):
                moved += abs(child.glue_spec.width)
            elif isinstance(child, Kern):
                moved += abs(child.width)
    return moved


class DirectParser(Parser):
    """`matplotlib._mathtext.Parser` with a quick way for common formulas.

    The methods that are called here and not defined are the parse actions of the base class.
    """

    def parse(self, s: str, fonts_object, fontsize: float, dpi: float) -> Hlist:
        """The boxes of a formula `$...$`, as the base class gives them.

        Raises:
          TooLargeError: they would make too large an image.
        """
        boxes = self._parse(s, fonts_object, fontsize, dpi)
        # Mathtext makes an image of all that is painted, wherever spaces have moved it.
        width = max(abs(boxes.width), _moved(boxes))
        if reason := too_large(width, boxes.height + boxes.depth, dpi):
            raise TooLargeError(reason)
        return boxes

    def _parse(self, s: str, fonts_object, fontsize: float, dpi: float) -> Hlist:
        self._state_stack = [ParserState(fonts_object, "default", "rm", fontsize, dpi)]
        self._em_width_cache = {}
        try:
            return self._formula(s[1:-1])
        except (_UnknownError, ParseBaseException):
            self._needs_space_after_subsuper = False
            if len(self._tokens) > _MOST_FOR_PYPARSING:
                raise TooLargeError(
                    f"of more than {_MOST_FOR_PYPARSING} tokens, only plain formulas can be drawn"
                ) from None
            return super().parse(s, fonts_object, fontsize, dpi)
        finally:
            self._state_stack = []
            self._needs_space_after_subsuper = False

    def _formula(self, text: str) -> Hlist:
        self._text = text
        matches = list(_TOKEN.finditer(text))
        self._tokens = [match[1] for match in matches] + [_END]
        self._starts = [match.start(1) for match in matches] + [len(text)]
        self._position = 0
        # A formula stands between two pieces of plain text, which are empty here.
        nothing: Any = [""]
        before = self.non_math(nothing)
        formula = Hlist(self._until(_END))
        self.pop_state()
        return Hlist([*before, formula, *self.non_math(nothing)])

    def _next(self) -> str:
        token = self._peek()
        self._position += 1
        return token

    def _peek(self) -> str:
        return self._tokens[self._position]

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise _UnknownError

    def _until(self, end: str) -> list[Node]:
        """The nodes up to the token `end`, which is taken too."""
        nodes = []
        while self._peek() != end:
            if self._peek() in self._space_widths:
                nodes.append(_one(self.space(_parts(space=self._next()))))
            else:
                nodes.append(self._scripted())
        self._position += 1
        return nodes

    def _scripted(self) -> Node:
        start = self._starts[self._position]
        nucleus = None if self._peek() in ("_", "^") else self._nucleus()
        scripts: list[str | Node] = []
        while self._peek() in ("_", "^"):
            scripts += [self._next(), self._nucleus()]
        if nucleus is None:
            return _one(self.subsuper(self._text, start, _parts(subsuper=scripts)))
        if not scripts:
            return nucleus
        return _one(self.subsuper(self._text, start, _parts(nucleus=nucleus, subsuper=scripts)))

    def _nucleus(self) -> Node:
        """One symbol, group or structure; the order of the tests is that of mathtext's grammar."""
        start = self._starts[self._position]
        token = self._next()
        if _CONTROL_WORD.fullmatch(token):
            return self._control_word(token[1:], start)
        if token == "{":
            return self._group(_parts())
        if _CHARACTER.fullmatch(token):
            return _one(self.symbol(self._text, start, _parts(sym=token)))
        raise _UnknownError

    def _control_word(self, name: str, start: int) -> Node:
        if name in self._accent_map or name in self._wide_accents:
            return _one(self.accent(_parts(accent=name, sym=self._nucleus())))
        if name in tex2uni:
            return _one(self.symbol(self._text, start, _parts(sym=f"\\{name}")))
        if name in self._function_names:
            return _one(self.function(self._text, start, _parts(name=name)))
        if name == "operatorname":
            self._expect("{")
            letters = ParseResults(self._until("}"))
            return _one(self.operatorname(self._text, start, _parts(name=letters)))
        if name.startswith("math") and name[4:] in self._fontnames:
            self._expect("{")
            return self._group(_parts(font=name[4:]))
        if name in ("frac", "dfrac", "binom"):
            action = getattr(self, name)
            return _one(action(_parts(num=self._argument(), den=self._argument())))
        if name == "sqrt":
            return self._root()
        if name == "left":
            left = self._delimiter()
            middle = ParseResults(self._until(r"\right"))
            return _one(self.auto_delim(_parts(left=left, mid=middle, right=self._delimiter())))
        raise _UnknownError

    def _group(self, font: Any) -> Node:
        self.start_group(font)
        nodes = self._until("}")
        self.end_group()
        return _one(self.group(_parts(group=nodes)))

    def _argument(self) -> Node:
        self._expect("{")
        return _one(self.required_group(_parts(group=self._until("}"))))

    def _root(self) -> Node:
        if self._peek() != "[":
            return _one(self.sqrt(_parts(value=self._argument())))
        self._next()
        return _one(self.sqrt(_parts(root=self._until("]"), value=self._argument())))

    def _delimiter(self) -> str:
        token = self._next()
        if token not in self._delims:
            raise _UnknownError
        return token
