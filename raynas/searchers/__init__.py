"""Searchers: they propose the architectures to train.

A searcher is a frozen dataclass: the space, then its options with their defaults. A proposal is a
function of the history and a random generator. A searcher keeps no other state: a new instance
rebuilds everything from the same history. So nothing is saved, and a run is resumed by replaying
its journal. To add a searcher, write a small file in this folder and add a line to ``SEARCHERS``;
``tests/test_searchers.py`` then tests it against this contract.
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

    A searcher whose proposals never have a parent sets ``breeds`` to false.
    """

    @property
    def space(self) -> Space:
        """The search space."""

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Return what to train next, or none if nothing is left to propose.

        The same history and a generator with the same seed give the same proposal, in any
        process. The method never waits: while trials run, it uses what is known so far.

        Args:
            history: Everything that happened so far; it is only read.
            rng: The source of all randomness; its state changes.
        """


@runtime_checkable
class Particular(Protocol):
    """A searcher that does not suit every run."""

    def check(self, requirements: Requirements) -> None:
        """Raise ``ConfigError`` if the searcher does not meet the requirements of a run."""


def check(searcher: object, requirements: Requirements) -> None:
    """Check that a searcher suits a run; called before anything starts.

    Raises:
        ConfigError: The searcher does not suit the run.
    """
    if isinstance(searcher, Particular):
        searcher.check(requirements)


@runtime_checkable
class Recommender(Protocol):
    """A searcher that chooses which trial to hand over; otherwise the best score decides."""

    def recommend(self, history: History) -> Trial | None:
        """Return the finished trial to hand over; none if none has finished."""


@runtime_checkable
class Explaining(Protocol):
    """A recommender that estimates the scores of networks on new data."""

    def recommendation(self, history: History) -> Recommendation | None:
        """Return the trial that ``recommend`` returns, and what it was compared with."""


@runtime_checkable
class Keeper(Protocol):
    """A searcher whose proposals inherit weights."""

    def keeps(self, history: History) -> Collection[int]:
        """Return the ended trials whose checkpoints later proposals may need."""


@runtime_checkable
class ProposesSeveral(Protocol):
    """A searcher that proposes the same network each time unless it is asked for several."""

    def propose_several(
        self, history: History, rng: np.random.Generator, count: int
    ) -> list[Proposal]:
        """Return what ``propose`` would return, then the next best; at most ``count``."""


def several(
    searcher: Searcher, history: History, rng: np.random.Generator, count: int
) -> list[Proposal]:
    """Return at most ``count`` proposals for the next trial; the first is the searcher's own."""
    if isinstance(searcher, ProposesSeveral):
        return searcher.propose_several(history, rng, count)
    asked = (searcher.propose(history, rng) for _ in range(count))
    return [one for one in asked if one]


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
