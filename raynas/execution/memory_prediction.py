"""Predict the fraction of a GPU that a child needs from the memory peaks of earlier trials."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import numpy as np

from raynas.data import Data, LoopData
from raynas.execution.step_memory import resident_bytes, step_bytes
from raynas.execution.worker import TRAINING
from raynas.space import Architecture
from raynas.training.recipe import Recipe
from raynas.trial import History, Trial

_LOG = logging.getLogger("raynas")

_GRID: Final = (1 / 16, 1 / 8, 1 / 4, 1 / 2)  # powers of two leave no gaps, and a worker is used
# again only by trials with the same share
_FIRST: Final = 3  # so many trials are measured on a whole device before devices are shared
_LATEST: Final = 64  # the number of measurements that are used
_QUANTILE: Final = 0.95  # of the ratio measured / estimated; of few ratios it is the largest
_MARGIN: Final = 1.1
_CONTEXT: Final = 640 * 2**20  # bytes of CUDA's context and kernels, outside the allocator


@dataclass(frozen=True, slots=True)
class MemoryPredictor:
    """Predicts the fraction of a GPU that an architecture needs; a function of the history.

    Attributes:
        estimate: Computes the bytes that training needs, without the overhead of the device.
    """

    estimate: Callable[[Architecture], float]
    _memo: dict[Architecture, float] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, architecture: Architecture, history: History) -> float:
        """Return the fraction, from a small grid; 1 until enough trials are measured.

        The estimate is multiplied by an upper quantile of measured over estimated memory of
        earlier trials. The memory of the smallest device that reported is used.
        """
        latest = (trial for trial in reversed(history.trials.values()) if _measured(trial))
        known = list(islice(latest, _LATEST))
        if len(known) < _FIRST:
            return 1.0
        ratios = [
            trial.metrics["peak_memory"] / self._estimated(trial.architecture) for trial in known
        ]
        ratio = float(np.quantile(ratios, _QUANTILE, method="higher"))
        device = min(trial.metrics["device_memory"] for trial in known)
        needed = _MARGIN * ratio * self._estimated(architecture) + _CONTEXT
        return next((part for part in _GRID if needed <= part * device), 1.0)

    def _estimated(self, architecture: Architecture) -> float:
        if architecture not in self._memo:
            self._memo[architecture] = self.estimate(architecture)
        return self._memo[architecture]


def _measured(trial: Trial) -> bool:
    return trial.trained and {"peak_memory", "device_memory"} <= trial.metrics.keys()


def estimator(
    build: Callable[[Architecture], Any], recipe: Recipe, data: Data | LoopData
) -> Callable[[Architecture], float]:
    """Return a function that estimates the bytes of training a child, including its data.

    Args:
        build: Makes the child of an architecture.
        recipe: How children are trained.
        data: Their training data.
    """
    resident = resident_bytes(data)

    def estimated(architecture: Architecture) -> float:
        batch = recipe.with_overrides(architecture.under(TRAINING)).batch_size
        try:
            return resident + step_bytes(build(architecture), data, batch)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a child is a user's code
            _LOG.warning(
                "%s gets a whole GPU: its memory cannot be estimated: %s", architecture, error
            )
            return math.inf

    return estimated
