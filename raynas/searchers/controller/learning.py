"""What policy gradients share: rewards against a moving average, and steps uphill."""

from __future__ import annotations

from collections.abc import Iterable
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

    def uphill(self, gradient: Array, learning_rate: float) -> Learnt:
        """Make one step of Adam, upwards (Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 1).

        Without momentum (beta1 of 0), as in ENAS: the first gradients know little and differ much.
        """
        steps = self.steps + 1
        squares = gradient * gradient
        squares *= 1 - _DECAY
        squares += _DECAY * self.squares
        step = np.sqrt(squares)
        step /= (1 - _DECAY**steps) ** 0.5
        step += _TINY
        np.divide(gradient, step, out=step)
        step *= learning_rate
        step += self.parameters
        return Learnt(step, squares, steps)


def advantages(
    rewards: Iterable[float], baseline: float | None, decay: float
) -> tuple[Array, float | None]:
    """Return how far each reward is above the moving average of those before it; and the new one.

    A baseline in which a reward has no part leaves the policy gradient unbiased. The first reward
    of all is its own baseline.

    Args:
        rewards: In order of arrival.
        baseline: The moving average so far; none before the first reward.
        decay: The share of it that each reward leaves.
    """
    above = []
    for reward in rewards:
        known = reward if baseline is None else baseline
        above.append(reward - known)
        baseline = decay * known + (1 - decay) * reward
    return np.array(above), baseline


def check_options(
    *, learning_rate: float, batch_size: int, baseline_decay: float, entropy_weight: float
) -> None:
    """Check what every controller's learning is set by.

    Raises:
        ConfigError: An option is out of range.
    """
    if learning_rate <= 0 or batch_size < 1:
        raise ConfigError(
            "a controller needs learning_rate > 0 and batch_size >= 1, "
            f"got {learning_rate} and {batch_size}"
        )
    if not 0 <= baseline_decay < 1 or entropy_weight < 0:
        raise ConfigError(
            "a controller needs 0 <= baseline_decay < 1 and entropy_weight >= 0, "
            f"got {baseline_decay} and {entropy_weight}"
        )
