"""The next character, or token, of a text."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError
from raynas.goals import NextToken
from raynas.tasks import topics
from raynas.tasks.reading import located, read_text, text_files
from raynas.tasks.rows import check_pieces, pieces
from raynas.tasks.task import Source
from raynas.tasks.tokens import Characters, Tokenizer, Tokens, tokens_of

_LOG = logging.getLogger("raynas")


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A text of your own, or Python's reference, of which networks learn the next character.

    Training, validation and test data are pieces of the text, in this order. Each piece is cut
    into windows that do not overlap. Characters that the training piece holds less than three
    times count as one unknown character, number 0. With characters, ``bits_per_token`` are bits
    per character.

    Without a file, the text is the reference that ``help()`` of Python shows, about 370,000
    characters. It differs a little between versions of Python.

    ``build`` may ask for ``vocabulary``, how many characters there are, and ``length``.

    Attributes:
        file: A text file, or a folder of ``.txt`` files, which are joined in the order of their
            names. It is looked for as given, then in ``--data-dir``.
        length: The characters of a window.
        tokenizer: A file of Hugging Face's ``tokenizers`` whose tokens are used instead of
            characters.
        valid: The fraction of the text for validation.
        test: The fraction of the text for the winner's test.
    """

    name: ClassVar[str] = "language_model"
    space: ClassVar[str] = "recurrent_cells"
    recipe: ClassVar[Mapping[str, object]] = MappingProxyType(
        {
            "optimizer": "adamw",
            "lr": 5e-3,
            "weight_decay": 0.01,
            "batch_size": 16,
            "grad_clip": 1.0,
            "label_smoothing": 0.0,
        }
    )

    file: Path | None = None
    length: int = 64
    tokenizer: Path | None = None
    valid: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        """Check the length and the fractions."""
        if self.length < 1:
            raise ConfigError(f"length must be at least 1: got {self.length}")
        check_pieces(self.valid, self.test)

    def load(self, source: Source, seed: int) -> Data:  # noqa: ARG002 - the parts have an order
        """Return windows [windows, length] int64, and as targets the same, one place later.

        Raises:
            DataError: The file is missing, the text is too short, or the tokenizer does not fit.
        """
        text = topics.whole_text() if self.file is None else _read(located(self.file, source))
        parts = pieces(text, self.valid, self.test)
        tokens = self._tokens(parts["training"], source)
        train, valid, test = (
            self._windows(name, tokens.ids(piece)) for name, piece in parts.items()
        )
        _LOG.info(
            "the text has %d characters; %d tokens; windows of %d: %s",
            len(text),
            tokens.size,
            self.length,
            ", ".join(
                f"{len(one)} {name}" for name, one in zip(parts, (train, valid, test), strict=True)
            ),
        )
        return Data(
            train,
            valid,
            test,
            goal=NextToken(tokens.size),
            brief={"length": self.length},
            exchangeable=False,
            encoding=tokens.card(),
        )

    def _tokens(self, text: str, source: Source) -> Tokens:
        if self.tokenizer is None:
            return Characters.fitted(text)
        tokenizer = Tokenizer.read(located(self.tokenizer, source))
        tokenizer.check([text])
        return tokenizer

    def _windows(self, piece: str, ids: list[int]) -> Split:
        count = (len(ids) - 1) // self.length
        if count < 1:
            raise DataError(
                f"each part of the text must have more than length={self.length} tokens: the "
                f"{piece} part has {len(ids)}; give a longer text, or a smaller length"
            )
        array = np.array(ids[: count * self.length + 1], np.int64)
        shape = count, self.length
        return Split(array[:-1].reshape(shape), np.ascontiguousarray(array[1:]).reshape(shape))


def encode(text: str, card: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the numbers of a text's tokens, as a network of this task takes them, ``[tokens]``.

    Args:
        text: The text.
        card: The winner's card, the contents of ``architecture.json``.

    Raises:
        DataError: The card is of another task.
    """
    return np.array(tokens_of(card).ids(text), np.int64)


def _read(path: Path) -> str:
    """Return the text of a file, or of the ``.txt`` files below a folder."""
    if not path.is_dir():
        return read_text(path)
    if not (files := text_files(path)):
        raise DataError(f"{path.absolute()} must hold at least one .txt file: got none")
    return "\n".join(map(read_text, files))
