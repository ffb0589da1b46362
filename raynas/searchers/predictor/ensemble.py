"""A small ensemble of perceptrons, trained side by side: the predictor of BANANAS.

Differs from the paper (White et al., 2021, arXiv:1910.11858, section 5), which has ten layers of
20 units: two layers of 32 are as good and faster; there is weight decay; with many networks, each
step uses a batch of them; each network is held out from one member, so that this member's
prediction does not depend on the network's own score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WIDTHS: Final = (32, 32)
_STEPS: Final = 150
_RATE: Final = 0.01
_DECAY: Final = 0.01
_MEAN, _SQUARE, _EPSILON = 0.9, 0.999, 1e-7  # Adam's memory, and what keeps it from dividing by 0
_BATCH: Final = 256  # networks per step, at most

Floats = NDArray[np.float32]
Layers = tuple[tuple[Floats, Floats], ...]
"""Weights ``[members, in, out]`` and biases ``[members, 1, out]`` of each layer."""


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Perceptrons of the same shape.

    Attributes:
        layers: Their weights and biases.
        strangers: ``[networks]`` the member from which each network learnt from was held out.
    """

    layers: Layers
    strangers: NDArray[np.intp]

    def predict(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map ``[networks, features]`` to ``[members, networks]``."""
        return _forward(self.layers, inputs.astype(np.float32))[-1][..., 0].astype(float)


def train(
    inputs: NDArray[np.float64],
    targets: NDArray[np.float64],
    rng: np.random.Generator,
    members: int,
) -> Ensemble:
    """Train an ensemble to predict targets, by the mean absolute error and Adam.

    Members differ in their initial weights and in their training networks: if there are several
    networks, each is held out from one member.

    Args:
        inputs: ``[networks, features]``, approximately centred.
        targets: ``[networks]``, approximately standardised.
        rng: The source of initial weights and batches.
        members: How many perceptrons.
    """
    sizes = (inputs.shape[1], *_WIDTHS, 1)
    parameters, layers = _allocate(sizes, members)
    slopes, gradients = _allocate(sizes, members)
    for weights, _ in layers:
        weights[...] = rng.normal(0, np.sqrt(2 / max(1, weights.shape[1])), weights.shape)
    mean, square = np.zeros_like(parameters), np.zeros_like(parameters)
    given, wanted = inputs.astype(np.float32), targets.astype(np.float32)
    strangers = rng.permutation(len(targets)) % members
    seen = (strangers != np.arange(members)[:, None]) | (members == 1)
    for step in range(1, _STEPS + 1):
        some = _batch(len(given), rng)
        _backward(layers, gradients, given[some], wanted[some], seen[:, some])
        slopes += _DECAY * parameters
        mean += (1 - _MEAN) * (slopes - mean)
        square += (1 - _SQUARE) * (slopes * slopes - square)
        size = np.sqrt(square / (1 - _SQUARE**step)) + _EPSILON
        parameters -= _RATE / (1 - _MEAN**step) * mean / size
    return Ensemble(layers, strangers)


def _batch(networks: int, rng: np.random.Generator) -> NDArray[np.intp]:
    if networks <= _BATCH:
        return np.arange(networks)
    return rng.choice(networks, _BATCH, replace=False)


def _allocate(sizes: Sequence[int], members: int) -> tuple[Floats, Layers]:
    """Return zeros for all parameters in one row, and the layers as views of it."""
    shapes = [(members, *shape) for pair in pairwise(sizes) for shape in (pair, (1, pair[1]))]
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    row = np.zeros(ends[-1], np.float32)
    views = [row[s:e].reshape(shape) for (s, e), shape in zip(pairwise(ends), shapes, strict=True)]
    return row, tuple(zip(views[::2], views[1::2], strict=True))


def _forward(layers: Layers, inputs: Floats) -> list[Floats]:
    """Return what enters each layer, and what leaves the last: ``[members, networks, ...]``."""
    passed = [inputs]
    for i, (weights, biases) in enumerate(layers):
        leaving = passed[-1] @ weights
        leaving += biases
        if i + 1 < len(layers):
            np.maximum(leaving, 0, out=leaving)
        passed.append(leaving)
    return passed


def _backward(
    layers: Layers,
    gradients: Layers,
    inputs: Floats,
    targets: Floats,
    seen: NDArray[np.bool_],
) -> None:
    """Write the gradient of the mean absolute error into ``gradients``.

    Args:
        layers: The perceptrons.
        gradients: Of the same shapes.
        inputs: ``[networks, features]``.
        targets: ``[networks]``.
        seen: ``[members, networks]`` whose errors count for a member.
    """
    *entering, predicted = _forward(layers, inputs)
    slope = np.sign(predicted - targets[:, None]) * seen[..., None] / np.float32(len(targets))
    for i in reversed(range(len(layers))):
        np.matmul(np.swapaxes(entering[i], -1, -2), slope, out=gradients[i][0])
        slope.sum(1, keepdims=True, out=gradients[i][1])
        if i:
            slope = slope @ np.swapaxes(layers[i][0], 1, 2)
            slope *= entering[i] > 0
