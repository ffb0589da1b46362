"""Rung 0: of several proposals only the one is trained of which proxies promise most.

Proxies (Abdelfattah et al., 2021, arXiv:2101.08134) rank untrained networks. Off the data sets
they were found on they may rank no better than chance, so what they say is compared with what
training says, trial by trial, and they are not asked any more once the two disagree.

A network of which a proxy has no value ranks last for it. One that makes a proxy raise does so,
too; where there is nothing better, it fails, for the proxies are likely to have met what training
would have met. Neither takes the place of a network that proxies can judge.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.rank_correlation import mean_ranks, rank_correlation
from raynas.searchers.wrapper import SearcherWrapper
from raynas.space import Architecture
from raynas.trial import Fault, History, Proposal, Screening

_LOG = logging.getLogger("raynas")
_BLIND: Final = 5  # one in so many trials is not chosen by proxies, to judge them fairly


@dataclass(frozen=True, slots=True)
class Assessment:
    """What proxies say of an architecture.

    Attributes:
        scores: By proxy; more is better. One that has no value is left out.
        faults: By proxy that raised, what: a sentence.
        tracebacks: To those, where there are any.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    tracebacks: Mapping[str, str] = field(default_factory=dict)

    @property
    def broken(self) -> bool:
        """Whether nothing is known of it but that a proxy raised."""
        return bool(self.faults) and not self.scores


Assess = Callable[[Sequence[Architecture]], Sequence[Assessment]]


@dataclass(frozen=True, slots=True)
class ScreeningOptions:
    """How strictly to choose, and when to stop believing in proxies.

    Attributes:
        keep: Share of the proposals that is trained.
        least: The rank correlation between proxies and training that is asked for. Once the 95 %
            interval of what is seen lies below it, they are not asked any more.
        trials: After how many trials that is judged first.

    Raises:
        ConfigError: One of them is out of range.
    """

    keep: float = 0.25
    least: float = 0.25
    trials: int = 15

    def __post_init__(self) -> None:
        """Check the options."""
        if not (0 < self.keep < 1 and -1 <= self.least <= 1 and self.trials >= 3):
            raise ConfigError(
                "screening needs 0 < keep < 1, -1 <= least <= 1 and trials >= 3, "
                f"got {self.keep}, {self.least} and {self.trials}"
            )


@dataclass(frozen=True, slots=True)
class Screened(SearcherWrapper):
    """Ask a searcher several times; pass on the proposal that proxies rank highest.

    Attributes:
        searcher: Proposes, and says at the end what to hand over.
        assess: What proxies say of architectures; the same of equal ones.
        screening: How to choose.
    """

    assess: Assess
    screening: ScreeningOptions = ScreeningOptions()
    _known: dict[str, Assessment] = field(default_factory=dict, repr=False, compare=False)
    _said: set[str] = field(default_factory=set, repr=False, compare=False)

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Propose the most promising of several, or the first while proxies are not believed."""
        first = self.searcher.propose(history, rng)
        if first is None:
            return None
        if not self._believed(history):
            return replace(first, screening=Screening("off"))
        batch = [] if first.repeat else self._batch(first, history, rng)
        if not batch:
            return first
        assessments = self._assessments([one.architecture for one in batch])
        blind = len(history.trials) % _BLIND == _BLIND - 1
        at = _place(assessments, blind=blind)
        said = assessments[at]
        screening = Screening(
            "blind" if blind else "chosen",
            said.scores,
            dropped=len(batch) - 1,
            faults={} if said.broken else {**said.faults, **said.tracebacks},
        )
        return replace(batch[at], screening=screening, fault=_fault(said))

    def _batch(
        self, first: Proposal, history: History, rng: np.random.Generator
    ) -> list[Proposal]:
        """Return several proposals, no network twice and none that was tried before."""
        size = round(1 / self.screening.keep)
        drawn = (first, *(self.searcher.propose(history, rng) for _ in range(size - 1)))
        new = {self.space.identity(one.architecture): one for one in reversed(drawn) if one}
        return [*reversed([one for name, one in new.items() if not [*history.same(name)]])]

    def _assessments(self, architectures: Sequence[Architecture]) -> list[Assessment]:
        names = [self.space.identity(one) for one in architectures]
        new = {n: a for n, a in zip(names, architectures, strict=True) if n not in self._known}
        if new:
            said = self.assess([*new.values()])
            self._known.update(zip(new, said, strict=True))
            self._say_faults(said)
        return [self._known[name] for name in names]

    def _say_faults(self, assessments: Sequence[Assessment]) -> None:
        """Say of each proxy once that it raised: a network that is dropped leaves no trace."""
        for one in assessments:
            for name in one.faults.keys() - self._said:
                self._said.add(name)
                _LOG.warning(
                    "the proxy %r raised on a network, which ranks last for it; this is said "
                    "once: %s\n%s",
                    name,
                    one.faults[name],
                    one.tracebacks.get(name, ""),
                )

    def _believed(self, history: History) -> bool:
        """Say whether proxies are asked: they are not any more once they were not."""
        if any(
            trial.started.screening.mode == "off" for trial in reversed(history.trials.values())
        ):
            return False
        judged = rank_correlation(history)
        if judged is None or judged.trials < self.screening.trials:
            return True
        if judged.upper >= self.screening.least:
            return True
        if "off" not in self._said:
            self._said.add("off")
            _LOG.warning(
                "proxies and training agree too little (rank correlation %.2f over %d trials, "
                "%.2f at most, %g is asked for): proposals are no longer screened",
                judged.spearman,
                judged.trials,
                judged.upper,
                self.screening.least,
            )
        return False


def most_promising(scores: Sequence[Mapping[str, float]]) -> int:
    """Return the place of the highest mean rank, the first of equals."""
    return int(mean_ranks(scores).argmax())


def _place(assessments: Sequence[Assessment], *, blind: bool) -> int:
    """Return the place of what is proposed: nothing broken while there is anything else."""
    whole = [at for at, one in enumerate(assessments) if not one.broken]
    if not whole or blind:
        return [*whole, 0][0]
    return whole[most_promising([assessments[at].scores for at in whole])]


def _fault(said: Assessment) -> Fault | None:
    """Return why a network is not worth training: every proxy raised on it."""
    if not said.broken:
        return None
    sentences = "; ".join(dict.fromkeys(said.faults.values()))
    tracebacks = "\n".join(dict.fromkeys(said.tracebacks.values()))
    return Fault(f"no proxy could say anything of it: {sentences}", tracebacks)
