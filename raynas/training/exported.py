"""What a trained child becomes: readable without torch, for it crosses to the driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exported:
    """A trained child as files.

    Attributes:
        files: Contents by name.
        missing: Why ``network.pt2`` is not among them; empty if it is.
    """

    files: Mapping[str, bytes]
    missing: str = ""
