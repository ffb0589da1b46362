"""An architecture with its score by shared weights; pure Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raynas.space import Architecture


@dataclass(frozen=True, slots=True)
class Candidate:
    """An architecture that was not trained itself, but scored with the weights of a supernet.

    It is no trial and has no report, so its score cannot be taken for that of a training.

    Attributes:
        architecture: The architecture.
        shared_score: The objective with the weights of the supernet.
        method: The method of the supernet.
    """

    architecture: Architecture
    shared_score: float
    method: str

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "architecture": dict(self.architecture),
            "shared_score": self.shared_score,
            "method": self.method,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Candidate:
        """Return the candidate of JSON-ready data."""
        architecture = Architecture.from_data(data["architecture"])
        return cls(architecture, data["shared_score"], data["method"])
