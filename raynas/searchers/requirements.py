"""What a run requires of its searcher."""

from __future__ import annotations

from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.trial import Objective


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a run requires of its searcher.

    Attributes:
        objectives: What the run optimises.
        epochs: The full length of a trial.
    """

    objectives: tuple[Objective, ...]
    epochs: int

    def require_one_objective(self, searcher: str) -> None:
        """Check that there is one objective.

        Raises:
            ConfigError: There are several objectives.
        """
        if len(self.objectives) > 1:
            raise ConfigError(
                f"{searcher} optimises one objective, got {len(self.objectives)}: "
                "use the searcher 'auto', 'ehvi' or 'nsga2'"
            )


class OneObjective:
    """A searcher that optimises a single objective."""

    __slots__ = ()

    def check(self, requirements: Requirements) -> None:
        """Refuse several objectives.

        Raises:
            ConfigError: There are several.
        """
        requirements.require_one_objective(type(self).__name__)
