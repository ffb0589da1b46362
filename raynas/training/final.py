"""A final training: on training and validation data, tested once, at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from torch import nn

from raynas.training.batches import Batches
from raynas.training.learner import Epoch, Learner
from raynas.training.peers import Peers
from raynas.trial.winner import EPOCHS_LEFT

_TEST: Final = "test_"
_HELD_OUT: Final = "val_"


class FinalTraining:
    """Trains a child and tests it after its last epoch.

    Reports before the last one hold what training says of itself, such as ``train_loss``.

    Attributes:
        epoch: Epochs so far; those after ``until`` change nothing.
        notices: Those of the training.
    """

    def __init__(
        self,
        learner: Learner,
        lengths: tuple[int, int],
        test: Callable[[], Batches],
        held_out: Callable[[], Batches] | None = None,
    ) -> None:
        """Prepare.

        Args:
            learner: The training, which has not begun.
            lengths: The number of epochs, and after how many of them the training ends.
            test: Returns the test data.
            held_out: Returns examples that are not trained on, beside the test data; their scores
                have the prefix ``val_``.
        """
        self.epoch = 0
        self.notices = learner.notices
        self._learner = learner
        self._epochs, self._until = lengths
        self._test = test
        self._held_out = held_out
        self._last: dict[str, float] = {}

    @property
    def child(self) -> nn.Module:
        """The network."""
        return self._learner.child

    def step(self) -> Epoch:
        """Train for an epoch; after the last one, test, in process 0 of several."""
        seconds = 0.0
        if self.epoch < self._until:
            epoch = self._learner.step()
            seconds = epoch.seconds
            self._last = {
                name: value for name, value in epoch.metrics.items() if _is_of_training(name)
            }
        self.epoch += 1
        metrics = {**self._last, EPOCHS_LEFT: float(self._epochs - self.epoch)}
        if self.epoch >= self._epochs and Peers.here().rank == 0:
            metrics |= self._scores()
        return Epoch(self.epoch, metrics, seconds)

    def _scores(self) -> dict[str, float]:
        scores = dict(self._learner.test(self._test))
        if self._held_out is not None:
            found = self._learner.test(self._held_out)
            scores |= {
                f"{_HELD_OUT}{name.removeprefix(_TEST)}": value for name, value in found.items()
            }
        return scores

    def state(self) -> dict[str, Any]:
        """Return the state of the training, and how far it is."""
        return {**self._learner.state(), "final": (self.epoch, dict(self._last))}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of the same trial."""
        self._learner.load_state(state)
        self.epoch, self._last = state["final"]

    def inherit(self, state: Mapping[str, Any]) -> float:
        """Inherit as the training does; a final training begins anew, so nothing calls this."""
        return self._learner.inherit(state)

    def test(self, examples: Callable[[], Batches]) -> dict[str, float]:
        """Return the metrics of the trained child."""
        return self._learner.test(examples)

    def close(self) -> None:
        """End the training."""
        self._learner.close()


def _is_of_training(name: str) -> bool:
    return not name.startswith((_TEST, _HELD_OUT))
