"""The last steps of a series as inputs of the network; this file needs torch alone.

The network of an export, and the next steps that it predicts::

    from inputs import encode
    from model import load

    predictions = load()(encode([{"load": 71.5, "wind": 3.0}, ...]))

What it knows of the columns is in ``architecture.json`` beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def encode(steps: Sequence[Mapping[str, Any]], folder: Path | str = Path(__file__).parent) -> Any:
    """Return the last steps of a series as a tensor ``[1, length, features]``.

    Args:
        steps: Each has a number for each column, by name; the last one is the latest.
        folder: Where ``architecture.json`` is.

    Raises:
        ValueError: There are too few steps, or one lacks a number.
    """
    import torch

    card = json.loads((Path(folder) / "architecture.json").read_text(encoding="utf-8"))
    length, columns = card["encoding"]["length"], card["encoding"]["columns"]
    if len(steps) < length:
        raise ValueError(f"there must be {length} steps or more: got {len(steps)}")
    window = [[_number(step, column) for column in columns] for step in steps[-length:]]
    return torch.tensor([window], dtype=torch.float32)


def _number(step: Mapping[str, Any], column: str) -> float:
    try:
        value = float(step[column])
    except (KeyError, TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(
            f"each step must have a number in the column {column!r}: got {step.get(column)!r}"
        )
    return value
