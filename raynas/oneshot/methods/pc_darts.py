"""PC-DARTS (Xu et al., 2020, arXiv:1907.05737): a part of the channels is mixed.

Differs from the authors' code: the weights of edges (section 3.3) are not learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from raynas.errors import ConfigError
from raynas.oneshot.methods.darts import AUTHORS, DARTS


@dataclass(slots=True)
class PCDARTS(DARTS):
    """DARTS with mixtures of the first channels only, and a warm-up of the weights.

    Attributes:
        share: One over the share of the channels that is mixed.
    """

    name: ClassVar[str] = "pc-darts"
    recipe: ClassVar[Mapping[str, Any]] = {**AUTHORS, "lr": 0.1}
    strength_rate: float = 6e-4
    warm_up: float = 0.3
    share: int = 4

    def __post_init__(self) -> None:
        """Check the options."""
        DARTS.__post_init__(self)
        if self.share < 1:
            raise ConfigError(f"pc-darts needs share >= 1, got {self.share}")
