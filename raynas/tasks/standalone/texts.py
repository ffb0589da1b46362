"""Texts as inputs of the network; this file needs torch alone.

The network of an export, and what it predicts for texts::

    from inputs import encode
    from model import load

    predictions = load()(encode(["a text"]))

What it knows of the tokens is in ``architecture.json`` beside it. A tokenizer of Hugging Face
needs the package ``tokenizers``, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category, normalize

# These scripts put no space between words: each of their characters is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"


@cache
def _word() -> re.Pattern[str]:
    """Return the pattern of a word, or of a punctuation mark.

    Vowel signs and accents belong to their word, though Python's ``re`` leaves them out.
    """
    marks = "".join(c for c in map(chr, range(0x300, 0x10000)) if category(c).startswith("M"))
    return re.compile(rf"[{_UNSPACED}][{marks}]*|(?:[^\W{_UNSPACED}][{marks}]*)+|[^\w\s]")


def words_of(text: str) -> list[str]:
    """Return the words and punctuation marks of a text, in lower case."""
    return _word().findall(normalize("NFC", text).lower())


def encode(texts: Iterable[str], folder: Path | str = Path(__file__).parent) -> Any:
    """Return texts as a tensor ``[texts, length]``.

    A network that predicts the next token gets the last tokens of each text. Other networks get
    the first ones, and zeros after a short text.

    Args:
        texts: The texts.
        folder: Where ``architecture.json`` is.

    Raises:
        ValueError: A text has too few tokens to predict the next one.
    """
    import torch

    card = json.loads((Path(folder) / "architecture.json").read_text(encoding="utf-8"))
    encoding, (length,) = card["encoding"], card["input"]["shape"]
    rows = [ids_of(text, encoding) for text in texts]
    if "length" in encoding:
        rows = [[one + 1 for one in row[:length]] for row in rows]
        rows = [row + [0] * (length - len(row)) for row in rows]
    elif short := [len(row) for row in rows if len(row) < length]:
        raise ValueError(f"each text must have {length} tokens or more: got {short[0]}")
    return torch.tensor([row[-length:] for row in rows], dtype=torch.int64)


def ids_of(text: str, encoding: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the tokens of a text, from 0 on."""
    if encoding["tokens"] == "tokenizer":
        from tokenizers import Tokenizer

        found: list[int] = (
            Tokenizer.from_str(encoding["tokenizer"]).encode(text, add_special_tokens=False).ids
        )
        return found
    known = encoding[encoding["tokens"]]
    number = {one: at for at, one in enumerate(known, 1)}
    parts = words_of(text) if encoding["tokens"] == "words" else text
    return [number.get(one, 0) for one in parts]
