"""A position in the tokens of one statement."""

import abc
from collections.abc import Sequence

import sympy

from im2latex_jax.solving.notation import REFUSED
from im2latex_jax.solving.statements import CLOSERS, RELATIONS, NotComputableError


class Cursor(abc.ABC):
    """The tokens of one statement, taken one after the other.

    Attributes:
      tokens: the statement, and an empty token at its end.
      position: of the next token.
      notes: how ambiguous notation was read, as keys.
    """

    def __init__(self, tokens: Sequence[str], notes: dict[str, None]):
        self.tokens = [*tokens, ""]
        self.position = 0
        self.notes = notes

    @abc.abstractmethod
    def sum(self) -> sympy.Basic:
        """Terms up to what is neither plus nor minus."""

    @abc.abstractmethod
    def script(self) -> sympy.Expr:
        """The contents of a sub- or superscript's braces."""

    def peek(self) -> str:
        """The next token; empty at the end."""
        return self.tokens[self.position]

    def next(self) -> str:
        """Takes the next token.

        Raises:
          NotComputableError: there is none.
        """
        token = self.tokens[self.position]
        if not token:
            raise self.refused()
        self.position += 1
        return token

    def accept(self, token: str) -> bool:
        """Takes the token if it is the next one."""
        if self.tokens[self.position] != token:
            return False
        self.position += 1
        return True

    def expect(self, token: str) -> None:
        """Takes the token.

        Raises:
          NotComputableError: another one is next.
        """
        if not self.accept(token):
            raise self.refused()

    def refused(self) -> NotComputableError:
        """Why the next token cannot stand here."""
        token = self.peek()
        if not token:
            return NotComputableError("something is missing at its end, or a bracket is not closed")
        if token in REFUSED:
            return NotComputableError(f"{token}: {REFUSED[token]}")
        if token in CLOSERS or token in RELATIONS or token in "+-*/":
            return NotComputableError(f"something is missing before {token}, or it does not fit")
        return NotComputableError(f"{token} is not known here")
