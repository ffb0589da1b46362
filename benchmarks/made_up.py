"""Made-up tables, for ``raynas bench``: layers that interact, and noise of known size.

A table of ``layers`` layers, each one of ``options`` operations, so 6,561 networks by default.
What a network is worth is the sum of an effect of each layer, of each pair and each triple of
layers, and of one that belongs to the network alone. ``trainings`` trainings of each are recorded,
which differ by a seed noise. There are two kinds:

- The score is the truth: the mean of the recorded scores is what a network is worth.
- A validation set of ``examples`` examples gives the scores. It is one fixed set, and what a
  network is worth is its expected accuracy on new examples.

    raynas bench --table benchmarks/made_up.py:MadeUp --evaluations 25,50,100,150,300
    raynas bench --table benchmarks/made_up.py:MadeUp --set table.examples=1000

``--set table.seed=1`` makes another table of the same kind.

In the second kind a network classifies an example correctly if a normal variable is below its
threshold: a sum of how hard the example is, of what networks alike make of it, of what is this
network's own, and of what differs from training to training (``SHARES`` of its variance). So two
networks are right and wrong on much the same examples, the more so the more alike they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import ndtri

from raynas.goals import accuracy_error
from raynas.space import Architecture, Choice, Space
from raynas.tables import Recorded, Scores

EFFECTS = {1: 0.35, 2: 0.35, 3: 0.15}  # shares of the variance of worth, by the layers involved
SHARES = {"example": 0.65, "alike": 0.1, "own": 0.1, "training": 0.15}
FEATURES = 8


@dataclass(frozen=True)
class MadeUp:
    """A made-up table.

    Attributes:
        seed: Which of many.
        examples: In the validation set; none where the score is the truth.
        layers: Of a network.
        options: Operations to choose from in each layer.
        trainings: Of each network that are recorded.
        best: The accuracy of the best network.
        spread: Standard deviation of the logarithm of a network's error.
        noise: That of the seed noise, by the standard deviation of accuracy over all networks.
    """

    seed: int = 0
    examples: int | None = None
    layers: int = 8
    options: int = 3
    trainings: int = 3
    best: float = 0.9313
    spread: float = 0.1
    noise: float = 0.2

    lengths = (1,)

    @cached_property
    def space(self) -> Space:
        """Where its networks live."""
        return Space({f"layer{at}": Choice([*range(self.options)]) for at in range(self.layers)})

    @cached_property
    def worth(self) -> Any:
        """``[networks]`` what each is worth, before the seed noise of the recorded trainings."""
        rng = np.random.default_rng((self.seed, 0))
        total = 0.0
        for order, share in EFFECTS.items():
            effect = np.zeros((self.options,) * self.layers)
            for layers in combinations(range(self.layers), order):
                shape = [self.options if at in layers else 1 for at in range(self.layers)]
                effect = effect + rng.normal(size=shape)
            total = total + np.sqrt(share) * effect / effect.std()
        own = np.sqrt(1 - sum(EFFECTS.values())) * rng.normal(size=total.shape)
        ability = (total + own).ravel()
        return 1 - (1 - self.best) * np.exp(self.spread * (ability.max() - ability))

    @cached_property
    def costs(self) -> Any:
        """``[layers, networks]`` parameters of each layer: the better operations have more."""
        rng = np.random.default_rng((self.seed, 4))
        sizes = rng.integers(1, 100, size=(self.layers, self.options))
        shape = (self.options,) * self.layers
        options = np.stack(np.unravel_index(np.arange(self.worth.size), shape))
        worth = [
            [self.worth[layer == option].mean() for option in range(self.options)]
            for layer in options
        ]
        ranks = np.argsort(np.argsort(worth, axis=1), axis=1)
        sizes = np.take_along_axis(np.sort(sizes, axis=1), ranks, axis=1)
        return np.take_along_axis(sizes, options, axis=1)

    @cached_property
    def recorded(self) -> Any:
        """``[networks, trainings]`` what each training is worth."""
        rng = np.random.default_rng((self.seed, 1))
        size = self.worth.size, self.trainings
        worth = self.worth[:, None] + self.noise * self.worth.std() * rng.normal(size=size)
        if self.examples is None:
            worth += self.best - worth.mean(1).max()
        return worth

    def answer(self, architecture: Architecture, epochs: int, draw: int) -> Sequence[Recorded]:
        """Return the score of one of the recorded trainings."""
        at = self._at(architecture)
        score = self._scores(at)[draw % self.trainings]
        errors = {}
        if self.examples is not None:
            errors["val_accuracy"] = accuracy_error(float(score), self.examples)
        metrics = {"val_accuracy": float(score), "params": float(self.costs.sum(0)[at])}
        return [Recorded(epochs, metrics, 1.0, errors)]

    def scores(self, architecture: Architecture) -> Scores:
        """Return the mean score of the recorded trainings, and what the network is worth."""
        at = self._at(architecture)
        valid = float(self._scores(at).mean())
        return Scores(valid, valid if self.examples is None else float(self.worth[at]))

    def _at(self, architecture: Mapping[str, Any]) -> int:
        options = [architecture[f"layer{at}"] for at in range(self.layers)]
        return int(np.ravel_multi_index(options, (self.options,) * self.layers))

    def _scores(self, at: int) -> Any:
        return self.recorded[at] if self.examples is None else _validated(self, at)

    @cached_property
    def validation(self) -> tuple[Any, Any, Any]:
        """How hard each example is, what it makes of features, and the features of operations."""
        rng = np.random.default_rng((self.seed, 2))
        return (
            rng.normal(size=self.examples),
            rng.normal(size=(self.examples, FEATURES)),
            rng.normal(size=(self.layers, self.options, FEATURES)),
        )


@lru_cache(None)
def _validated(table: MadeUp, at: int) -> Any:
    """Return ``[trainings]`` the share of the validation set that each training has right."""
    hard, taste, features = table.validation
    options = np.unravel_index(at, (table.options,) * table.layers)
    alike = features[range(table.layers), options].sum(0)
    rng = np.random.default_rng((table.seed, 3, at))
    size = table.examples, table.trainings
    difficulty = (
        np.sqrt(SHARES["example"]) * hard
        + np.sqrt(SHARES["alike"]) * (taste @ alike) / np.linalg.norm(alike)
        + np.sqrt(SHARES["own"]) * rng.normal(size=table.examples)
    )[:, None] + np.sqrt(SHARES["training"]) * rng.normal(size=size)
    return (difficulty < ndtri(table.recorded[at])).mean(0)
