"""The parts that policy gradients share: rewards, and gradient steps."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError

Array = NDArray[np.float64]

_DECAY: Final = 0.999  # of Adam's moving average (its default), and what keeps it from
_TINY: Final = 1e-8  # dividing by zero


class Learnt(NamedTuple):
    """Parameters, and what Adam needs to go on from them.

    Attributes:
        parameters: ``[parameters]``.
        squares: ``[parameters]`` moving average of the gradient's squares.
        steps: How many were made.
    """

    parameters: Array
    squares: Array
    steps: int = 0

    @classmethod
    def nothing(cls, parameters: Array) -> Learnt:
        """Begin with these parameters."""
        return cls(parameters, np.zeros_like(parameters))

    def uphill(self, gradient: Array, learning_rate: float, epsilon: float = _TINY) -> Learnt:
        """Make one step of Adam, upwards (Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 1).

        Without momentum (beta1 of 0), as in ENAS: the first gradients know little and differ much.

        Args:
            gradient: The gradient, ``[parameters]``.
            learning_rate: The learning rate.
            epsilon: What is added to the root of the squares.
        """
        steps = self.steps + 1
        squares = gradient * gradient
        squares *= 1 - _DECAY
        squares += _DECAY * self.squares
        step = np.sqrt(squares)
        step /= (1 - _DECAY**steps) ** 0.5
        step += epsilon
        np.divide(gradient, step, out=step)
        step *= learning_rate
        step += self.parameters
        return Learnt(step, squares, steps)


Score = tuple[int, float, float]
"""What sorts finished trials, better ones first; see ``selection.rank``."""


def rewarded(
    scores: Sequence[Score], log_probs: Array, entropy_weight: float, before: Sequence[Score]
) -> Array:
    """Return the reward of each trial, including the entropy term.

    The reward is the rank of the score among all scores so far, scaled from minus the root of
    three (worst) to plus the root of three (best), so that random scores have mean 0 and deviation
    1. So neither the scale of scores matters, nor how bad the networks are that learnt nothing.

    Args:
        scores: The scores of the trials.
        log_probs: ``[trials]`` the log-probabilities with which they were drawn.
        entropy_weight: The weight of their negative log-probability, relative to the batch mean.
        before: The scores of earlier trials, sorted.
    """
    every = sorted((*before, *scores))
    halves = np.array([bisect_left(every, one) + bisect_right(every, one) for one in scores])
    standing = math.sqrt(3) * (1 - halves / len(every))
    unlikely: Array = log_probs.mean() - log_probs
    return standing + entropy_weight * unlikely


def check_options(*, learning_rate: float, batch_size: int, entropy_weight: float) -> None:
    """Check the learning options of a controller.

    Raises:
        ConfigError: An option is out of range.
    """
    if learning_rate <= 0 or batch_size < 1 or entropy_weight < 0:
        raise ConfigError(
            "a controller needs learning_rate > 0, batch_size >= 1 and entropy_weight >= 0, "
            f"got {learning_rate}, {batch_size} and {entropy_weight}"
        )
