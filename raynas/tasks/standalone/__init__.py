"""The file ``inputs.py`` of an export: raw texts and rows as the inputs of a network.

The modules here are copied as they are, so they import nothing of raynas, and read what they need
from ``architecture.json`` beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_BY_PART: Final = {"numerical": "rows.py", "horizon": "steps.py", "tokens": "texts.py"}


def inputs_file(card: Mapping[str, Any]) -> bytes | None:
    """Return the file for the network of a card; none if its task encodes nothing."""
    encoding = card.get("encoding") or {}
    for part, name in _BY_PART.items():
        if part in encoding:
            return (Path(__file__).parent / name).read_bytes()
    return None
