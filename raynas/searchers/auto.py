"""The default searcher: it chooses a searcher for the user."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers import several
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
    """Choose a searcher by the number of objectives.

    For one objective, a Gaussian process (``gp``) proposes. For several objectives, ``ehvi``
    proposes: one Gaussian process per objective, and expected hypervolume improvement. These
    searchers need the fewest trainings of all searchers here. After a thousand trainings, local
    search and evolution reach the same scores, so the choice does not depend on the budget. Both
    work on any space. After a thousand trials, the time per proposal hardly grows. For a space of
    one architecture, random search proposes.

    Attributes:
        space: The search space.
        features: Computes numbers about an untrained architecture (see ``GaussianProcess``).
        pool: How many random architectures a feature is compared with, to scale it.
        shortlist: For how many networks features are computed before each training; for one
            objective only.
        fidelities: Epochs of short and of full trainings, if most trainings shall be short; for
            one objective only.
    """

    space: Space
    features: Features | None = None
    pool: int = 1000
    shortlist: int | None = None
    fidelities: tuple[int, int] | None = None
    _one: GaussianProcess | RandomSearch = field(init=False, repr=False, compare=False)
    _several: EHVI | RandomSearch = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make both searchers; the history's objectives decide which of them proposes."""
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
        """Refuse a run that the chosen searcher refuses, and options that it would ignore.

        Raises:
            ConfigError: The run or an option does not suit the chosen searcher.
        """
        if len(requirements.objectives) == 1 and isinstance(self._one, GaussianProcess):
            self._one.check(requirements)
        if len(requirements.objectives) > 1 and (self.shortlist or self.fidelities):
            raise ConfigError(
                "the options shortlist and fidelities of auto need one objective, got "
                f"{len(requirements.objectives)}: leave both options out"
            )

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Return the proposal of the searcher for this number of objectives."""
        return self._suited(history).propose(history, rng)

    def propose_several(
        self, history: History, rng: np.random.Generator, count: int
    ) -> list[Proposal]:
        """Return several proposals of that searcher."""
        return several(self._suited(history), history, rng, count)

    def recommendation(self, history: History) -> Recommendation | None:
        """Return that searcher's recommendation; for random search, the best measured trial."""
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
