r"""Weighted context-free grammars as text, and formulas drawn from them.

A rule is a name and its alternatives, one per indented line, or a list of words on one line:

    sum:
      3* <term> + <term>
      <v=variable>^2 + 2 <v> + 1
    variable = x*5 y*3 z

`3*` is a weight (1 if absent); in a list of words `~` stands for a blank. `<name>` stands for a
rule, `<v=name>` also remembers what was drawn, and `<v>` repeats it within the same alternative.
Lines that begin with `#` are comments.
"""

import bisect
import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from im2latex_jax.errors import Im2latexError

_HEAD = re.compile(r"(?P<name>[a-z][a-z0-9_]*)\s*(?P<kind>[:=])\s*(?P<words>.*)")
_WEIGHT = re.compile(r"(\d+(?:\.\d+)?)\*(?:\s+|$)")
_WORD_WEIGHT = re.compile(r"(.+)\*(\d+(?:\.\d+)?)")
_SLOT = re.compile(r"<(?:(?P<bind>[a-z][a-z0-9_]*)=)?(?P<rule>[a-z][a-z0-9_]*)>")
_CONTROL_WORD_END = re.compile(r"\\[A-Za-z]+$")
_MAX_DEPTH = 40


class GrammarError(Im2latexError):
    """The text of a grammar is not one; the message names the rule."""


@dataclasses.dataclass(frozen=True)
class _Slot:
    rule: str
    bind: str | None


_Template = tuple[str | _Slot, ...]


@dataclasses.dataclass(frozen=True)
class _Rule:
    templates: Sequence[_Template]
    cumulative: Sequence[float]

    def pick(self, rng: np.random.Generator) -> _Template:
        mark = rng.random() * self.cumulative[-1]
        return self.templates[min(bisect.bisect(self.cumulative, mark), len(self.templates) - 1)]


class Grammar:
    """Rules by name; see the module.

    Args:
      texts: the rules, in any order; a name may not be defined twice.

    Raises:
      GrammarError: a line cannot be read, or a rule is missing, empty or defined twice.
    """

    def __init__(self, texts: Iterable[str]):
        self._rules: dict[str, _Rule] = {}
        for text in texts:
            for name, alternatives in _parse(text).items():
                if name in self._rules:
                    raise GrammarError(f"rule {name} is defined twice")
                if not alternatives:
                    raise GrammarError(f"rule {name} has no alternatives")
                templates, weights = zip(*alternatives, strict=True)
                self._rules[name] = _Rule(templates, list(itertools.accumulate(weights)))
        for name, rule in self._rules.items():
            for template in rule.templates:
                self._check(name, template)

    def _check(self, name: str, template: _Template) -> None:
        bound = {part.bind for part in template if isinstance(part, _Slot)}
        for part in template:
            if isinstance(part, _Slot) and part.rule not in self._rules.keys() | bound:
                raise GrammarError(f"rule {name} refers to <{part.rule}>, which is not defined")

    def generate(
        self, name: str, rng: np.random.Generator, bound: Mapping[str, str] | None = None
    ) -> str:
        """Text drawn from a rule.

        Args:
          name: of the rule.
          rng: source of the choices; nothing else influences them.
          bound: texts for slots that the rule's own alternatives leave open.
        """
        return self._expand(self._rules[name].pick(rng), rng, dict(bound or {}), 0)

    def fill(self, template: str, rng: np.random.Generator, bound: Mapping[str, str]) -> str:
        """A template that is no rule, with its slots filled."""
        return self._expand(_template(template), rng, dict(bound), 0)

    def _expand(
        self, template: _Template, rng: np.random.Generator, bound: dict[str, str], depth: int
    ) -> str:
        if depth > _MAX_DEPTH:
            raise GrammarError("rules are nested without end: give the flat alternatives weight")
        pieces = []
        for part in template:
            if isinstance(part, str):
                pieces.append(part)
            elif part.bind is None and part.rule in bound:
                pieces.append(bound[part.rule])
            else:
                text = self._expand(self._rules[part.rule].pick(rng), rng, {}, depth + 1)
                if part.bind:
                    bound[part.bind] = text
                pieces.append(text)
        return _join(pieces)


def _join(pieces: Sequence[str]) -> str:
    """Concatenates, with a blank where a control word would run into a letter."""
    text = ""
    for piece in pieces:
        if text and piece[:1].isalpha() and _CONTROL_WORD_END.search(text):
            text += " "
        text += piece
    return text


def _parse(text: str) -> dict[str, list[tuple[_Template, float]]]:
    rules: dict[str, list[tuple[_Template, float]]] = {}
    current: list[tuple[_Template, float]] | None = None
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] == " ":
            if current is None:
                raise GrammarError(f"an alternative before the first rule: {line.strip()}")
            content = line.strip()
            weight = _WEIGHT.match(content)
            rest = content[weight.end() :] if weight else content
            current.append((_template(rest), float(weight[1]) if weight else 1.0))
            continue
        head = _HEAD.fullmatch(line.rstrip())
        if not head or (head["kind"] == ":" and head["words"]):
            raise GrammarError(f"neither a rule's head nor an alternative: {line}")
        if head["name"] in rules:
            raise GrammarError(f"rule {head['name']} is defined twice")
        current = rules[head["name"]] = []
        for word in head["words"].split():
            weighted = _WORD_WEIGHT.fullmatch(word)
            plain, weight_text = weighted.groups() if weighted else (word, "1")
            current.append((_template(plain.replace("~", " ")), float(weight_text)))
    return rules


def _template(text: str) -> _Template:
    parts: list[str | _Slot] = []
    end = 0
    for slot in _SLOT.finditer(text):
        if slot.start() > end:
            parts.append(text[end : slot.start()])
        parts.append(_Slot(slot["rule"], slot["bind"]))
        end = slot.end()
    if end < len(text) or not parts:
        parts.append(text[end:])
    return tuple(parts)
