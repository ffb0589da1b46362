"""Rung 0: of several proposals, only the one that zero-cost proxies rank highest is trained.

Proxies (Abdelfattah et al., 2021, arXiv:2101.08134) rank untrained networks. On other data sets
than those of their papers, proxies may rank no better than chance. So their ranks are compared
with the results of training, trial by trial. If the two disagree, proxies are switched off.

If a proxy has no value for a network, or raises an error, the network ranks last for that proxy.
If all proposals make every proxy raise, the first one becomes a failed trial, because training
would probably raise as well. Such a network never takes the place of one that has a score.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers import several
from raynas.searchers.rank_correlation import mean_ranks, rank_correlation
from raynas.searchers.wrapper import SearcherWrapper
from raynas.space import Architecture
from raynas.trial import Fault, History, Proposal, Screening

_LOG = logging.getLogger("raynas")
_KEPT: Final = 10_000  # networks whose scores are kept
_BLIND: Final = 5  # one in so many trials is not chosen by proxies, to test them fairly


@dataclass(frozen=True, slots=True)
class Assessment:
    """The scores of an architecture by proxies.

    Attributes:
        scores: By proxy; higher is better. A proxy without a value is left out.
        faults: One sentence for each proxy that raised, by proxy.
        tracebacks: The tracebacks of these errors, where there are any.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    tracebacks: Mapping[str, str] = field(default_factory=dict)

    @property
    def broken(self) -> bool:
        """Whether a proxy raised and no proxy has a score."""
        return bool(self.faults) and not self.scores


Assess = Callable[[Sequence[Architecture]], Sequence[Assessment]]


def together(asked: Sequence[Assess]) -> Assess:
    """Return what asks several for their assessments, and gives one of each architecture."""

    def assess(architectures: Sequence[Architecture]) -> list[Assessment]:
        said = zip(*(one(architectures) for one in asked), strict=True)
        return [_joined(parts) for parts in said]

    return asked[0] if len(asked) == 1 else assess


def _joined(parts: Sequence[Assessment]) -> Assessment:
    return Assessment(
        {name: score for part in parts for name, score in part.scores.items()},
        {name: fault for part in parts for name, fault in part.faults.items()},
        {name: trace for part in parts for name, trace in part.tracebacks.items()},
    )


@dataclass(frozen=True, slots=True)
class ScreeningOptions:
    """How strictly to choose, and when to switch proxies off.

    Attributes:
        keep: The share of the proposals that is trained.
        least: The rank correlation between proxies and training that is needed. Once the 95 %
            interval of the measured correlation is below it, proxies are switched off.
        trials: After how many trials the correlation is first tested.

    Raises:
        ConfigError: An option is out of range.
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
    """Ask a searcher several times; return the proposal that proxies rank highest.

    Attributes:
        searcher: Proposes, and chooses the trial to hand over.
        assess: Scores architectures by proxies; equal architectures get equal scores.
        screening: How to choose.
    """

    assess: Assess
    screening: ScreeningOptions = ScreeningOptions()
    _known: dict[str, Assessment] = field(default_factory=dict, repr=False, compare=False)
    _said: set[str] = field(default_factory=set, repr=False, compare=False)

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Return the best of several proposals by proxies; the first if proxies are off."""
        believed = self._believed(history)
        size = round(1 / self.screening.keep) if believed else 1
        drawn = several(self.searcher, history, rng, size)
        if not drawn:
            return None
        if not believed:
            return replace(drawn[0], screening=Screening("off"))
        batch = [] if drawn[0].repeat else self._different(drawn, history)
        if not batch:
            return drawn[0]
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
        unchosen = blind or len(batch) == 1
        return replace(
            batch[at],
            screening=screening,
            fault=_fault(said),
            random=batch[at].random and unchosen,
        )

    def _different(self, drawn: Sequence[Proposal], history: History) -> list[Proposal]:
        """Return the proposals: no network twice, and none that was tried before."""
        new = {self.space.identity(one.architecture): one for one in reversed(drawn)}
        if len(new) == 1 and "same" not in self._said:
            self._said.add("same")
            _LOG.warning(
                "asked %d times, the searcher proposed the same network each time: proxies have "
                "nothing to choose from (shown once)",
                len(drawn),
            )
        return [*reversed([one for name, one in new.items() if not [*history.same(name)]])]

    def _assessments(self, architectures: Sequence[Architecture]) -> list[Assessment]:
        names = [self.space.identity(one) for one in architectures]
        new = {n: a for n, a in zip(names, architectures, strict=True) if n not in self._known}
        if new:
            said = self.assess([*new.values()])
            self._known.update(zip(new, said, strict=True))
            self._say_faults(said)
        found = [self._known[name] for name in names]
        while len(self._known) > _KEPT:  # a network that is forgotten gets the same scores again
            del self._known[next(iter(self._known))]
        return found

    def _say_faults(self, assessments: Sequence[Assessment]) -> None:
        """Log once for each proxy that it raised, because a dropped network is not recorded."""
        for one in assessments:
            for name in one.faults.keys() - self._said:
                self._said.add(name)
                _LOG.warning(
                    "the proxy %r raised an error on a network and ranks that network last "
                    "(shown once for each proxy): %s\n%s",
                    name,
                    one.faults[name],
                    one.tracebacks.get(name, ""),
                )

    def _believed(self, history: History) -> bool:
        """Return whether proxies are used; once switched off, they stay off."""
        modes = (one.started.screening.mode for one in reversed(history.trials.values()))
        if next(filter(None, modes), "") == "off":
            return False
        judged = rank_correlation(history)
        if judged is None or judged.trials < self.screening.trials:
            return True
        if judged.upper >= self.screening.least:
            return True
        if "off" not in self._said:
            self._said.add("off")
            _LOG.warning(
                "proxies rank trained networks too badly (rank correlation %.2f over %d trials, "
                "95 %% sure to be below %.2f; it must reach %g): proposals are no longer screened",
                judged.spearman,
                judged.trials,
                judged.upper,
                self.screening.least,
            )
        return False


def most_promising(scores: Sequence[Mapping[str, float]]) -> int:
    """Return the index of the highest mean rank; of equal ones, the first."""
    return int(mean_ranks(scores).argmax())


def _place(assessments: Sequence[Assessment], *, blind: bool) -> int:
    """Return the index of the proposal; a broken one only if all are broken."""
    whole = [at for at, one in enumerate(assessments) if not one.broken]
    if not whole or blind:
        return [*whole, 0][0]
    return whole[most_promising([assessments[at].scores for at in whole])]


def _fault(said: Assessment) -> Fault | None:
    """Return the fault of a network on which every proxy raised; none for other networks."""
    if not said.broken:
        return None
    sentences = "; ".join(dict.fromkeys(said.faults.values()))
    tracebacks = "\n".join(dict.fromkeys(said.tracebacks.values()))
    return Fault(f"no proxy could score the network: {sentences}", tracebacks)
