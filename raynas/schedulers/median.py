"""The median stopping rule (Golovin et al., 2017, Google Vizier, KDD, section 3.2.1).

Beyond the paper: under constraints, trials are compared by what they break after the same epoch,
and by losses only if that is equal.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice

from raynas.errors import ConfigError
from raynas.schedulers.memo import Memo
from raynas.schedulers.verdict import Verdict
from raynas.trial import History, Report, Trial

_Bar = tuple[float, float]


class Averages:
    """The running averages of the finished trials."""

    def __init__(self) -> None:
        """Begin before anything has finished."""
        self._seen = 0
        self._after: defaultdict[int, list[_Bar]] = defaultdict(list)

    def after(self, history: History, epoch: int) -> Sequence[_Bar]:
        """Return each completed trial's violation after ``epoch`` and average loss up to it.

        They are in ascending order.
        """
        for trial in islice(history.completed, self._seen, None):
            if trial.trained:
                self._take_in(trial, history)
        self._seen = len(history.completed)
        return self._after[epoch]

    def _take_in(self, trial: Trial, history: History) -> None:
        sums = accumulate(trial.curve(history.objectives[0]))
        broken = trial.violations(history.constraints)
        rows = zip(trial.reports.epochs, broken, sums, strict=True)
        for count, (epoch, violation, total) in enumerate(rows, start=1):
            insort(self._after[epoch], (violation, total / count))


@dataclass(frozen=True, slots=True)
class MedianStopping:
    """Stop a trial whose best loss is worse than the median of the others' running averages.

    The others are the finished trials that were not stopped; their averages are taken up to the
    same epoch. This scheduler resumes no trial.

    Attributes:
        grace_epochs: No trial is stopped before this epoch.
        trials: No trial is stopped at an epoch before so many finished trials have reached it.

    Raises:
        ConfigError: An option is below one.
    """

    grace_epochs: int = 1
    trials: int = 5
    _averages: Memo[Averages] = field(
        default_factory=lambda: Memo(Averages), init=False, repr=False, compare=False
    )

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
                f"for trials of {epochs}: lower grace_epochs, or raise epochs"
            )

    def decide(self, report: Report, history: History) -> Verdict:
        """Compare a trial with the finished trials that were not stopped."""
        if report.epoch < self.grace_epochs:
            return Verdict.GO
        averages = self._averages.of(history).after(history, report.epoch)
        if len(averages) < self.trials:
            return Verdict.GO
        trial = history.trials[report.number]
        own = trial.violation, min(trial.curve(history.objectives[0]))
        return Verdict.STOP if own > _median(averages) else Verdict.GO


def _median(ascending: Sequence[_Bar]) -> _Bar:
    """Return the median of each number of pairs in ascending order."""
    upper = len(ascending) // 2
    lower = upper if len(ascending) % 2 else upper - 1
    (broken, loss), (more_broken, other) = ascending[lower], ascending[upper]
    return (broken + more_broken) / 2, (loss + other) / 2
