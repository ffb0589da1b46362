"""Asynchronous successive halving (Li et al., 2020, arXiv:1810.05934, Algorithm 2), two variants.

Differs from the paper: there is one bracket. ``ASHA`` stops a trial for good if it is not among
the best of its rung, as Ray Tune does; this needs no checkpoints. It compares the trial with the
latest trials at the rung: a searcher that learns proposes better and better networks, and compared
with all earlier trials nearly every new one would continue. ``PromotingASHA`` pauses the trial and
promotes it when enough worse trials have come, as in the paper; a trial that can be promoted at
once continues without a pause. To keep few checkpoints, only ``spare`` paused trials per rung,
those that follow the best 1/eta, can still be promoted; a trial that falls farther behind is never
promoted, even if the paper would promote it later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from raynas.errors import ConfigError
from raynas.schedulers.memo import Memo
from raynas.schedulers.rung_ranking import RungRanking, RungRankings
from raynas.schedulers.rungs import Rungs
from raynas.schedulers.verdict import Resume, Verdict
from raynas.space import Space
from raynas.trial import History, Report


@dataclass(frozen=True, slots=True)
class ASHA:
    """At each rung, continue the best 1/eta of the trials that reached it recently.

    The first trial at a rung always continues. Rungs are read from the history; the reports of a
    trial count once, even if the same network was proposed again and answered from the journal.

    Attributes:
        grace_epochs: The first rung, in epochs; no trial is stopped before it.
        eta: Factor between rungs; one of ``eta`` trials continues.
        recent: A trial is compared with the last ``recent * eta`` trials at the rung, including
            itself; none to compare with all trials, as in the paper.

    Raises:
        ConfigError: ``grace_epochs`` or ``recent`` is below one, or ``eta`` below two.
    """

    grace_epochs: int = 1
    eta: int = 3
    recent: int | None = 4
    _rankings: Memo[RungRankings] = field(
        default_factory=lambda: Memo(RungRankings), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check the options."""
        Rungs(self.grace_epochs, self.eta).check("asha")
        if self.recent is not None and self.recent < 1:
            raise ConfigError(f"asha needs recent >= 1, or none, got {self.recent}")

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
        better, count = self._compared(report, history)
        return Verdict.GO if better * self.eta < count else Verdict.STOP

    def _compared(self, report: Report, history: History) -> tuple[int, int]:
        """Return how many trials at the rung are better, and how many there are."""
        if self.recent is None:
            rung = self._rankings.of(history).at(history, report.epoch)
            return rung.better(report.number), len(rung)
        reached = history.at(report.epoch)
        last = [*reached.since(len(reached) - self.recent * self.eta)]
        own = reached[report.number].first
        return sum(score.first < own for _, score in last), len(last)


@dataclass(frozen=True, slots=True)
class PromotingASHA:
    """Pause trials at every rung; promote the best 1/eta of each, the highest rung first.

    Attributes:
        grace_epochs: The first rung, in epochs.
        eta: Factor between rungs; one of ``eta`` trials continues.
        spare: How many trials behind the best 1/eta of a rung can still be promoted; their
            checkpoints are kept.

    Raises:
        ConfigError: ``grace_epochs`` is below one, ``eta`` below two, or ``spare`` below zero.
    """

    grace_epochs: int = 1
    eta: int = 3
    spare: int = 16
    _rankings: Memo[RungRankings] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options."""
        Rungs(self.grace_epochs, self.eta).check("asha_promotion")
        if self.spare < 0:
            raise ConfigError(f"asha_promotion needs spare >= 0, got {self.spare}")
        object.__setattr__(self, "_rankings", Memo(lambda: RungRankings(self._room)))

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
        rung = self._rankings.of(history).at(history, report.epoch)
        at_once = rung.of(report.number) < len(rung) // self.eta
        return Verdict.GO if at_once else Verdict.STOP

    def direct(
        self,
        history: History,
        space: Space,  # noqa: ARG002 - by contract
        rng: np.random.Generator,  # noqa: ARG002 - by contract
        *,
        closed: bool,  # noqa: ARG002 - by contract
    ) -> Resume | None:
        """Promote the best trial of the highest rung that has one; else let a new trial begin."""
        for rung in reversed(self._reached(history)):
            best = next(rung.waiting(history), None)
            if best is not None and rung.of(best) < len(rung) // self.eta:
                return Resume(best)
        return None

    def keeps(self, history: History) -> Collection[int]:
        """Return the paused trials that can still be promoted."""
        return [number for rung in self._reached(history) for number in rung.waiting(history)]

    def _room(self, count: int) -> int:
        return count // self.eta + self.spare

    def _reached(self, history: History) -> Sequence[RungRanking]:
        rankings = self._rankings.of(history)
        return [rankings.at(history, rung) for rung in self.rungs(history.longest)]
