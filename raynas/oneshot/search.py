"""The two searchers of a one-shot search: one for supernets, one for their candidates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import ClassVar, Final

import numpy as np

from raynas.oneshot.candidate import Candidate
from raynas.schedulers import Scheduler, Verdict
from raynas.searchers.wrapper import SearcherWrapper
from raynas.space import Architecture, Choice, Space
from raynas.trial import History, Proposal, Report, Screening

FOLDER: Final = "supernets"
"""The folder, in that of a run, of the run that trains its supernets."""

METHOD: Final = "method"
"""The decision of a supernet's trial."""

WEIGHT: Final = "weight/"
"""The beginning of the name of a metric that is an option's weight, ``weight/path/option``."""

SHARED: Final = "shared_"
"""The beginning of the name of a metric that shared weights have."""


def supernets(methods: Sequence[str]) -> Space:
    """Return the space of supernets: the method is a decision."""
    return Space({METHOD: Choice(tuple(methods))})


@dataclass(frozen=True, slots=True)
class EachMethod:
    """Propose supernets of each method in turn, and keep their weights.

    Supernets of a method have different seeds, and random settings if the space has any.

    Attributes:
        space: A space of supernets.
        count: How many supernets there are of each method.
    """

    breeds: ClassVar = False
    space: Space
    count: int = 1

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Return a supernet of the next method; none after the last one."""
        methods = [*self.space.decisions[METHOD].domain.values()]
        number = len(history.trials)
        if number >= self.count * len(methods):
            return None
        drawn = Architecture({**self.space.sample(rng), METHOD: methods[number % len(methods)]})
        return Proposal(drawn, repeat=any(history.same(self.space.identity(drawn))))

    def keeps(self, history: History) -> Collection[int]:
        """Return all trials."""
        return [*history.trials]


@dataclass(frozen=True, slots=True)
class WithinMethod:
    """Let a scheduler compare a supernet only with those of the same method.

    Shared scores of different methods mean different things.

    Attributes:
        scheduler: Decides which supernets continue.
    """

    scheduler: Scheduler

    def check(self, epochs: int) -> None:
        """Let the scheduler refuse a length.

        Raises:
            ConfigError: It does.
        """
        self.scheduler.check(epochs)

    def decide(self, report: Report, history: History) -> Verdict:
        """Return the verdict of the scheduler, given only what the same method has reported."""
        method = history.trials[report.number].architecture[METHOD]
        same = [one for one in history.trials.values() if one.architecture[METHOD] == method]
        alone = History(history.objectives)
        for one in same:
            alone.apply(one.started)
        reports = chain.from_iterable(one.reports for one in same)
        for one_report in sorted(reports, key=lambda one: (one.at, one == report)):
            alone.apply(one_report)
        return self.scheduler.decide(report, alone)


@dataclass(frozen=True, slots=True)
class Candidates(SearcherWrapper):
    """Propose the candidates of supernets first; then a searcher, which has learnt from them.

    The supernets take turns: the best candidate of each, then the next of each. A network is
    proposed once, even if several supernets found it.

    Attributes:
        searcher: Continues from them, and chooses the trial to hand over.
        found: The candidates of each supernet, the best first.
        count: How many trials are candidates.
        limited: Whether the search ends if there are fewer candidates, because they keep limits
            that the searcher does not know.
    """

    found: Sequence[Sequence[Candidate]]
    count: int
    limited: bool = False

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Return the next candidate, or the searcher's proposal."""
        number, ordered = len(history.trials), self.ordered[: self.count]
        if number >= len(ordered):
            short = self.limited and number < self.count
            return None if short else self.searcher.propose(history, rng)
        one = ordered[number]
        screening = Screening("chosen", {f"shared by {one.method}": one.shared_score})
        return Proposal(one.architecture, screening=screening)

    @property
    def ordered(self) -> list[Candidate]:
        """All candidates in the order in which they are proposed."""
        turns = chain.from_iterable(zip_longest(*self.found))
        different: dict[str, Candidate] = {}
        for one in turns:
            if one is not None:
                different.setdefault(self.space.identity(one.architecture), one)
        return [*different.values()]
