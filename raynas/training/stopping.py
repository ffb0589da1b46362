"""The end of a training that does not improve any more, and the weights of its best epoch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from raynas.training.learner import Epoch


class EarlyStopping:
    """Ends a training if ``val_loss`` has not improved for some epochs.

    Attributes:
        ended: The epoch after which the training ended; 0 if it goes on.
    """

    def __init__(self, patience: int) -> None:
        """Begin without an epoch.

        Args:
            patience: The number of epochs; 0 for a training that never ends early.
        """
        self.ended = 0
        self._patience = patience
        self._best: Epoch | None = None
        self._weights: Mapping[str, Any] = {}

    def after(
        self,
        epoch: Epoch,
        weights: Callable[[], Mapping[str, Any]],
        restore: Callable[[Mapping[str, Any]], None],
    ) -> Epoch:
        """Return the results of an epoch, or those of the best one if the training ends now.

        Args:
            epoch: The results of the epoch; without ``val_loss`` the training goes on.
            weights: Returns the weights of the network.
            restore: Gives the network such weights again; it is called if the training ends.
        """
        if not self._patience or "val_loss" not in epoch.metrics:
            return epoch
        if self._best is None or epoch.metrics["val_loss"] < self._best.metrics["val_loss"]:
            self._best, self._weights = epoch, copy.deepcopy(weights())
        elif epoch.epoch - self._best.epoch >= self._patience:
            self.ended = epoch.epoch
            restore(self._weights)
            self._weights = {}
            return self.again(epoch.epoch, epoch.seconds)
        return epoch

    def again(self, epoch: int, seconds: float) -> Epoch:
        """Return the results of the best epoch for another one, after the end.

        ``ended_after`` is the number of epochs after which the training ended, ``best_epoch`` the
        number of epochs that the network was trained.
        """
        if self._best is None:
            raise ValueError("a training that goes on has no best epoch")
        facts = {"ended_after": float(self.ended), "best_epoch": float(self._best.epoch)}
        return Epoch(epoch, {**self._best.metrics, **facts}, seconds, self._best.errors)

    def state(self) -> dict[str, Any]:
        """Return the state."""
        best = self._best
        return {
            "ended": self.ended,
            "weights": self._weights,
            "best": best and (best.epoch, dict(best.metrics), best.seconds, dict(best.errors)),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        self.ended, self._weights = state["ended"], state["weights"]
        self._best = state["best"] and Epoch(*state["best"])
