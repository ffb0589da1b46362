"""The learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from raynas.errors import ConfigError, unknown
from raynas.training.recipe.fields import check_ranges

SCHEDULES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
        "linear": lambda progress: 1.0 - progress,
        "constant": lambda _: 1.0,
        "step": lambda progress: 0.1 ** ((progress >= 0.5) + (progress >= 0.75)),
        "exponential": lambda progress: 0.01**progress,
    }
)
"""Schedules: the learning rate as a share of its peak, by the share of finished training.

``cosine`` is that of Loshchilov & Hutter (2017, arXiv:1608.03983) without restarts; with a warm-up
it is a one-cycle schedule. ``step`` divides the rate by 10 after half and after three quarters of
the training (He et al., 2016, arXiv:1512.03385, section 4.2). ``exponential`` ends at a hundredth.
"""

_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"lr": (0.0, math.inf), "warmup": (0.0, 0.9)}
)


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each step.

    Attributes:
        lr: Peak learning rate.
        schedule: How the learning rate falls after the warm-up: ``cosine``, ``linear``,
            ``constant``, ``step`` (a tenth after half of the training, a hundredth after three
            quarters) or ``exponential`` (to a hundredth).
        warmup: Share of all steps in which the learning rate rises linearly to the peak.
    """

    lr: float = 0.1
    schedule: str = "cosine"
    warmup: float = 0.1

    def check_schedule(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: A field is out of its range.
        """
        if self.schedule not in SCHEDULES:
            raise ConfigError(unknown("schedule", self.schedule, SCHEDULES))
        check_ranges(self, _RANGES)
        if self.lr == 0.0:
            raise ConfigError("lr must be above 0: got 0")

    def lr_at(self, progress: float) -> float:
        """Return the learning rate after the share ``progress`` of all steps."""
        if progress < self.warmup:
            return self.lr * progress / self.warmup
        return self.lr * SCHEDULES[self.schedule]((progress - self.warmup) / (1.0 - self.warmup))
