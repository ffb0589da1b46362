"""The text of Python's reference that ``help()`` shows, from the standard library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

_WORDS: Final = 8  # a paragraph has at least so many

GROUPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "compound statements": ("compound",),
        "debugger": ("debugger",),
        "expressions": (
            *("atom-identifiers", "attribute-references", "binary", "bitwise", "booleans"),
            *("calls", "comparisons", "conversions", "exprlists", "identifiers", "lambda"),
            *("operator-summary", "power", "shifting", "slicings", "subscriptions", "unary"),
        ),
        "names and modules": ("execmodel", "import", "naming", "dynamic-features"),
        "sequences and mappings": ("typesmapping", "typesseq"),
        "special methods": ("specialnames",),
        "strings": ("formatstrings", "string-methods", "strings"),
        "types": ("objects", "types"),
    }
)
"""Topics by group."""


def paragraphs() -> dict[str, list[str]]:
    """Return the paragraphs of each group, each of eight words or more.

    A paragraph that stands in several topics is given once; one of several groups is left out.
    """
    found = {group: [*dict.fromkeys(_paragraphs(topics))] for group, topics in GROUPS.items()}
    groups = Counter(text for texts in found.values() for text in texts)
    return {group: [text for text in texts if groups[text] == 1] for group, texts in found.items()}


def whole_text() -> str:
    """Return all topics, in the order of their names, as one text.

    The same paragraph often stands in several topics; it is given where it stands first.
    """
    topics = _topics()
    parts = (part for name in sorted(topics) for part in topics[name].strip().split("\n\n"))
    return "\n\n".join(dict.fromkeys(part.strip("\n") for part in parts)) + "\n"


def _topics() -> Mapping[str, str]:
    from pydoc_data.topics import topics  # noqa: PLC0415 - half a megabyte

    return topics


def _paragraphs(names: tuple[str, ...]) -> Iterator[str]:
    topics = _topics()
    for name in names:
        for part in topics.get(name, "").split("\n\n"):  # names differ a little between Pythons
            words = part.split()
            if len(words) >= _WORDS:
                yield " ".join(words)
