"""What a searcher hands over, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from raynas.trial import Trial


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a network is expected to reach on new data.

    Attributes:
        loss: The objective, to be minimised.
        error: Its standard error.
    """

    loss: float
    error: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The trial to hand over.

    Attributes:
        trial: A finished one.
        estimates: By trial number, for the best training of each network that was compared: what
            is expected of the first objective.
        front: With several objectives, the numbers of the trials on the expected Pareto front.
    """

    trial: Trial
    estimates: Mapping[int, Estimate] = field(default_factory=dict)
    front: tuple[int, ...] = ()
