"""TextNAS (Wang et al., 2020, arXiv:1912.10729) with the 24 layers of the paper.

``PUBLISHED`` holds the architecture that the authors found on SST-5, from their repository
``microsoft/TextNAS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from raynas.space import Architecture
from search_spaces.textnas import build
from search_spaces.textnas.layers import draw, from_numbers, space
from search_spaces.textnas.relaxed import relaxation

__all__ = ["PUBLISHED", "RELAXATION", "SPACE", "build", "draw"]

SPACE: Final = space(24)
RELAXATION: Final = relaxation(24)

# One line per layer: which layer is read, counted back from 0; the operation; skips from each.
_SST5: Final = """
0 5
1 7 0
1 3 0 0
3 6 0 1 1
1 1 0 1 0 0
0 1 0 0 1 0 1
0 0 0 0 1 1 1 1
4 6 0 1 1 0 0 0 0
3 5 0 1 0 1 1 0 1 1
2 5 0 0 0 0 0 1 0 1 1
4 7 1 1 0 0 1 0 0 1 1 0
4 4 1 0 0 1 1 1 1 0 0 0 0
1 1 1 1 0 1 0 1 0 0 1 0 0 0
1 2 1 1 0 0 0 0 1 0 0 1 1 0 1
1 0 0 0 1 0 0 0 1 1 1 0 1 1 0 0
0 3 1 0 0 0 0 0 1 0 0 0 1 1 0 0 1
1 2 0 0 0 0 0 0 0 0 0 1 1 0 1 0 1 0
0 4 0 1 1 1 1 0 0 1 0 1 0 0 0 0 1 0 0
2 3 0 0 0 0 0 1 0 0 0 0 0 0 0 1 1 1 0 1
2 3 0 0 0 1 0 0 0 0 0 0 1 0 0 0 1 0 0 0 0
3 5 1 1 0 0 0 0 0 0 0 0 1 1 0 0 1 1 1 1 0 0
4 7 0 1 1 1 0 0 0 1 0 1 1 1 1 0 1 0 0 0 0 0 0
0 7 0 0 1 1 1 1 0 1 0 1 1 0 0 0 0 1 0 0 0 0 0 1
1 3 1 0 0 1 0 0 0 1 0 0 0 0 1 0 0 0 1 0 0 0 0 0 0
"""

PUBLISHED: Final[Mapping[str, Architecture]] = MappingProxyType(
    {"SST-5": SPACE.architecture(from_numbers(_SST5))}
)
"""By the data on which it was found."""
