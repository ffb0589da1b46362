"""Asynchronous successive halving (Li et al., 2020, arXiv:1810.05934, Algorithm 2).

Differs from the paper: a trial that is not among the best of its rung is stopped, where the paper
pauses it and may promote it later (the "stopping" variant, as in Ray Tune); there is one bracket.
"""

from __future__ import annotations

from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.schedulers.verdict import Verdict
from raynas.trial import History, Report


@dataclass(frozen=True, slots=True)
class ASHA:
    """Let the best 1/eta of each rung go on, of those that reached it so far.

    The first to reach a rung always goes on. Rungs are read from the history, which counts what a
    trial reported once, however often it was proposed again and answered from the journal.

    Attributes:
        grace_epochs: The first rung, in epochs; nothing is stopped before it.
        eta: Factor between rungs; one in ``eta`` goes on.

    Raises:
        ConfigError: ``grace_epochs`` is below one, or ``eta`` below two.
    """

    grace_epochs: int = 1
    eta: int = 3

    def __post_init__(self) -> None:
        """Check the options."""
        if self.grace_epochs < 1 or self.eta < 2:
            raise ConfigError(
                "asha needs grace_epochs >= 1 and eta >= 2, "
                f"got {self.grace_epochs} and {self.eta}"
            )

    def check(self, epochs: int) -> None:
        """Refuse runs that would end before the first rung."""
        if self.grace_epochs > epochs:
            raise ConfigError(
                f"asha needs grace_epochs <= epochs, got a grace of {self.grace_epochs} epochs "
                f"for trials of {epochs}: lower the one or raise the other"
            )

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs after which a trial of ``epochs`` is compared with others."""
        rungs = []
        rung = self.grace_epochs
        while rung < epochs:
            rungs.append(rung)
            rung *= self.eta
        return tuple(rungs)

    def decide(self, report: Report, history: History) -> Verdict:
        """Stop a trial that is not among the best 1/eta of those at its rung."""
        trial = history.trials[report.number]
        if report.epoch not in self.rungs(trial.started.epochs):
            return Verdict.GO
        reached = history.losses_at(report.epoch)
        own = history.objectives[0].loss(report.metrics)
        better = sum(loss < own for loss in reached)
        return Verdict.GO if better * self.eta < len(reached) else Verdict.STOP
