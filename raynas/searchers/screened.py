"""Rung 0: of several proposals only the one is trained of which proxies promise most.

Proxies (Abdelfattah et al., 2021, arXiv:2101.08134) rank untrained networks. Off the data sets
they were found on they may rank no better than chance, so what they say is compared with what
training says, trial by trial, and they are not asked any more while the two disagree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from raynas.errors import ConfigError
from raynas.searchers import Searcher, check, recommended
from raynas.searchers.aim import Aim
from raynas.searchers.selection import rank
from raynas.space import Architecture, Space
from raynas.trial import Finished, History, Proposal, Trial

_LOG = logging.getLogger("raynas")
_BLIND: Final = 5  # one in so many trials is not chosen by proxies, to judge them fairly


@dataclass(frozen=True, slots=True)
class Promise:
    """What proxies say of an architecture.

    Attributes:
        scores: By proxy; more is better.
        fault: Why there are none; empty if there are.
        detail: The traceback, where there is one.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    fault: str = ""
    detail: str = ""


Assess = Callable[[Sequence[Architecture]], Sequence[Promise]]


@dataclass(frozen=True, slots=True)
class Screening:
    """How strictly to choose, and when to stop believing in proxies.

    Attributes:
        keep: Share of the proposals that is trained.
        least: The rank correlation between proxies and training below which they are not asked.
        trials: After how many trials that is judged.

    Raises:
        ConfigError: One of them is out of range.
    """

    keep: float = 0.25
    least: float = 0.1
    trials: int = 15

    def __post_init__(self) -> None:
        """Check the options."""
        if not (0 < self.keep < 1 and -1 <= self.least <= 1 and self.trials >= 3):
            raise ConfigError(
                "screening needs 0 < keep < 1, -1 <= least <= 1 and trials >= 3, "
                f"got {self.keep}, {self.least} and {self.trials}"
            )


@dataclass(frozen=True, slots=True)
class Screened:
    """Ask a searcher several times; pass on the proposal that proxies rank highest.

    Attributes:
        searcher: Proposes, and says at the end what to hand over.
        assess: What proxies say of architectures; the same of equal ones.
        screening: How to choose.
    """

    searcher: Searcher
    assess: Assess
    screening: Screening = Screening()
    _known: dict[str, Promise] = field(default_factory=dict, repr=False, compare=False)
    _said: list[str] = field(default_factory=list, repr=False, compare=False)

    @property
    def space(self) -> Space:
        """Where architectures live."""
        return self.searcher.space

    def check(self, aim: Aim) -> None:
        """Let the searcher refuse what does not suit it.

        Raises:
            ConfigError: It does.
        """
        check(self.searcher, aim)

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Propose the most promising of several, or the first while proxies are not believed."""
        first = self.searcher.propose(history, rng)
        if first is None or first.repeat or not self._believed(history):
            return first
        size = round(1 / self.screening.keep)
        drawn = (first, *(self.searcher.propose(history, rng) for _ in range(size - 1)))
        new = {self.space.identity(one.architecture): one for one in reversed(drawn) if one}
        batch = [*reversed([o for name, o in new.items() if not [*history.same(name)]])]
        if not batch:
            return first
        promises = self._promises([one.architecture for one in batch])
        at = self._chosen(promises, blind=len(history.trials) % _BLIND == _BLIND - 1)
        chosen = promises[at]
        return replace(
            batch[at],
            scores=chosen.scores,
            dropped=len(batch) - 1,
            fault=chosen.fault,
            detail=chosen.detail,
        )

    def _chosen(self, promises: Sequence[Promise], *, blind: bool) -> int:
        """Return the place of what is proposed; a fault comes first, to be written down."""
        faults = [at for at, promise in enumerate(promises) if promise.fault]
        if faults or blind:
            return [*faults, 0][0]
        return most_promising([promise.scores for promise in promises])

    def recommend(self, history: History) -> Trial | None:
        """Return what the searcher hands over."""
        return recommended(self.searcher, history)

    def _promises(self, architectures: Sequence[Architecture]) -> list[Promise]:
        names = [self.space.identity(one) for one in architectures]
        new = {n: a for n, a in zip(names, architectures, strict=True) if n not in self._known}
        if new:
            self._known.update(zip(new, self.assess([*new.values()]), strict=True))
        return [self._known[name] for name in names]

    def _believed(self, history: History) -> bool:
        judged = correlation(history)
        if judged is None or judged.trials < self.screening.trials:
            return True
        if judged.spearman >= self.screening.least:
            return True
        if not self._said:
            self._said.append(
                f"proxies and training agree too little (rank correlation {judged.spearman:.2f} "
                f"over {judged.trials} trials, {self.screening.least:g} is asked for): proposals "
                "are no longer screened"
            )
            _LOG.warning(self._said[0])
        return False


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well proxies rank what was trained.

    Attributes:
        spearman: The rank correlation of the mean rank by proxies with the rank by training.
        trials: Over so many.
    """

    spearman: float
    trials: int


def correlation(history: History) -> Agreement | None:
    """Return how well proxies rank the trials that have ended; none if there are too few."""
    judged = [
        trial
        for trial in history.finished
        if trial.trained and trial.started.scores and isinstance(trial.outcome, Finished)
    ]
    if len(judged) < 3:
        return None
    promised = promise([trial.started.scores for trial in judged])
    places = {trial.number: place for place, trial in enumerate(sorted(judged, key=rank))}
    trained = [-places[trial.number] for trial in judged]
    if np.ptp(promised) == 0:
        return Agreement(0.0, len(judged))
    return Agreement(float(spearmanr(promised, trained).statistic), len(judged))


def promise(scores: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """Return each architecture's mean rank by proxies, more being better; no value ranks last."""
    names = sorted({name for one in scores for name in one})
    if not names:
        return np.zeros(len(scores))
    table = np.array([[one.get(name, -np.inf) for name in names] for one in scores])
    ranks: NDArray[np.float64] = rankdata(table, axis=0).mean(axis=1)
    return ranks


def most_promising(scores: Sequence[Mapping[str, float]]) -> int:
    """Return the place of the highest mean rank, the first of equals."""
    return int(promise(scores).argmax())
