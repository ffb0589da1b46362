"""The files of a trained child; this module needs no torch, because the driver uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from raynas.data import Data

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


def input_card(data: Data) -> dict[str, Any]:
    """Return the description of a network's inputs as JSON-ready data.

    ``min`` and ``max`` are those of the winner's training data, ``mean`` and ``std`` those of the
    network's own normalisation, per channel or feature; ids have one ``min`` and ``max`` for all.
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
