"""What a run requires of its searcher."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.trial import History, Objective


def _none(_: History) -> Collection[int]:
    return ()


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a run requires of its searcher.

    Attributes:
        objectives: What the run optimises.
        epochs: The full length of a trial.
        paused: Returns the stopped trials that the run's scheduler may continue, so that their
            scores are not final.
    """

    objectives: tuple[Objective, ...]
    epochs: int
    paused: Callable[[History], Collection[int]] = _none

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
