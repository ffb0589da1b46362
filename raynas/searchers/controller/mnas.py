"""The reward of MnasNet: one number of an accuracy and a latency.

Tan et al., 2019, arXiv:1807.11626, equations 2 and 3: ``accuracy * (latency / target) ** w``,
where ``w`` is ``alpha`` for a network that is fast enough, and ``beta`` for one that is not.
``hard`` has ``alpha = 0`` and ``beta = -1``: only what is too slow costs. ``soft`` has -0.07 for
both: twice the latency is worth 5 % more accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from raynas.errors import ConfigError, unknown
from raynas.searchers.requirements import Requirements
from raynas.trial import Trial

_EXPONENTS: Final = MappingProxyType({"soft": (-0.07, -0.07), "hard": (0.0, -1.0)})


@dataclass(frozen=True, slots=True)
class MnasReward:
    """Scores a trial by its first objective, which is maximised, and its second one.

    Attributes:
        kind: ``soft`` or ``hard``.
        target: The wanted value of the second objective, above 0.

    Raises:
        ConfigError: There is no such reward, or the target is not above 0.
    """

    kind: str
    target: float

    def __post_init__(self) -> None:
        """Check the options."""
        if self.kind not in _EXPONENTS:
            raise ConfigError(unknown("reward", str(self.kind), _EXPONENTS))
        if not self.target > 0:
            raise ConfigError(
                "the rewards of MnasNet need reward_target > 0, the wanted value of the second "
                f"objective, got {self.target}"
            )

    def check(self, requirements: Requirements) -> None:
        """Check that the run optimises an accuracy and a cost.

        Raises:
            ConfigError: It does not.
        """
        directions = [one.direction for one in requirements.objectives]
        if directions != ["max", "min"]:
            named = ", ".join(f"{one.metric}:{one.direction}" for one in requirements.objectives)
            raise ConfigError(
                "the rewards of MnasNet need two objectives, the first one maximised and the "
                f"second one minimised, as in val_accuracy and latency_ms:min, got {named}"
            )

    def of(self, trial: Trial) -> float:
        """Return the reward of a trial; higher is better."""
        worth, cost = -trial.losses[0], trial.losses[1]
        fast, slow = _EXPONENTS[self.kind]
        ratio = max(cost, 0.0) / self.target
        return worth * (ratio ** (fast if ratio <= 1 else slow) if ratio else 1.0)
