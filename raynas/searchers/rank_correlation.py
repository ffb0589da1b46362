"""How well zero-cost proxies rank the networks that were trained.

SciPy's statistics take half a second to load, so they are loaded when they are first needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.searchers.selection import rank
from raynas.trial import Finished, History, Trial

_MOST: Final = 1000  # trials that are compared; so the time does not grow with the run
_FEWEST: Final = 4  # with fewer trials a correlation has no interval
_WIDTH: Final = 1.96  # standard deviations on either side: 95 %
_GRID: Final = 2000  # points of the numerical integration of a distribution


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """How well proxies rank trained networks, corrected for the selection by proxies.

    Attributes:
        spearman: The rank correlation of the mean rank by proxies with the rank by training.
        upper: The upper end of its 95 % interval.
        trials: The number of trials.
    """

    spearman: float
    upper: float
    trials: int


def rank_correlation(history: History) -> RankCorrelation | None:
    """Return how well proxies rank the trials that have ended; none if there are too few.

    Of very many trials, the latest thousand are compared.
    A trial without a value by a proxy ranks last, as it does in the screening. Trials that were
    chosen by proxies differ less from each other than proposals do, which makes the correlation
    smaller. Thorndike's correction (case 2) is applied, with proposals assumed to be normal.
    """
    latest = islice(filter(_is_judged, reversed(history.finished)), _MOST)
    judged = [*latest][::-1]
    if len(judged) < _FEWEST:
        return None
    from scipy.stats import spearmanr  # noqa: PLC0415 - see the module's docstring

    by_proxies = mean_ranks([trial.started.screening.scores for trial in judged])
    places = {trial.number: place for place, trial in enumerate(sorted(judged, key=rank))}
    trained = [-places[trial.number] for trial in judged]
    seen = 0.0 if np.ptp(by_proxies) == 0 else float(spearmanr(by_proxies, trained).statistic)
    # Of Fisher's transform; the numerator is Bonett and Wright's for ranks.
    error = math.sqrt((1 + seen**2 / 2) / (len(judged) - 3))
    inside = min(max(seen, -1 + 1e-9), 1 - 1e-9)
    upper = math.tanh(math.atanh(inside) + _WIDTH * error)
    spread = _spread([_rivals(trial) for trial in judged])
    return RankCorrelation(_widened(seen, spread), _widened(upper, spread), len(judged))


def mean_ranks(scores: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """Return each architecture's mean rank by proxies; higher is better, no value ranks last."""
    names = sorted({name for one in scores for name in one})
    if not names:
        return np.zeros(len(scores))
    from scipy.stats import rankdata  # noqa: PLC0415 - see the module's docstring

    table = np.array([[one.get(name, -np.inf) for name in names] for one in scores])
    ranks: NDArray[np.float64] = rankdata(table, axis=0).mean(axis=1)
    return ranks


def _is_judged(trial: Trial) -> bool:
    screened = trial.started.screening.mode in {"chosen", "blind"}
    return screened and trial.trained and isinstance(trial.outcome, Finished)


def _rivals(trial: Trial) -> int:
    """Return from how many proposals the proxies chose this trial."""
    screening = trial.started.screening
    return screening.dropped + 1 if screening.mode == "chosen" else 1


def _spread(rivals: Sequence[int]) -> float:
    """Return the standard deviation of the best of so many draws from a normal distribution."""
    means, squares = zip(*map(_moments, rivals), strict=True)
    return math.sqrt(math.fsum(squares) / len(rivals) - (math.fsum(means) / len(rivals)) ** 2)


@cache
def _moments(rivals: int) -> tuple[float, float]:
    """Return the first two moments of the best of so many draws from a normal distribution."""
    from scipy.special import ndtri  # noqa: PLC0415 - see the module's docstring

    shares = (np.arange(_GRID) + 0.5) / _GRID
    weights = rivals * shares ** (rivals - 1) / _GRID
    points = ndtri(shares)
    return float(weights @ points), float(weights @ points**2)


def _widened(seen: float, spread: float) -> float:
    """Return the correlation among all, given that of a selection whose deviation is smaller."""
    return seen / math.sqrt(seen**2 + (1 - seen**2) * spread**2)
