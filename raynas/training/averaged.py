"""Several trainings of one architecture, whose scores are averaged: folds and seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from torch import nn

from raynas.training.batches import Batches
from raynas.training.learner import Epoch, Learner


class Averaged:
    """Trains several children side by side, one epoch of each per ``step``.

    Metrics are the means over the children; one that not all of them report, because not all have
    ended early, is left out. A standard error by the sampling of validation examples becomes
    smaller with the number of folds, which have different examples, but not with the number of
    seeds.

    Attributes:
        child: The first child.
        epoch: Epochs trained so far.
        notices: As in ``Learner``.
    """

    def __init__(self, learners: Sequence[Learner], folds: int) -> None:
        """Keep the trainings.

        Args:
            learners: The training of each child.
            folds: How many different validation data they have.
        """
        self._learners = learners
        self._folds = folds
        self.notices: list[str] = []

    @property
    def child(self) -> nn.Module:
        """The first child."""
        return self._learners[0].child

    @property
    def epoch(self) -> int:
        """Epochs trained so far."""
        return self._learners[0].epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        for learner in self._learners:
            learner.epoch = epoch

    def step(self) -> Epoch:
        """Train each child for one epoch; return the mean scores."""
        epochs = [learner.step() for learner in self._learners]
        for learner in self._learners:
            self.notices += (one for one in learner.notices if one not in self.notices)
            learner.notices.clear()
        return Epoch(
            self.epoch,
            means([one.metrics for one in epochs]),
            sum(one.seconds for one in epochs),
            mean_errors([one.errors for one in epochs], self._folds),
        )

    def state(self) -> dict[str, Any]:
        """Return the states of all trainings; the weights of the first can be inherited."""
        states = [learner.state() for learner in self._learners]
        return {**states[0], "members": states}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of the same trial."""
        for learner, own in zip(self._learners, state["members"], strict=True):
            learner.load_state(own)

    def inherit(self, state: Mapping[str, Any]) -> float:
        """Let each child inherit from the same child of another trial, or from its only one."""
        members = state.get("members", [state] * len(self._learners))
        pairs = zip(self._learners, members, strict=True)
        return fmean(learner.inherit(own) for learner, own in pairs)

    def test(self, examples: Callable[[], Batches]) -> dict[str, float]:
        """Return the mean scores on the test data."""
        found = [learner.test(examples) for learner in self._learners]
        return {name: fmean(one[name] for one in found) for name in found[0]}

    def close(self) -> None:
        """End all trainings."""
        for learner in self._learners:
            learner.close()


def means(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the means of what all trainings report."""
    names = [name for name in metrics[0] if all(name in one for one in metrics)]
    return {name: fmean(one[name] for one in metrics) for name in names}


def mean_errors(errors: Sequence[Mapping[str, float]], folds: int) -> dict[str, float]:
    """Return the standard errors of the means, by the sampling of validation examples.

    Args:
        errors: Those of each training.
        folds: How many different validation data the trainings have.
    """
    squares = means([{name: error**2 for name, error in one.items()} for one in errors])
    return {name: math.sqrt(square / folds) for name, square in squares.items()}
