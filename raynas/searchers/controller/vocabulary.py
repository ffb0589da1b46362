"""A space's options as numbered tokens, and architectures as batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from raynas.errors import SpaceError
from raynas.space import Architecture, Choice, Decision, Space
from raynas.space.encode import token_count

_MOST: Final = 1000  # options of a decision, since each has weights of its own


class Batch(NamedTuple):
    """Architectures as rows of tokens, padded to the longest.

    Attributes:
        tokens: ``[rows, steps]`` the option taken at each step; 0 where padded.
        prior: ``[steps, rows, tokens]`` the logarithm of each option's weight in the space's
            prior; minus infinity where there was no such option. Where padded, token 0 is left.
    """

    tokens: NDArray[np.int_]
    prior: NDArray[np.float64]


class Vocabulary:
    """Every option of every decision of a space, numbered through.

    Attributes:
        size: How many tokens there are.
        spans: Each decision's range of tokens, by path.
        prior: ``[tokens]`` the logarithm of each option's weight in the space's prior.
    """

    def __init__(self, space: Space) -> None:
        """Number the options.

        Raises:
            SpaceError: A decision is a real number, or has more options than can be learnt.
        """
        decisions = space.decisions.values()
        ends = accumulate(map(_count, decisions), initial=0)
        self._decisions = space.decisions
        self.spans = {
            path: slice(start, end)
            for path, (start, end) in zip(space.decisions, pairwise(ends), strict=True)
        }
        self.prior = np.concatenate([_log_weights(decision) for decision in decisions])
        self.size = len(self.prior)

    def batch(self, architectures: Sequence[Architecture]) -> Batch:
        """Return architectures as tokens."""
        longest = max(map(len, architectures))
        tokens = np.zeros((len(architectures), longest), dtype=int)
        prior = np.full((longest, len(architectures), self.size), -np.inf)
        prior[..., 0] = 0
        for row, architecture in enumerate(architectures):
            for step, (path, value) in enumerate(architecture.items()):
                span = self.spans[path]
                tokens[row, step] = span.start + self._decisions[path].domain.values().index(value)
                prior[step, row, 0] = -np.inf
                prior[step, row, span] = self.prior[span]
        return Batch(tokens, prior)


def _count(decision: Decision) -> int:
    count = token_count(decision)
    if count > _MOST:
        raise SpaceError(
            f"{decision.path} has {count} options, a sequence controller learns at most {_MOST} "
            "of one decision: write it as a Choice of a few numbers"
        )
    return count


def _log_weights(decision: Decision) -> NDArray[np.float64]:
    domain = decision.domain
    if isinstance(domain, Choice) and domain.weights is not None:
        return np.log(domain.weights)
    return np.zeros(token_count(decision))
