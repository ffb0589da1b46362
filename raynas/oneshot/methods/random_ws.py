"""Random search with weight sharing (Li & Talwalkar, 2019, arXiv:1902.07638, section 3.2).

The control of all other methods. Differs from the paper: candidates are scored on all validation
examples, with statistics of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from raynas.errors import ConfigError
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.methods.method import ranked
from raynas.oneshot.methods.uniform import UniformPaths
from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.scoring import Scorer


@dataclass(slots=True)
class RandomWS(UniformPaths):
    """Train uniformly drawn paths; propose the best of many random architectures.

    Attributes:
        samples: How many random architectures are scored.

    Raises:
        ConfigError: There is none.
    """

    name: ClassVar[str] = "random-ws"
    samples: int = 256

    def __post_init__(self) -> None:
        """Check the options."""
        UniformPaths.__post_init__(self)
        if self.samples < 1:
            raise ConfigError(f"random-ws needs samples >= 1, got {self.samples}")

    def candidates(
        self, scorer: Scorer, relaxation: Relaxation, count: int, rng: np.random.Generator
    ) -> list[Candidate]:
        """Return the best of random architectures by their shared scores."""
        del relaxation
        drawn = (self.within(lambda: scorer.space.sample(rng)) for _ in range(self.samples))
        return ranked(self.name, scorer, (one for one in drawn if one is not None))[:count]
