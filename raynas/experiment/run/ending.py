"""What a run does once its trials have ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from raynas.execution.conductor import Conductor
from raynas.execution.ray_tune.final_training import FinalTraining
from raynas.execution.trial_spec import TrialSpec
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.run.winner_training import WinnerTraining, lacks_winner, say_over
from raynas.trial import Trial

if TYPE_CHECKING:
    from raynas.execution.ray_tune.session import RaySession

Assign = Callable[[Trial], TrialSpec]


class Ending(Protocol):
    """Runs the trials, and then what a run is for."""

    def lacks(self, conductor: Conductor) -> bool:
        """Return whether something is left to do after the last trial."""
        ...

    def over(self, conductor: Conductor) -> None:
        """Say that nothing is left to do."""
        ...

    def run(self, session: RaySession, conductor: Conductor, assign: Assign) -> None:
        """Run the trials that are left, and what comes after them.

        Args:
            session: The connection to Ray.
            conductor: Decides which trials run.
            assign: Returns the specification of a trial for its worker.
        """
        ...


@dataclass(frozen=True, slots=True)
class WinnerEnding:
    """Train, test and export the winner.

    Attributes:
        resolved: The experiment.
    """

    resolved: ResolvedExperiment

    def lacks(self, conductor: Conductor) -> bool:
        """Return whether there is no winner yet."""
        return lacks_winner(conductor)

    def over(self, conductor: Conductor) -> None:
        """Say why nothing is left to do."""
        say_over(self.resolved.experiment, conductor)

    def run(self, session: RaySession, conductor: Conductor, assign: Assign) -> None:
        """Run the trials; the winner's training is the last one."""
        winner = WinnerTraining(self.resolved.experiment, self.resolved, conductor)
        session.run_trials(conductor, assign, FinalTraining(winner.choose, winner.take))
