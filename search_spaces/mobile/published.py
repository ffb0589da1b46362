"""Published networks of this space, to start a search from or to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from raynas.space import Architecture
from search_spaces.mobile.layout import Stage, from_stages


def _uniform(width: int, blocks: int, kernel: int, expansion: int, ratio: float = 0.0) -> Stage:
    return Stage(width, ratio, ((kernel, expansion),) * blocks)


PUBLISHED: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        # Sandler et al., 2018, arXiv:1801.04381, table 2
        "MobileNetV2": from_stages(
            "ReLU6",
            (
                _uniform(24, 2, 3, 6),
                _uniform(32, 3, 3, 6),
                _uniform(64, 4, 3, 6),
                _uniform(96, 3, 3, 6),
                _uniform(160, 3, 3, 6),
                _uniform(320, 1, 3, 6),
            ),
        ),
        # Tan et al., 2019, arXiv:1807.11626, figure 7
        "MnasNet-A1": from_stages(
            "ReLU",
            (
                _uniform(24, 2, 3, 6),
                _uniform(40, 3, 5, 3, 0.25),
                _uniform(80, 4, 3, 6),
                _uniform(112, 2, 3, 6, 0.25),
                _uniform(160, 3, 5, 6, 0.25),
                _uniform(320, 1, 3, 6),
            ),
        ),
        # The same without squeeze-and-excitation in the space
        "MnasNet-B1": from_stages(
            "ReLU",
            (
                _uniform(24, 3, 3, 3),
                _uniform(40, 3, 5, 3),
                _uniform(80, 3, 5, 6),
                _uniform(96, 2, 3, 6),
                _uniform(192, 4, 5, 6),
                _uniform(320, 1, 3, 6),
            ),
        ),
    }
)
"""By the name under which they were published."""
