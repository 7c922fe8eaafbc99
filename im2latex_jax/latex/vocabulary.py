"""Tokens to integers and back."""

import collections
import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence

from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex import lexer
from im2latex_jax.runtime import files, untrusted

PAD = 0
BOS = 1
EOS = 2
UNK = 3
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>")
MAX_TOKENS = 100_000
MAX_TOKEN_CHARACTERS = 256
MAX_FILE_BYTES = 16 << 20


class VocabularyError(Im2latexError):
    """A vocabulary's tokens or file cannot be used."""


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """All tokens a network can write; a token's id is its place in `tokens`.

    Attributes:
      tokens: the four special tokens, then the others, without duplicates.
    """

    tokens: tuple[str, ...]
    _ids: dict[str, int] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.tokens[: len(SPECIAL_TOKENS)] != SPECIAL_TOKENS:
            raise VocabularyError(f"a vocabulary begins with {' '.join(SPECIAL_TOKENS)}")
        ids = {token: number for number, token in enumerate(self.tokens)}
        if len(ids) != len(self.tokens):
            twice = next(t for t, n in collections.Counter(self.tokens).items() if n > 1)
            raise VocabularyError(f"token {twice!r} is in the vocabulary twice")
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def build(
        cls,
        token_lists: Iterable[Sequence[str]],
        min_count: int = 1,
        max_size: int | None = None,
    ) -> "Vocabulary":
        """Assembles the vocabulary of the training captions.

        The order is by falling count, then by text, so that it does not depend on the captions'
        order.

        Args:
          token_lists: one list of tokens a caption.
          min_count: rarer tokens are left out, and encode to UNK.
          max_size: the most tokens kept, the four special ones included.
        """
        counts: collections.Counter[str] = collections.Counter()
        for tokens in token_lists:
            counts.update(tokens)
        return cls.from_counts(counts, min_count, max_size)

    @classmethod
    def from_counts(
        cls, counts: Mapping[str, int], min_count: int = 1, max_size: int | None = None
    ) -> "Vocabulary":
        """As `build`, from how often each token comes."""
        kept = sorted(
            (t for t, n in counts.items() if n >= min_count and t not in SPECIAL_TOKENS),
            key=lambda t: (-counts[t], t),
        )
        if max_size is not None:
            kept = kept[: max(0, max_size - len(SPECIAL_TOKENS))]
        return cls(SPECIAL_TOKENS + tuple(kept))

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Ids of the tokens, UNK for those not held; BOS and EOS are not added."""
        return [self._ids.get(token, UNK) for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Tokens up to the first EOS, without PAD and BOS.

        Raises:
          IndexError: for an id that is negative or not below `len(self)`.
        """
        tokens = []
        for number in map(int, ids):
            if number == EOS:
                break
            if number in (PAD, BOS):
                continue
            if number < 0:
                raise IndexError(f"token id {number} is negative")
            tokens.append(self.tokens[number])
        return tokens

    def check(self) -> None:
        """Checks the tokens of a file from elsewhere: what is read is printed to a terminal.

        Raises:
          VocabularyError: there are too many, or one is no LaTeX token as `lexer` has it (longer
            than any, of several, or with a control character).
        """
        if len(self) > MAX_TOKENS:
            raise VocabularyError(f"{len(self):,} tokens, and {MAX_TOKENS:,} are allowed")
        for token in self.tokens[len(SPECIAL_TOKENS) :]:
            if len(token) > MAX_TOKEN_CHARACTERS or not _is_one_token(token):
                raise VocabularyError(f"{token[:50]!r} is not a LaTeX token")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the tokens as a JSON list, a token a line: the whole file or none of it."""
        text = json.dumps(list(self.tokens), ensure_ascii=False, indent=0)
        files.write_text(path, text + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Reads what `save` wrote.

        Raises:
          VocabularyError: if the file is missing or is not a vocabulary.
        """
        try:
            tokens = untrusted.parse_json(untrusted.read_file(path, MAX_FILE_BYTES))
        except OSError as error:
            raise VocabularyError(f"cannot read vocabulary {path}: {error.strerror}") from error
        except untrusted.UntrustedFileError as error:
            raise VocabularyError(f"cannot read vocabulary {error}") from error
        except ValueError as error:
            raise VocabularyError(
                f"vocabulary {path} is not JSON ({error}): save it again"
            ) from error
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise VocabularyError(f"vocabulary {path} is not a JSON list of strings: save it again")
        try:
            return cls(tuple(tokens))
        except VocabularyError as error:
            raise VocabularyError(f"vocabulary {path} is broken: {error}") from error


def _is_one_token(token: str) -> bool:
    try:
        return lexer.tokenize(token) == [token]
    except lexer.LexError:
        return False
