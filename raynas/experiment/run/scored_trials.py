"""The trials of a run that have a score, for what comes after the search."""

from __future__ import annotations

import math

from raynas.errors import ConfigError, JournalError
from raynas.insight.wording import plural
from raynas.storage import Location
from raynas.trial import Failed, Finished, History, Trial


def ranked_networks(folder: Location, history: History) -> list[Trial]:
    """Return the best trial of each network with a score, the best first.

    Raises:
        JournalError: There is none.
    """
    ended = [one for one in history.trials.values() if isinstance(one.outcome, Finished)]
    known = [one for one in ended if one.trained and math.isfinite(one.losses[0])]
    found: dict[str, Trial] = {}
    for trial in sorted(known, key=lambda one: one.rank):
        found.setdefault(trial.identity, trial)
    if not found:
        raise JournalError(_why_none(folder, history))
    return [*found.values()]


def scored_trial(folder: Location, history: History, number: int) -> Trial:
    """Return a trial by its number.

    Raises:
        ConfigError: There is none, or it has no score.
    """
    trial = history.trials.get(number)
    if trial is None:
        last = max(history.trials, default=None)
        there = "it has no trials" if last is None else f"its trials are 0 to {last}"
        raise ConfigError(f"{folder} has no trial {number}: {there}")
    if isinstance(trial.outcome, Failed):
        raise ConfigError(f"trial {number} of {folder} failed: {trial.outcome.reason}")
    if not isinstance(trial.outcome, Finished):
        raise ConfigError(f"trial {number} of {folder} has not ended: raynas resume {folder}")
    return history.trials[trial.donor]


def _why_none(folder: Location, history: History) -> str:
    if not history.trials:
        return f"{folder} has no trials yet: raynas resume {folder} runs the search"
    outcomes = (trial.outcome for trial in history.failed)
    reasons = {one.reason for one in outcomes if isinstance(one, Failed)}
    why = f": {'; '.join(sorted(reasons)[:3])}" if reasons else ""
    return (
        f"none of {plural(len(history.trials), 'trial')} of {folder} has ended with a score{why}"
    )
