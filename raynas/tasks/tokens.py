"""Texts as numbers of tokens: words, characters, or the tokens of a tokenizer file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from raynas.errors import ConfigError, DataError
from raynas.tasks.standalone.texts import words_of

# What training holds less often is unknown, so that networks learn what an unknown token means.
_LEAST_WORDS: Final = 2
_LEAST_CHARACTERS: Final = 3
_UNKNOWN: Final = 0.5  # the largest share of the tokens that a tokenizer may not know


class Tokens(Protocol):
    """How a text becomes numbers."""

    @property
    def size(self) -> int:
        """How many tokens there are."""
        ...

    def ids(self, text: str) -> list[int]:
        """Return the numbers of the tokens of a text, from 0 on."""
        ...

    def card(self) -> dict[str, Any]:
        """Return what ``tokens_of`` makes the same tokens of, as JSON-ready data."""
        ...


@dataclass(frozen=True)
class Words:
    """Words and punctuation marks in lower case; number 0 is an unknown word.

    Attributes:
        words: The known words.
    """

    words: tuple[str, ...]
    _number: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Number the words."""
        object.__setattr__(self, "_number", {word: at for at, word in enumerate(self.words, 1)})

    @classmethod
    def fitted(cls, texts: Iterable[str], most: int) -> Words:
        """Return the words that the texts hold most often, and twice or more.

        Raises:
            DataError: There is none.
        """
        counts = Counter(word for text in texts for word in words_of(text))
        often = [word for word, n in counts.most_common(most) if n >= _LEAST_WORDS]
        if not often:
            raise DataError(
                "the training texts must hold a word twice or more: each of their "
                f"{len(counts)} different words stands there once"
            )
        return cls(tuple(often))

    @property
    def size(self) -> int:
        """How many words there are, with the unknown one."""
        return len(self.words) + 1

    def ids(self, text: str) -> list[int]:
        """Return the numbers of the words of a text."""
        return [self._number.get(word, 0) for word in words_of(text)]

    def unknown(self, texts: Iterable[str]) -> float:
        """Return the share of the words of texts that are unknown."""
        ids = [one for text in texts for one in self.ids(text)]
        return ids.count(0) / max(1, len(ids))

    def card(self) -> dict[str, Any]:
        """Return the words."""
        return {"tokens": "words", "words": [*self.words]}


@dataclass(frozen=True)
class Characters:
    """Characters; number 0 is an unknown one.

    Attributes:
        characters: The known characters.
    """

    characters: str
    _number: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Number the characters."""
        object.__setattr__(self, "_number", {one: at for at, one in enumerate(self.characters, 1)})

    @classmethod
    def fitted(cls, text: str) -> Characters:
        """Return the characters of a text that it holds three times or more.

        Raises:
            DataError: There is none.
        """
        counts = Counter(text)
        often = sorted(one for one, n in counts.items() if n >= _LEAST_CHARACTERS)
        if not often:
            raise DataError(
                "the training part must hold a character three times or more: got "
                f"{len(text)} characters, {len(counts)} of them different"
            )
        return cls("".join(often))

    @property
    def size(self) -> int:
        """How many characters there are, with the unknown one."""
        return len(self.characters) + 1

    def ids(self, text: str) -> list[int]:
        """Return the numbers of the characters of a text."""
        return [self._number.get(one, 0) for one in text]

    def card(self) -> dict[str, Any]:
        """Return the characters."""
        return {"tokens": "characters", "characters": self.characters}


@dataclass(frozen=True)
class Tokenizer:
    """The tokens of a tokenizer of Hugging Face's ``tokenizers``.

    Attributes:
        content: The tokenizer's file.
    """

    content: str
    _tokenizer: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Load the tokenizer."""
        object.__setattr__(self, "_tokenizer", _loaded(self.content))

    @classmethod
    def read(cls, file: Path) -> Tokenizer:
        """Return the tokenizer of a file.

        Raises:
            ConfigError: The package ``tokenizers`` is missing.
            DataError: The file holds no tokenizer.
        """
        try:
            return cls(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{file} must be the file of a tokenizer (tokenizer.json) of Hugging Face's "
                f"tokenizers: {error}"
            ) from error

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return int(self._tokenizer.get_vocab_size())

    def ids(self, text: str) -> list[int]:
        """Return the numbers of the tokens of a text, without special tokens around it."""
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def card(self) -> dict[str, Any]:
        """Return the tokenizer's file."""
        return {"tokens": "tokenizer", "tokenizer": self.content}

    def check(self, texts: Sequence[str]) -> None:
        """Check that the tokenizer knows most of what the texts hold.

        Raises:
            DataError: It does not.
        """
        unknown = getattr(self._tokenizer.model, "unk_token", None)
        number = None if unknown is None else self._tokenizer.token_to_id(unknown)
        ids = [one for text in texts for one in self.ids(text)]
        share = ids.count(number) / len(ids) if ids and number is not None else float(not ids)
        if share > _UNKNOWN:
            raise DataError(
                f"the tokenizer does not fit the texts: {share:.0%} of their tokens are unknown "
                f"to it (at most {_UNKNOWN:.0%} may be); choose another tokenizer, or leave the "
                "option 'tokenizer' out"
            )


def _loaded(content: str) -> Any:
    try:
        from tokenizers import Tokenizer as Loaded  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ConfigError(
            "a tokenizer file needs the package tokenizers: pip install 'raynas[text]'"
        ) from error
    try:
        return Loaded.from_str(content)
    except Exception as error:  # the package raises plain exceptions
        raise ValueError(str(error)) from error


def tokens_of(card: Mapping[str, Any]) -> Tokens:
    """Return the tokens that a card describes.

    Raises:
        DataError: It describes none.
    """
    described = card.get("encoding", {})
    match described.get("tokens"):
        case "words":
            return Words(tuple(described["words"]))
        case "characters":
            return Characters(described["characters"])
        case "tokenizer":
            return Tokenizer(described["tokenizer"])
    raise DataError("the card must be that of a winner of the task 'text' or 'language_model'")
