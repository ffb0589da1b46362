"""Who proposes what to train next.

A searcher is a frozen dataclass: the space, then its options with their defaults. It proposes as
a function of the history and a generator and remembers nothing that a fresh instance would not
rebuild from the same history; so there is nothing to save, and resuming is replaying the journal.
A new one is a small file beside these and a line in ``SEARCHERS``; the contract in
``tests/test_searchers.py`` then holds it to all of this.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Protocol, runtime_checkable

import numpy as np

from raynas.errors import ConfigError, unknown
from raynas.lazy_table import LazyTable
from raynas.options import build
from raynas.searchers.recommendation import Recommendation
from raynas.searchers.requirements import Requirements
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


class Searcher(Protocol):
    """Proposes architectures; raises ``SpaceError`` when made for a space it cannot express.

    One whose proposals never have a parent has a false ``breeds``.
    """

    @property
    def space(self) -> Space:
        """Where architectures live."""

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Return what to train next, or none if nothing is left to propose.

        The same history and an equally seeded generator give the same proposal, in any process.
        It never waits: with trials still running it proposes from what is known.

        Args:
            history: All that happened so far; only read.
            rng: Where all randomness comes from; consumed.
        """


@runtime_checkable
class Particular(Protocol):
    """A searcher that does not suit every run."""

    def check(self, requirements: Requirements) -> None:
        """Raise ``ConfigError`` if it does not meet what a run requires."""


def check(searcher: object, requirements: Requirements) -> None:
    """See before anything starts that a searcher suits a run.

    Raises:
        ConfigError: It does not.
    """
    if isinstance(searcher, Particular):
        searcher.check(requirements)


@runtime_checkable
class Recommender(Protocol):
    """A searcher that knows better than the best single score which trial to hand over."""

    def recommend(self, history: History) -> Trial | None:
        """Return the finished trial to hand over; none if none has finished."""


@runtime_checkable
class Explaining(Protocol):
    """A recommender that says what networks are expected to reach on new data."""

    def recommendation(self, history: History) -> Recommendation | None:
        """Return the trial that ``recommend`` returns, and what it was compared with."""


@runtime_checkable
class Keeper(Protocol):
    """A searcher whose proposals inherit weights."""

    def keeps(self, history: History) -> Collection[int]:
        """Return the ended trials whose checkpoints later proposals may need."""


def recommended(searcher: object, history: History) -> Trial | None:
    """Return the trial a search hands over: the searcher's choice, or else the history's best."""
    if isinstance(searcher, Recommender):
        return searcher.recommend(history)
    return history.best


def recommendation(searcher: object, history: History) -> Recommendation | None:
    """Return the trial a search hands over, and what it was compared with, if that is known."""
    if isinstance(searcher, Explaining):
        return searcher.recommendation(history)
    chosen = recommended(searcher, history)
    return Recommendation(chosen) if chosen else None


SEARCHERS: Final[Mapping[str, type[Searcher]]] = LazyTable(
    {
        "auto": "raynas.searchers.auto:Auto",
        "random": "raynas.searchers.random:RandomSearch",
        "local_search": "raynas.searchers.local_search:LocalSearch",
        "evolution": "raynas.searchers.evolution:RegularizedEvolution",
        "nsga2": "raynas.searchers.nsga2:NSGA2",
        "ehvi": "raynas.searchers.ehvi:EHVI",
        "reinforce": "raynas.searchers.reinforce:REINFORCE",
        "ppo": "raynas.searchers.ppo:PPO",
        "gp": "raynas.searchers.gp.search:GaussianProcess",
        "bohb": "raynas.searchers.bohb:BOHB",
        "bananas": "raynas.searchers.bananas:BANANAS",
        "npenas": "raynas.searchers.npenas:NPENAS",
        "nasbot": "raynas.searchers.nasbot:NASBOT",
        "optuna": "raynas.searchers.optuna:OptunaSearch",
    }
)
"""Every searcher by name."""


def make(name: str, space: Space, options: Mapping[str, object] | None = None) -> Searcher:
    """Return the searcher of that name for a space.

    Raises:
        ConfigError: There is no such searcher, or an option is unknown or unusable.
        SpaceError: The searcher cannot express the space.
    """
    if name not in SEARCHERS:
        raise ConfigError(unknown("searcher", name, SEARCHERS))
    return build(f"searcher {name!r}", SEARCHERS[name], options or {}, space=space)
