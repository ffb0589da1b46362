"""The covariance of the results of two trainings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.searchers.gp.layout import Block, Floats

OFFSET: Final = 4.0  # variance of the common shift of all trainings of equal length


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Trainings: those that have run and those that could run.

    Attributes:
        x: ``[n, columns]``: the rows of the networks.
        network: ``[n]``: the number of the network; two trainings of one network have the same.
        low: ``[n]``: the fraction of a full training by which the training is shorter, 0 to 1.
    """

    x: Floats
    network: NDArray[np.int_]
    low: Floats

    def __len__(self) -> int:
        """Return the number of trainings."""
        return len(self.network)

    def __add__(self, other: Points) -> Points:
        """Return these trainings, followed by the others."""
        return Points(
            np.concatenate([self.x, other.x]),
            np.concatenate([self.network, other.network]),
            np.concatenate([self.low, other.low]),
        )

    def at(self, low: float) -> Points:
        """Return the same networks, all with the same ``low``."""
        return Points(self.x, self.network, np.full(len(self), low))

    def take(self, rows: NDArray[np.intp]) -> Points:
        """Return the trainings with these indices."""
        return Points(self.x[rows], self.network[rows], self.low[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A sum of radial kernels, one for each block, plus a variance of each single network.

    ``sum_b s_b r_b(sum_j w_bj (x_j - x'_j)^2) [low low' if b fades]
    + tau2 [same network, same length] + offset [same length]``

    Attributes:
        blocks: The groups of columns that are compared.
        theta: ``[parameters]``, logarithms: for each block its amplitude and the parameters of
            its weights; the last one is log tau2, where tau2 is the variance of a network that
            its similarity to other networks does not explain.
        offset: The variance of the common shift of all trainings of equal length.
    """

    blocks: tuple[Block, ...]
    theta: Floats
    offset: float = 0.0

    @property
    def own(self) -> float:
        """The variance tau2."""
        return float(np.exp(self.theta[-1]))

    def between(self, a: Points, b: Points, *, own: bool = True) -> Floats:
        """Return ``[len(a), len(b)]``: the covariances.

        Args:
            a: Trainings.
            b: Trainings.
            own: Whether to add tau2, the variance of each single network.
        """
        total = sum(self.parts(a, b), start=np.zeros((len(a), len(b))))
        length = a.low[:, None] == b.low
        if own:
            total += self.own * (length & (a.network[:, None] == b.network))
        return total + self.offset * length if self.offset else total

    def variance(self, a: Points) -> Floats:
        """Return ``[len(a)]``: the diagonal of ``between(a, a)``."""
        total = np.full(len(a), self.own + self.offset)
        for block, amplitude, _ in self.split():
            total += np.exp(amplitude) * (a.low**2 if block.fading else 1.0)
        return total

    @property
    def lasting(self) -> float:
        """The covariance of a short and a full training of the same network."""
        steady = (amplitude for block, amplitude, _ in self.split() if not block.fading)
        return float(sum(np.exp(list(steady))))

    def parts(self, a: Points, b: Points) -> Iterator[Floats]:
        """Yield ``[len(a), len(b)]`` for each block: its part of the covariances."""
        for block, amplitude, weight in self.split():
            columns = block.columns
            likeness, _ = block.radial(_distance(a.x[:, columns], b.x[:, columns], weight))
            yield _scale(block, amplitude, a, b) * likeness

    def gradient(self, points: Points, outer: Floats) -> Floats:
        """Return the gradient of ``sum(outer * between(points, points))`` by ``theta``."""
        gradient: list[float] = []
        for block, amplitude, weight in self.split():
            x = points.x[:, block.columns]
            likeness, fall = block.radial(_distance(x, x, weight))
            scaled = outer * _scale(block, amplitude, points, points)
            pull = scaled * fall
            by_weight = -2.0 * (pull.sum(1) @ (x * x) - (x * (pull @ x)).sum(0))
            gradient += [(scaled * likeness).sum(), *(block.tie.T @ (weight * by_weight))]
        same = (points.network[:, None] == points.network) & (points.low[:, None] == points.low)
        return np.array([*gradient, self.own * outer[same].sum()])

    def split(self) -> Iterator[tuple[Block, float, Floats]]:
        """Yield each block, its log amplitude, and the weights ``[c]`` of its columns."""
        at = 0
        for block in self.blocks:
            width = len(block.mean)
            parameters = self.theta[at + 1 : at + 1 + width]
            yield block, float(self.theta[at]), np.exp(block.tie @ parameters)
            at += 1 + width


def _scale(block: Block, amplitude: float, a: Points, b: Points) -> Floats | float:
    """Return the factor by which a block's similarities are multiplied."""
    scale = float(np.exp(amplitude))
    return scale * np.outer(a.low, b.low) if block.fading else scale


def _distance(a: Floats, b: Floats, weight: Floats) -> Floats:
    """Return ``[len(a), len(b)]``: the squared distances, with weighted columns."""
    a, b = a * np.sqrt(weight), b * np.sqrt(weight)
    squared: Floats = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2.0 * a @ b.T
    return np.maximum(squared, 0.0)
