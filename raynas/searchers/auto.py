"""The searcher for whoever does not want to choose one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.ehvi import EHVI
from raynas.searchers.gp.rows import Features
from raynas.searchers.gp.search import GaussianProcess
from raynas.searchers.random import RandomSearch
from raynas.searchers.recommendation import Recommendation
from raynas.searchers.requirements import Requirements
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class Auto:
    """Pick a searcher by what is searched and what for.

    One objective: the Gaussian process. Several: a process for each, and what a network is
    expected to add to the front. Of all searchers here these need the fewest trainings; after a
    thousand, local search and evolution have come as far, so that the budget need not be known.
    They take any space and, from a thousand trials on, little longer to decide. A space of a
    single architecture leaves nothing to decide.

    Attributes:
        space: Where architectures live.
        features: What is known of an architecture without training it (see ``GaussianProcess``).
        pool: Random architectures among which a feature's place is found.
        shortlist: Of how many networks features are asked before each training; with one
            objective.
        fidelities: Epochs of short and of full trainings, if most are to be short; likewise.
    """

    space: Space
    features: Features | None = None
    pool: int = 1000
    shortlist: int | None = None
    fidelities: tuple[int, int] | None = None
    _one: GaussianProcess | RandomSearch = field(init=False, repr=False, compare=False)
    _several: EHVI | RandomSearch = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the searchers; which of them is asked, the history's objectives decide."""
        one: GaussianProcess | RandomSearch = RandomSearch(self.space)
        several: EHVI | RandomSearch = RandomSearch(self.space)
        if self.space.size > 1:
            one = GaussianProcess(
                self.space,
                features=self.features,
                pool=self.pool,
                shortlist=self.shortlist,
                fidelities=self.fidelities,
            )
            several = EHVI(self.space, features=self.features, pool=self.pool)
        object.__setattr__(self, "_one", one)
        object.__setattr__(self, "_several", several)

    def check(self, requirements: Requirements) -> None:
        """Refuse what the one that is asked would refuse, or not heed.

        Raises:
            ConfigError: There is something of the kind.
        """
        if len(requirements.objectives) == 1 and isinstance(self._one, GaussianProcess):
            self._one.check(requirements)
        if len(requirements.objectives) > 1 and (self.shortlist or self.fidelities):
            raise ConfigError(
                "shortlist and fidelities are for one objective: with "
                f"{len(requirements.objectives)}, auto asks ehvi, which knows neither"
            )

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Ask the one that suits the objectives."""
        return self._suited(history).propose(history, rng)

    def recommendation(self, history: History) -> Recommendation | None:
        """Ask likewise; random search has the best as measured."""
        suited = self._suited(history)
        if not isinstance(suited, RandomSearch):
            return suited.recommendation(history)
        return Recommendation(history.best) if history.best else None

    def recommend(self, history: History) -> Trial | None:
        """Return the trial of ``recommendation``."""
        chosen = self.recommendation(history)
        return chosen.trial if chosen else None

    def _suited(self, history: History) -> GaussianProcess | EHVI | RandomSearch:
        return self._one if len(history.objectives) == 1 else self._several
