"""Which decisions matter: PED-ANOVA (Watanabe, Bansal & Hutter, 2023, arXiv:2304.10255).

A decision matters if its values among the best networks of the run differ from its values among
all networks of the run. The measure is the paper's: the Pearson divergence between both
distributions of values on the trials of the run.

Decisions that are not always active are treated as in conditional PED-ANOVA (2026,
arXiv:2601.20800, theorem 4.2): values are compared among the networks in which the decision is
active, and the divergence is multiplied by ``a ** 2 / b``, where ``a`` and ``b`` are the shares
of the best and of all networks in which it is active. That a decision is active at all counts for
the decision above it, not for itself.

Differs from the papers: the best quarter of the networks is compared, because runs have tens of
trials, not thousands; the distributions are counts, not density estimates: of each option, and of
up to eight ranges of a number that hold equally many networks; what chance alone gives on average
is subtracted, and a decision that does not stand out from chance (the 95 % quantile of the
chi-squared distribution) has the importance 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.insight.outcome_counts import ranking_key
from raynas.space import Choice, Decision, Value
from raynas.trial import Finished, History, Trial

LEAST: Final = 20  # networks; with fewer, a quarter of them says nothing
_TOP: Final = 0.25  # the share of the networks that counts as best
_BINS: Final = 8  # ranges of a number
_EACH: Final = 5  # networks in a range, at least
_SURE: Final = 0.95


def importance(history: History, decisions: Mapping[str, Decision]) -> Mapping[str, float]:
    """Return how much each decision matters, the most important one first.

    Networks are ranked as in the leaderboard: by epochs, then by the first objective. So networks
    that were stopped early count as worse than those that were not. Of a network that was trained
    several times, the best training counts. Failed trials are left out.

    Args:
        history: All events of the run.
        decisions: The decisions of the space (``Space.decisions``).

    Returns:
        By path, the share of a decision in the sum of all: 0 if it does not stand out from
        chance, and 0 for all if none does. Empty if there are too few networks; ``too_few`` then
        says so in a sentence.
    """
    networks = _ranked(history)
    if len(networks) < LEAST:
        return {}
    top = math.ceil(_TOP * len(networks))
    found = {path: _divergence(one, networks, top) for path, one in decisions.items()}
    total = math.fsum(found.values()) or 1.0
    order = sorted(found, key=lambda path: -found[path])
    return {path: found[path] / total for path in order}


def too_few(history: History) -> str:
    """Return in a sentence that there are too few networks for ``importance``; empty if not."""
    count = len(_ranked(history))
    if count >= LEAST:
        return ""
    return (
        f"Which decisions matter cannot be said yet: {LEAST} networks with a score are needed, "
        f"there {'is' if count == 1 else 'are'} {count or 'none'}."
    )


def most_important(
    history: History, decisions: Mapping[str, Decision], count: int
) -> list[Decision]:
    """Return the decisions that matter most; before that is known, the first ones that vary.

    Args:
        history: All events of the run.
        decisions: The decisions of the space.
        count: How many are wanted, at most.
    """
    known = importance(history, decisions)
    values = [trial.architecture for trial in history.trials.values()]
    varied = [
        path
        for path in known or decisions
        if path in decisions and len({one[path] for one in values if path in one}) > 1
    ]
    return [decisions[path] for path in varied[:count]]


def _ranked(history: History) -> list[Trial]:
    """Return the best training of each network, the best network first."""
    scored = [
        trial
        for trial in history.finished
        if trial.trained and isinstance(history.trials[trial.number].outcome, Finished)
    ]
    best: dict[str, Trial] = {}
    for trial in sorted(scored, key=ranking_key):
        best.setdefault(trial.identity, trial)
    return [*best.values()]


def _divergence(decision: Decision, networks: Sequence[Trial], top: int) -> float:
    """Return the divergence of a decision, less what chance gives.

    Args:
        decision: The decision.
        networks: The networks, the best first.
        top: How many of them are the best.
    """
    active = np.array([decision.path in one.architecture for one in networks])
    count, best = int(active.sum()), int(active[:top].sum())
    if best == 0 or best == count:
        return 0.0
    values = [
        one.architecture[decision.path] for one in networks if decision.path in one.architecture
    ]
    groups = _groups(decision, values)
    every = np.bincount(groups)
    every, seen = every[every > 0], np.bincount(groups[:best], minlength=len(every))[every > 0]
    freedom = len(every) - 1
    if freedom == 0:
        return 0.0
    expected = best * every / count
    spread = (1 - best / count) * count / (count - 1)  # of draws without replacement
    statistic = float(((seen - expected) ** 2 / expected).sum() / spread)
    if statistic <= _chance(freedom):
        return 0.0
    weight = (best / top) ** 2 / (count / len(networks))
    return weight * (statistic - freedom) * spread / best


def _groups(decision: Decision, values: Sequence[Value]) -> NDArray[np.intp]:
    """Return ``[values]`` the number of the option, or of the range, that each value is in."""
    domain = decision.domain
    if isinstance(domain, Choice) or domain.count <= _BINS:
        options = {value: place for place, value in enumerate(domain.values())}
        return np.array([options[value] for value in values])
    numbers = np.array([domain.unit(value) for value in values])
    bins = min(_BINS, max(2, len(values) // _EACH))
    edges = np.quantile(numbers, np.linspace(0, 1, bins + 1)[1:-1])
    return np.searchsorted(np.unique(edges), numbers, side="right")


def _chance(freedom: int) -> float:
    """Return what the statistic exceeds by chance in one of twenty cases."""
    from scipy.special import gammaincinv  # noqa: PLC0415 - slow to load

    return 2 * float(gammaincinv(freedom / 2, _SURE))
