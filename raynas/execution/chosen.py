"""The trial that is handed over: a searcher chooses it, or else the best score decides."""

from __future__ import annotations

import logging

from raynas.searchers import Searcher, recommendation
from raynas.searchers.recommendation import Recommendation
from raynas.trial import Failed, History

_LOG = logging.getLogger("raynas")


def as_measured(history: History) -> Recommendation | None:
    """Return the trial with the best score; none before one has finished."""
    return Recommendation(history.best) if history.best else None


def chosen_by(searcher: Searcher, history: History) -> Recommendation | None:
    """Return the trial that a searcher chooses; none before one has finished.

    The best score decides if the searcher raises, or if its choice has failed since.
    """
    try:
        chosen = recommendation(searcher, history)
    except Exception as error:  # noqa: BLE001 - a searcher may be a user's
        said = "%r raised %s as it chose the trial to hand over: %s; the best score decides"
        _LOG.warning(said, searcher, type(error).__name__, error, exc_info=error)
        return as_measured(history)
    if chosen and isinstance(history.trials[chosen.trial.number].outcome, Failed):
        return as_measured(history)
    return chosen
