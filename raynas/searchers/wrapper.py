"""The base class of searchers that wrap another searcher."""

from __future__ import annotations

from dataclasses import dataclass

from raynas.searchers import Keeper, Searcher, check, recommendation, recommended
from raynas.searchers.recommendation import Recommendation
from raynas.searchers.requirements import Requirements
from raynas.space import Space
from raynas.trial import History, Trial


@dataclass(frozen=True, slots=True)
class SearcherWrapper:
    """Changes a searcher's proposals; everything else is delegated to that searcher.

    Attributes:
        searcher: Proposes, and chooses the trial to hand over.
    """

    searcher: Searcher

    @property
    def space(self) -> Space:
        """The search space."""
        return self.searcher.space

    def check(self, requirements: Requirements) -> None:
        """Let the searcher refuse a run that it does not suit.

        Raises:
            ConfigError: The searcher refuses the run.
        """
        check(self.searcher, requirements)

    def recommend(self, history: History) -> Trial | None:
        """Return the trial that the searcher hands over."""
        return recommended(self.searcher, history)

    def recommendation(self, history: History) -> Recommendation | None:
        """Return the trial that the searcher hands over, and what it was compared with."""
        return recommendation(self.searcher, history)


def keeper(searcher: Searcher) -> Keeper | None:
    """Return who says which weights are kept: a searcher, or one that it wraps; none if nobody."""
    if isinstance(searcher, Keeper):
        return searcher
    return keeper(searcher.searcher) if isinstance(searcher, SearcherWrapper) else None
