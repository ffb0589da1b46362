"""What a trained child becomes: readable without torch, for it crosses to the driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raynas.data import Data


@dataclass(frozen=True, slots=True)
class Exported:
    """A trained child as files.

    Attributes:
        files: Contents by name.
        missing: Why ``network.pt2`` is not among them; empty if it is.
    """

    files: Mapping[str, bytes]
    missing: str = ""


def input_card(data: Data) -> dict[str, Any]:
    """Return what a network expects of its inputs, as JSON-ready data.

    ``min`` and ``max`` are those of what the winner was trained on, ``mean`` and ``std`` what the
    network itself normalises by; per channel or feature, of ids one ``min`` and ``max`` for all.
    """
    least, most = data.merged().extent()
    layout = {3: "batch, channels, height, width", 1: "batch, features"}[len(data.input_shape)]
    return {
        "dtype": data.input_dtype,
        "data_dtype": str(data.train.inputs.dtype),
        "layout": "batch, ids" if data.train.ids else layout,
        "shape": list(data.input_shape),
        "min": least,
        "max": most,
        "mean": None if data.train.ids else data.mean,
        "std": None if data.train.ids else data.std,
    }
