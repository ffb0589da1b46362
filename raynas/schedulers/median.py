"""The median stopping rule (Golovin et al., 2017, Google Vizier, KDD, section 3.2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from raynas.errors import ConfigError
from raynas.schedulers.verdict import Verdict
from raynas.trial import History, Report


@dataclass(frozen=True, slots=True)
class MedianStopping:
    """Stop a trial whose best so far is worse than the median of the others' running averages.

    The others are those that have finished, their averages taken up to the same epoch.

    Attributes:
        grace_epochs: Nothing is stopped before.
        trials: Nothing is stopped before so many have finished.

    Raises:
        ConfigError: One of them is below one.
    """

    grace_epochs: int = 1
    trials: int = 5

    def __post_init__(self) -> None:
        """Check the options."""
        if min(self.grace_epochs, self.trials) < 1:
            raise ConfigError(
                "median needs grace_epochs >= 1 and trials >= 1, "
                f"got {self.grace_epochs} and {self.trials}"
            )

    def check(self, epochs: int) -> None:
        """Refuse runs in which nothing would ever be stopped."""
        if self.grace_epochs >= epochs:
            raise ConfigError(
                f"median needs grace_epochs < epochs, got a grace of {self.grace_epochs} epochs "
                f"for trials of {epochs}: lower the one or raise the other"
            )

    def decide(self, report: Report, history: History) -> Verdict:
        """Compare a trial with those that were not stopped."""
        if report.epoch < self.grace_epochs:
            return Verdict.GO
        finished = [trial for trial in history.finished if trial.trained and not trial.stopped]
        if len(finished) < self.trials:
            return Verdict.GO
        objective = history.objectives[0]

        def losses(reports: Sequence[Report]) -> list[float]:
            return [objective.loss(one.metrics) for one in reports if one.epoch <= report.epoch]

        averages = [fmean(seen) for trial in finished if (seen := losses(trial.reports))]
        best = min(losses(history.trials[report.number].reports))
        return Verdict.STOP if averages and best > median(averages) else Verdict.GO
