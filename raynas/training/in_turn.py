"""Several trainings of one architecture, one after another, as a fidelity: folds and seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from raynas.errors import TrialError
from raynas.training.averaged import mean_errors, means
from raynas.training.batches import Batches
from raynas.training.learner import Epoch, Learner


@dataclass(frozen=True, slots=True)
class _Result:
    """What a finished training reported last."""

    metrics: Mapping[str, float]
    errors: Mapping[str, float]


class InTurn:
    """Trains one child after another, each in full, one per ``step``.

    So what a scheduler counts as epochs are trainings: a trial that it stops early has been
    trained on less folds, and not for a shorter time. Metrics are the means over the trainings so
    far; one that not all of them report is left out. Standard errors become smaller with the
    number of folds, as in ``Averaged``.

    Attributes:
        child: The child that was trained last.
        epoch: Trainings so far.
        notices: As in ``Learner``.
    """

    def __init__(
        self, first: Learner, made: Callable[[int], Learner], epochs: int, folds: int
    ) -> None:
        """Prepare.

        Args:
            first: The first training, which has not begun.
            made: Returns training number n, counted from 0, which has not begun.
            epochs: The length of each training.
            folds: How many different validation data the trainings have, in turn.
        """
        self.epoch = 0
        self.notices: list[str] = []
        self._said: list[str] = []
        self._learner = first
        self._made = made
        self._epochs = epochs
        self._folds = folds
        self._results: list[_Result] = []

    @property
    def child(self) -> nn.Module:
        """The child that was trained last."""
        return self._learner.child

    def step(self) -> Epoch:
        """Train the next child to its end; return the mean scores of all so far."""
        if self.epoch:
            self._learner.close()
            self._learner = self._made(self.epoch)
        learner, seconds = self._learner, 0.0
        while learner.epoch < self._epochs:
            last = learner.step()
            seconds += last.seconds
        self._note(learner.notices)
        self._results.append(_Result(last.metrics, last.errors))
        self.epoch += 1
        return Epoch(
            self.epoch,
            means([one.metrics for one in self._results]),
            seconds,
            mean_errors([one.errors for one in self._results], min(self.epoch, self._folds)),
        )

    def _note(self, notices: Sequence[str]) -> None:
        """Pass on what no training before this one has said."""
        new = [one for one in notices if one not in self._said]
        self._said += new
        self.notices += new

    def state(self) -> dict[str, Any]:
        """Return the results so far: the next child begins anew."""
        results = [(dict(one.metrics), dict(one.errors)) for one in self._results]
        return {"epoch": self.epoch, "results": results}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of the same trial."""
        self.epoch = state["epoch"]
        self._results = [_Result(*one) for one in state["results"]]

    def inherit(self, state: Mapping[str, Any]) -> float:  # noqa: ARG002
        """Refuse: only one of the children could have the weights of another trial.

        Raises:
            TrialError: Always.
        """
        raise TrialError(
            "a trial that trains several networks, one after another, cannot inherit weights: use "
            "the fidelity 'epochs'"
        )

    def test(self, examples: Callable[[], Batches]) -> dict[str, float]:
        """Return the scores of the last child on the test data."""
        return self._learner.test(examples)

    def close(self) -> None:
        """End the last training."""
        self._learner.close()
