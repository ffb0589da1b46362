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
        learns_constraints: Whether there are constraints that only training shows.
    """

    objectives: tuple[Objective, ...]
    epochs: int
    paused: Callable[[History], Collection[int]] = _none
    learns_constraints: bool = False

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

    def refuse_constraints(self, searcher: str) -> None:
        """Check that there is no constraint that only training shows.

        Raises:
            ConfigError: There is one.
        """
        if self.learns_constraints:
            raise ConfigError(
                f"{searcher} does not learn which networks keep a constraint that only training "
                "shows: use another searcher, such as 'auto' or 'nsga2', or leave the constraint "
                "out"
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
