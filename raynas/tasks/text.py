"""Texts, each of one class."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError
from raynas.goals import Classification, macro_f1
from raynas.tasks import topics
from raynas.tasks.class_folders import folders_in, parts_of
from raynas.tasks.columns import texts as as_texts
from raynas.tasks.reading import (
    located,
    read_table,
    read_text,
    require_columns,
    text_files,
)
from raynas.tasks.rows import divided, labelled
from raynas.tasks.task import Source
from raynas.tasks.tokens import Tokenizer, Tokens, Words, tokens_of

_LOG = logging.getLogger("raynas")
_UNKNOWN: Final = 0.5  # a larger share of unknown words is said
_NEEDS: Final = "text needs at least two class folders (CLASS/*.txt) in its folder"


@dataclass(frozen=True, slots=True)
class Text:
    """Texts of your own, or paragraphs of Python's reference.

    Networks get the numbers of the first ``length`` tokens of each text. Number 0 fills up shorter
    texts, 1 is an unknown word. The known words are those that the training texts hold twice or
    more.

    Without a file, the texts are paragraphs of the reference that ``help()`` of Python shows, and
    the classes are eight groups of its topics. They differ a little between versions of Python.

    ``build`` may ask for ``vocabulary``, how many numbers there are, and ``length``. ``macro_f1``
    is reported, too.

    Attributes:
        file: A table ``.csv``, ``.tsv``, ``.parquet`` or ``.jsonl`` with a column of texts and one
            of classes (text files may end in ``.gz``), or a folder with one folder of ``.txt``
            files for each class, which may lie in parts ``train``, ``val`` and ``test``. It is
            looked for as given, then in ``--data-dir``.
        text: The column of the texts.
        label: The column of the classes.
        words: The largest number of known words; those that training holds most often.
        length: How many tokens of a text networks get.
        tokenizer: A file of Hugging Face's ``tokenizers`` whose tokens are used instead of words.
        valid: The fraction of all texts for validation.
        test: The fraction of all texts for the winner's test.
    """

    name: ClassVar[str] = "text"
    space: ClassVar[str] = "textnas"
    recipe: ClassVar[Mapping[str, object]] = MappingProxyType(
        {
            "optimizer": "adamw",
            "lr": 5e-3,
            "weight_decay": 0.2,
            "batch_size": 32,
            "grad_clip": 1.0,
            "ema": 0.98,
        }
    )

    file: Path | None = None
    text: str = "text"
    label: str = "label"
    words: int = 5000
    length: int = 64
    tokenizer: Path | None = None
    valid: float = 0.2
    test: float = 0.2

    def __post_init__(self) -> None:
        """Check the sizes and the columns."""
        if min(self.words, self.length) < 1:
            raise ConfigError(
                f"words and length must be at least 1: got {self.words} and {self.length}"
            )
        if self.text == self.label:
            raise ConfigError(f"text and label must be two columns: got {self.text!r} for both")

    def load(self, source: Source, seed: int) -> Data:
        """Return the texts as [texts, length] int64.

        Raises:
            DataError: The file or a column is missing, there is one class only, a part would be
                empty, or the tokenizer does not fit.
        """
        texts, classes, parts = self._read(source)
        names = sorted({*classes})
        labels = labelled(classes, names)
        goal = Classification(names=tuple(names), extra={"macro_f1": macro_f1})
        rows = divided(labels, goal, seed, self.valid, self.test, parts)
        written = [[texts[row] for row in some] for some in rows]
        tokens = self._tokens(written[0], source)
        train, valid, test = (
            Split(_matrix(part, tokens, self.length), labels[some])
            for part, some in zip(written, rows, strict=True)
        )
        self._say(written[0], tokens)
        size = tokens.size + 1
        return Data(
            train,
            valid,
            test,
            goal=goal,
            brief={"vocabulary": size, "length": self.length},
            encoding={**tokens.card(), "length": self.length},
        )

    def suited(self, data: Data) -> Mapping[str, object]:  # noqa: ARG002 - by contract
        """Return settings: embeddings of words need more epochs than images."""
        return {"epochs": 15}

    def _read(self, source: Source) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        """Return the texts, their classes, and their parts; no parts if we divide them."""
        if self.file is None:
            pairs = [(text, group) for group, some in topics.paragraphs().items() for text in some]
        elif (path := located(self.file, source)).is_dir():
            return _of_folders(path)
        else:
            table = read_table(path)
            require_columns(table, (self.text, self.label))
            pairs = self._pairs(table)
        texts, classes = zip(*pairs, strict=True)
        return texts, classes, ()

    def _pairs(self, table: Any) -> list[tuple[str, str]]:
        whole = table[[self.text, self.label]].dropna()
        if left := len(table) - len(whole):
            _LOG.warning("%d of %d rows lack a text or a class and are left out", left, len(table))
        if not len(whole):
            raise DataError(f"a row must have {self.text!r} and {self.label!r}: none has both")
        return [*zip(whole[self.text].map(str), as_texts(whole[self.label]), strict=True)]

    def _tokens(self, texts: Sequence[str], source: Source) -> Tokens:
        if self.tokenizer is None:
            return Words.fitted(texts, self.words)
        tokenizer = Tokenizer.read(located(self.tokenizer, source))
        tokenizer.check(texts)
        return tokenizer

    def _say(self, texts: Sequence[str], tokens: Tokens) -> None:
        longer = sum(len(tokens.ids(text)) > self.length for text in texts) / len(texts)
        _LOG.info(
            "%d known tokens; %.0f %% of the training texts have more than length=%d tokens and "
            "are cut off",
            tokens.size,
            100 * longer,
            self.length,
        )
        if isinstance(tokens, Words) and (unknown := tokens.unknown(texts)) > _UNKNOWN:
            _LOG.warning(
                "%.0f %% of the words in the training texts are unknown, because they stand there "
                "once; with the option 'tokenizer', a file says what the tokens are",
                100 * unknown,
            )


def encode(texts: Iterable[str], card: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return new texts as a network of this task takes them.

    For example ``winner.predict(encode(["a text"], winner.card))`` with ``winner`` of
    ``raynas.load_winner``.

    Args:
        texts: The texts.
        card: The winner's card, the contents of ``architecture.json``.

    Returns:
        ``[texts, length]``.

    Raises:
        DataError: The card is of another task.
    """
    return _matrix(texts, tokens_of(card), card["encoding"]["length"])


def _matrix(texts: Iterable[str], tokens: Tokens, length: int) -> NDArray[np.int64]:
    """Return the numbers of tokens, plus 1; 0 fills up short texts."""
    rows = [tokens.ids(text)[:length] for text in texts]
    matrix = np.zeros((len(rows), length), np.int64)
    for row, ids in zip(matrix, rows, strict=True):
        row[: len(ids)] = np.add(ids, 1)
    return matrix


def _of_folders(root: Path) -> tuple[list[str], list[str], list[str]]:
    """Return the texts of the ``.txt`` files in each class folder, their classes and parts.

    Raises:
        DataError: There are no such folders, one is empty, or a file is not UTF-8 text.
    """
    parts = parts_of(root, _NEEDS)
    found: list[tuple[str, str, str]] = []
    for part, place in parts.items():
        for folder in folders_in(place):
            if not (files := text_files(folder)):
                raise DataError(f"{folder.absolute()} must hold at least one .txt file: got none")
            found += [(read_text(file), folder.name, part) for file in files]
    texts, classes, each = map(list, zip(*found, strict=True))
    return texts, classes, each
