"""The expected best of a number of trials, and whether it differs between two groups of trials.

The expected best of ``count`` trials is estimated as by Dodge et al. (2019, arXiv:1909.03004): the
mean of the best of so many draws, with replacement, from the known scores. This is too low if
``count`` is near the number of scores (Tang et al., 2020, arXiv:2004.13705). So ``count`` is half
of the scores of the smaller group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_RESAMPLED: Final = 2000
_MOST: Final = 4_000_000  # numbers that are sorted at once, at most


@dataclass(frozen=True, slots=True)
class Contrast:
    """The expected best of two groups, as gains: more is better.

    Attributes:
        count: Of how many trials.
        first: The expected best of the first group.
        second: The expected best of the second group.
        low: The lower end of the 95 % interval of ``first - second``.
        high: The upper end.
        chance: The p-value: how often groups that are drawn from all trials at random differ by
            at least as much, in either direction.
    """

    count: int
    first: float
    second: float
    low: float
    high: float
    chance: float


def contrast(first: Floats, second: Floats, rng: np.random.Generator) -> Contrast:
    """Compare the expected best of two groups of trials.

    The p-value is that of a permutation test, which is exact. The interval is that of a bootstrap,
    with percentiles that are farther apart the fewer trials there are (Hesterberg, 2015,
    arXiv:1411.5279).

    Args:
        first: ``[trials]`` gains.
        second: ``[others]`` gains; at least one.
        rng: The source of randomness.
    """
    count = -(-min(len(first), len(second)) // 2)
    every = np.concatenate([first, second])
    times = max(200, min(_RESAMPLED, _MOST // len(every)))
    seen = float(_best(first, count) - _best(second, count))
    mixed = rng.permuted(np.tile(every, (times, 1)), axis=1)
    apart = _best(mixed[:, : len(first)], count) - _best(mixed[:, len(first) :], count)
    tolerance = 1e-12 * max(1.0, abs(seen))
    as_far = int((np.abs(apart) >= abs(seen) - tolerance).sum())
    drawn = [one[rng.integers(len(one), size=(times, len(one)))] for one in (first, second)]
    tail = _tail(min(len(first), len(second)))
    low, high = np.quantile(_best(drawn[0], count) - _best(drawn[1], count), [tail, 1 - tail])
    means = float(_best(first, count)), float(_best(second, count))
    chance = (as_far + 1) / (times + 1)
    return Contrast(count, means[0], means[1], float(low), float(high), chance)


def _tail(trials: int) -> float:
    """Return the share of resamples beyond one end of the interval."""
    from scipy.special import ndtr, stdtrit  # noqa: PLC0415 - slow to load

    freedom = max(trials - 1, 1)
    return float(ndtr(-np.sqrt(trials / freedom) * stdtrit(freedom, 0.975)))


def _best(gains: Floats, count: int) -> Floats:
    """Return ``[...]`` the expected best of ``count`` of ``[..., trials]`` gains."""
    trials = gains.shape[-1]
    reached = (np.arange(trials + 1) / trials) ** count
    expected: Floats = np.sort(gains, axis=-1) @ np.diff(reached)
    return expected
