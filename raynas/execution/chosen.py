"""The trial that is handed over: a searcher chooses it, or else the best score decides."""

from __future__ import annotations

import logging
import traceback
from functools import lru_cache

from raynas.searchers import Searcher, recommendation
from raynas.searchers.recommendation import Recommendation
from raynas.trial import Failed, History

_LOG = logging.getLogger("raynas")


def chosen(searcher: Searcher, history: History) -> Recommendation | None:
    """Return the trial to hand over, and what it was compared with; none before one has finished.

    The searcher chooses it. The best score decides if the searcher raises, if its choice has
    failed since, or if weights are inherited: a searcher ranks architectures, not weights, and
    might choose a trial whose weights are deleted. A trial that breaks a constraint is never
    handed over.
    """
    best = history.best
    if best is None or best.violation:
        return None
    as_measured = Recommendation(best)
    if any(trial.started.inherits for trial in history.trials.values()):
        return as_measured
    try:
        recommended = recommendation(searcher, history)
    except Exception as error:  # noqa: BLE001 - a searcher may be a user's
        _say(f"{searcher!r} raised {type(error).__name__}: {error}", traceback.format_exc())
        return as_measured
    if recommended is None:
        return None
    trial = history.trials[recommended.trial.number]
    return as_measured if isinstance(trial.outcome, Failed) or trial.violation else recommended


@lru_cache(maxsize=16)
def _say(error: str, detail: str) -> None:
    """Tell of an error once; a run asks several times for the trial to hand over."""
    _LOG.warning(
        "%s when it was asked for the trial to hand over; the best score decides\n%s",
        error,
        detail,
    )
