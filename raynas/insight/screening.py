"""How well zero-cost proxies predicted the results of a run."""

from __future__ import annotations

from raynas.insight.wording import plural
from raynas.searchers.rank_correlation import rank_correlation
from raynas.trial import History


def screening(history: History) -> str:
    """Return in one line how well proxies ranked the trials; empty for a run without proxies."""
    started = [trial.started for trial in history.trials.values()]
    if not any(one.screening.mode for one in started):
        return ""
    off = next((one for one in started if one.screening.mode == "off"), None)
    names = ", ".join(dict.fromkeys(name for one in started for name in one.screening.scores))
    found = rank_correlation(history)
    said = "too few trials to compare them with"
    if found is not None:
        metric = history.objectives[0].metric
        said = f"rank correlation with {metric} {found.spearman:.2f} over {found.trials} trials"
    dropped = plural(sum(one.screening.dropped for one in started), "proposal")
    text = f"{names or 'proxies'}: {said}; {dropped} dropped"
    return text if off is None else f"{text}; switched off from trial {off.number} on"
