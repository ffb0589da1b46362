"""The trial that a searcher hands over, and the estimates behind this choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from raynas.trial import Trial


@dataclass(frozen=True, slots=True)
class Estimate:
    """A network's expected score on new data.

    Attributes:
        loss: The expected objective, to be minimised.
        error: Its standard error.
    """

    loss: float
    error: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The trial to hand over.

    Attributes:
        trial: A finished trial.
        estimates: The estimate of the first objective, by trial number: the number of the best
            training of each network that was compared.
        front: With several objectives, the numbers of the trials on the expected Pareto front.
    """

    trial: Trial
    estimates: Mapping[int, Estimate] = field(default_factory=dict)
    front: tuple[int, ...] = ()
