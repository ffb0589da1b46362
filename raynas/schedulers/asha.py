"""Asynchronous successive halving (Li et al., 2020, arXiv:1810.05934, Algorithm 2), two variants.

Differs from the paper: there is one bracket. ``ASHA`` stops a trial for good that is not among the
best of its rung, as Ray Tune does, which needs no checkpoints; ``PromotingASHA`` pauses it, and
promotes it when enough worse ones have come, as the paper has it, but lets a trial that may be
promoted at once go on rather than stop and start it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np

from raynas.schedulers.rungs import Rungs, best_first
from raynas.schedulers.verdict import Resume, Verdict
from raynas.space import Space
from raynas.trial import History, Report

_SPARE: Final = 8  # checkpoints kept per rung of trials that come next after the promoted ones


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
        Rungs(self.grace_epochs, self.eta).check("asha")

    def check(self, epochs: int) -> None:
        """Refuse runs that would end before the first rung."""
        Rungs(self.grace_epochs, self.eta).check("asha", epochs)

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs after which a trial of ``epochs`` is compared with others."""
        return Rungs(self.grace_epochs, self.eta).below(epochs)

    def decide(self, report: Report, history: History) -> Verdict:
        """Stop a trial that is not among the best 1/eta of those at its rung."""
        if report.epoch not in self.rungs(history.trials[report.number].started.epochs):
            return Verdict.GO
        reached = history.at(report.epoch)
        own = reached[report.number][0]
        better = sum(losses[0] < own for losses in reached.values())
        return Verdict.GO if better * self.eta < len(reached) else Verdict.STOP


@dataclass(frozen=True, slots=True)
class PromotingASHA:
    """Pause trials at every rung; promote the best 1/eta of each, the highest rung first.

    Attributes:
        grace_epochs: The first rung, in epochs.
        eta: Factor between rungs; one in ``eta`` goes on.

    Raises:
        ConfigError: ``grace_epochs`` is below one, or ``eta`` below two.
    """

    grace_epochs: int = 1
    eta: int = 3

    def __post_init__(self) -> None:
        """Check the options."""
        Rungs(self.grace_epochs, self.eta).check("asha_promotion")

    def check(self, epochs: int) -> None:
        """Refuse runs that would end before the first rung."""
        Rungs(self.grace_epochs, self.eta).check("asha_promotion", epochs)

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs after which a trial of ``epochs`` is compared with others."""
        return Rungs(self.grace_epochs, self.eta).below(epochs)

    def decide(self, report: Report, history: History) -> Verdict:
        """Pause a trial at a rung unless it can be promoted at once."""
        if report.epoch not in self.rungs(history.trials[report.number].started.epochs):
            return Verdict.GO
        return Verdict.GO if report.number in self._top(history, report.epoch) else Verdict.STOP

    def direct(
        self,
        history: History,
        space: Space,  # noqa: ARG002 - by contract
        rng: np.random.Generator,  # noqa: ARG002 - by contract
        *,
        closed: bool,  # noqa: ARG002 - by contract
    ) -> Resume | None:
        """Promote the best of the highest rung that has one to promote; else let a trial begin."""
        for rung in reversed(self._all_rungs(history)):
            for number in self._top(history, rung):
                if _waits(history, number, rung):
                    return Resume(number)
        return None

    def keeps(self, history: History) -> Collection[int]:
        """Return the paused trials that may soon be promoted; another would begin anew."""
        return [
            number
            for rung in self._all_rungs(history)
            for number in self._top(history, rung, _SPARE)
            if _waits(history, number, rung)
        ]

    def _all_rungs(self, history: History) -> tuple[int, ...]:
        longest = max((trial.started.epochs for trial in history.trials.values()), default=0)
        return self.rungs(longest)

    def _top(self, history: History, rung: int, spare: int = 0) -> list[int]:
        reached = history.at(rung)
        return best_first(reached)[: len(reached) // self.eta + spare]


def _waits(history: History, number: int, rung: int) -> bool:
    trial = history.trials[number]
    return trial.resumable and trial.epoch == rung
