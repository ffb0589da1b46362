"""The two searchers of a one-shot search: one for supernets, one for their candidates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import ClassVar, Final

import numpy as np

from raynas.oneshot.candidate import Candidate
from raynas.space import Choice, Space
from raynas.trial import History, Proposal, Screening

METHOD: Final = "method"
"""The decision of a supernet's trial."""

WEIGHT: Final = "weight/"
"""The beginning of the name of a metric that is an option's weight, ``weight/path/option``."""

SHARED: Final = "shared_"
"""The beginning of the name of a metric that shared weights have."""


def supernets(methods: Sequence[str]) -> Space:
    """Return the space of supernets: one decision, the method."""
    return Space({METHOD: Choice(tuple(methods))})


@dataclass(frozen=True, slots=True)
class EachMethod:
    """Propose one supernet for each method, and keep its weights.

    Attributes:
        space: A space of supernets.
    """

    breeds: ClassVar = False
    space: Space

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:  # noqa: ARG002
        """Return the supernet of the next method; none after the last one."""
        every = [*self.space]
        number = len(history.trials)
        return Proposal(every[number]) if number < len(every) else None

    def keeps(self, history: History) -> Collection[int]:
        """Return all trials."""
        return [*history.trials]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Propose the candidates of supernets in turn: the best of each, then the next of each.

    A network is proposed once, even if several supernets found it.

    Attributes:
        space: The space of the candidates.
        found: The candidates of each supernet, the best first.
    """

    breeds: ClassVar = False
    space: Space
    found: Sequence[Sequence[Candidate]]

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:  # noqa: ARG002
        """Return the next candidate; none after the last one."""
        number = len(history.trials)
        if number >= len(ordered := self.ordered):
            return None
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
