"""Finalists: the last trials train the best networks again, on other divisions of the data.

A search compares many networks on one small set of validation examples, so the best score is
partly luck (Cawley & Talbot, 2010, JMLR 11, section 5). Scores on other divisions have other
luck. Each finalist is trained on the same divisions, so the comparison is fair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from raynas.searchers.recommendation import Recommendation
from raynas.searchers.wrapper import SearcherWrapper
from raynas.trial import Finished, History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class Finalists(SearcherWrapper):
    """Let a searcher propose, then train the best networks on other divisions.

    Of ``n`` trials for finalists, each of about ``sqrt(n)`` networks gets as many.

    Attributes:
        searcher: Proposes before.
        trials: How many trials there are in all.
        share: The share of them for finalists.
    """

    trials: int
    share: float

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Return the searcher's proposal, or the next training of a finalist."""
        reserved = int(self.share * self.trials)
        if not reserved or history.trained < self.trials - reserved:
            return self.searcher.propose(history, rng)
        finalists = self._finalists(history, reserved)
        if not finalists:
            return self.searcher.propose(history, rng)
        tried = [
            [one.started.division for one in history.same(each.identity)] for each in finalists
        ]
        at = min(range(len(finalists)), key=lambda at: len({*tried[at]}))
        division = next(one for one in range(1, self.trials + 1) if one not in tried[at])
        return Proposal(finalists[at].architecture, repeat=True, division=division)

    def recommend(self, history: History) -> Trial | None:
        """Return the trial of ``recommendation``."""
        chosen = self.recommendation(history)
        return chosen.trial if chosen else None

    def recommendation(self, history: History) -> Recommendation | None:
        """Return the finalist with the best mean score; without finalists, the searcher's choice.

        Only networks that were trained on the most divisions are compared, and only by the
        divisions that all of them have.
        """
        scores: dict[str, dict[int, list[float]]] = {}
        for trial in history.finished:
            if _counts(trial, history):
                by_division = scores.setdefault(trial.identity, {})
                by_division.setdefault(trial.started.division, []).append(trial.losses[0])
        most = max((len(one) for one in scores.values()), default=0)
        if most < 2:
            return SearcherWrapper.recommendation(self, history)
        compared = {name: one for name, one in scores.items() if len(one) >= max(2, most - 1)}
        common = set.intersection(*({*one} for one in compared.values()))
        means = {
            name: fmean(fmean(losses) for division, losses in one.items() if division in common)
            for name, one in compared.items()
        }
        best = min(means, key=means.__getitem__)
        return Recommendation(_best_training(history, best))

    def _finalists(self, history: History, reserved: int) -> Sequence[Trial]:
        """Return the best networks by their first training, one trial each, the best first.

        The searcher's own choice is among them.
        """
        ranked: dict[str, Trial] = {}
        found = [one for one in history.finished if _counts(one, history)]
        for trial in sorted(found, key=lambda one: one.rank):
            if not trial.started.division:
                ranked.setdefault(trial.identity, trial)
        count = math.ceil(math.sqrt(reserved))
        chosen = SearcherWrapper.recommend(self, history)
        best = [*ranked.values()]
        if chosen is not None and chosen.identity in ranked:
            best = [ranked[chosen.identity], *(t for t in best if t.identity != chosen.identity)]
        return best[:count]


def _counts(trial: Trial, history: History) -> bool:
    """Return whether a trial is a full training with a finite score."""
    whole = isinstance(trial.outcome, Finished) and trial.trained and not trial.stopped
    return whole and trial.epoch == history.longest and math.isfinite(trial.losses[0])


def _best_training(history: History, identity: str) -> Trial:
    """Return the training of a network with the best score on the task's own division."""
    same = [one for one in history.same(identity) if _counts(one, history)]
    own = [one for one in same if not one.started.division] or same
    return min(own, key=lambda one: one.rank)
