"""The files of a trained child; this module needs no torch, because the driver uses it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from raynas.data import Data, LoopData, extent
from raynas.trees import leaves, named_leaves

PROGRAM: Final = "network.pt2"
WEIGHTS: Final = "weights.safetensors"
OTHER_WEIGHTS: Final = "weights.pt"  # of what safetensors cannot hold
FILES: Final = (PROGRAM, WEIGHTS, OTHER_WEIGHTS)


@dataclass(frozen=True, slots=True)
class Exported:
    """A trained child, or its weights, as files.

    Attributes:
        files: Contents by file name.
        missing: Why a file is missing; empty if none is.
    """

    files: Mapping[str, bytes]
    missing: str = ""


_LAYOUTS: Final = {
    2: "batch, features",
    3: "batch, length, features",
    4: "batch, channels, height, width",
}


def network_card(data: Data | LoopData) -> dict[str, Any]:
    """Return the description of a network's inputs and outputs as JSON-ready data."""
    told = data.told
    card: dict[str, Any] = {}
    if isinstance(data, Data):
        card = {
            "goal": type(data.goal).__name__,
            "class_names": [*getattr(data.goal, "names", ())],
        }
        if data.encoding:
            card["encoding"] = dict(data.encoding)
    card["brief"] = {name: value for name, value in told.items() if _plain(value)}
    card |= {name: card["brief"][name] for name in ("input_shape", "classes") if name in told}
    return {**card, "input": input_card(data)}


def _plain(value: Any) -> bool:
    """Return whether a value can be written as JSON."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def input_card(data: Data | LoopData) -> dict[str, Any]:
    """Return the description of a network's inputs as JSON-ready data.

    ``min`` and ``max`` are those of the winner's training data, ``mean`` and ``std`` those of the
    network's own normalisation, per channel or feature; ids have one ``min`` and ``max`` for all.
    Several inputs are described by name, in ``parts``; nothing is known of data sets.
    """
    if isinstance(data, LoopData) or not data.arrays:
        return {}
    norms = leaves(data.norm)
    cards = {name: _card(array, next(norms)) for name, array in named_leaves(data.merged().inputs)}
    return cards[""] if [*cards] == [""] else {"parts": cards}


def _card(array: Any, norm: Any) -> dict[str, Any]:
    least, most = extent(array)
    ids = array.dtype.kind == "i"
    return {
        "dtype": "int64" if ids else "float32",
        "data_dtype": str(array.dtype),
        "layout": "batch, ids" if ids else _LAYOUTS.get(array.ndim, "batch, …"),
        "shape": list(array.shape[1:]),
        "min": least,
        "max": most,
        "mean": norm and norm.mean,
        "std": norm and norm.std,
    }
