"""Other divisions of the same data into training and validation examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raynas.data.data import Data
from raynas.data.split import Split, labelled
from raynas.errors import ConfigError
from raynas.rng import division_rng


@dataclass(frozen=True, slots=True)
class Division:
    """One of many divisions of training and validation data; the test data stay.

    Attributes:
        number: 0 for the task's own division; others are drawn anew.
        fold: Which of the folds is the validation data.
        folds: How many folds there are; 1 for validation data as large as the task's own.
    """

    number: int = 0
    fold: int = 0
    folds: int = 1

    @property
    def own(self) -> bool:
        """Whether it is the task's own division."""
        return not self.number and self.folds == 1

    def of(self, data: Data, seed: int) -> Data:
        """Return the data, divided in this way.

        All folds of one number are parts of the same permutation, so each example is in the
        validation data of one fold. Each class is spread evenly over the folds.

        Args:
            data: The data, as the task divided them.
            seed: The run's seed.

        Raises:
            ConfigError: The data cannot be divided in this way.
        """
        if self.own:
            return data
        check_divisible(data, self.folds)
        known: Split = data.merged()
        rng = division_rng(seed, self.number)
        rows = rng.permutation(len(known))
        if labelled(known.targets):
            rows = rows[np.argsort(known.targets[rows], kind="stable")]
        taken = self._taken(len(rows), len(data.valid))
        train, valid = known.take(np.sort(rows[~taken])), known.take(np.sort(rows[taken]))
        return data.divided(train, valid)

    def _taken(self, count: int, valid: int) -> NDArray[np.bool_]:
        """Return which of ``count`` rows, sorted by class, are validation examples."""
        if self.folds > 1:
            return np.asarray(np.arange(count) % self.folds == self.fold)
        return np.asarray(np.diff(np.floor(np.arange(count + 1) * (valid / count))) > 0)


def check_divisible(data: object, folds: int = 1) -> None:
    """Check that other divisions of the data make sense.

    Raises:
        ConfigError: They do not.
    """
    if not isinstance(data, Data) or not data.arrays:
        raise ConfigError(
            "folds and finalists divide arrays anew, and this task has none: leave them out"
        )
    if not data.exchangeable:
        raise ConfigError(
            "folds and finalists draw validation examples anew, and the examples of this task "
            "have an order, such as time: leave them out"
        )
    known = len(data.train) + len(data.valid)
    if folds > known // 2:
        raise ConfigError(
            f"each of the folds needs two examples or more: got {folds} folds for {known} "
            "examples of training and validation"
        )
