"""What every searcher around another searcher shares."""

from __future__ import annotations

from dataclasses import dataclass

from raynas.searchers import Searcher, check, recommendation, recommended
from raynas.searchers.recommendation import Recommendation
from raynas.searchers.requirements import Requirements
from raynas.space import Space
from raynas.trial import History, Trial


@dataclass(frozen=True, slots=True)
class SearcherWrapper:
    """Changes what a searcher proposes; all else is as that searcher says.

    Attributes:
        searcher: Proposes, and says at the end which trial to hand over.
    """

    searcher: Searcher

    @property
    def space(self) -> Space:
        """Where architectures live."""
        return self.searcher.space

    def check(self, requirements: Requirements) -> None:
        """Let the searcher refuse a run that it does not suit.

        Raises:
            ConfigError: It refuses.
        """
        check(self.searcher, requirements)

    def recommend(self, history: History) -> Trial | None:
        """Return the trial that the searcher hands over."""
        return recommended(self.searcher, history)

    def recommendation(self, history: History) -> Recommendation | None:
        """Return the trial that the searcher hands over, and what it was compared with."""
        return recommendation(self.searcher, history)
