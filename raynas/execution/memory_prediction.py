"""Predict the fraction of a GPU that a child needs from the memory peaks of earlier trials."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Final

import numpy as np

from raynas.costs import GPUTraining
from raynas.data import Data, LoopData
from raynas.execution.gpu_device import GPUDevice
from raynas.execution.packing import SMALLEST
from raynas.execution.step_memory import on_gpu, resident_bytes, step_bytes
from raynas.execution.training_context import TRAINING
from raynas.space import Architecture
from raynas.training.recipe import Recipe
from raynas.trial import History, Trial

_LOG = logging.getLogger("raynas")

_GRID: Final = (SMALLEST, 1 / 4, 1 / 2)  # powers of two leave no gaps, and a worker is used
# again only by trials with the same share
_FEW: Final = 3  # with fewer measurements, the estimate itself is trusted only with a wide margin
_LATEST: Final = 64  # the number of measurements that are used
_QUANTILE: Final = 0.95  # of the ratio measured / estimated; of few ratios it is the largest
_MARGIN: Final = 1.1
_WIDE_MARGIN: Final = 1.25
_CONTEXT: Final = 640 * 2**20  # bytes of CUDA's context and kernels, outside the allocator


@dataclass(frozen=True, slots=True)
class MemoryPredictor:
    """Predicts the fraction of a GPU that an architecture needs; a function of the history.

    Attributes:
        estimate: Computes the bytes that training needs, without the overhead of the device.
        device: The GPU; none if it is not known, which gives whole GPUs until one has reported.
    """

    estimate: Callable[[Architecture], float]
    device: GPUDevice | None = None
    _memo: dict[Architecture, float] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, architecture: Architecture, history: History) -> float:
        """Return the fraction, from a small grid.

        The estimate is multiplied by an upper quantile of measured over estimated memory of
        earlier trials; while there are few of them, by at least 1, and by a wider margin. The
        memory of the smallest device that is known is used.
        """
        latest = (trial for trial in reversed(history.trials.values()) if _measured(trial))
        known = list(islice(latest, _LATEST))
        devices = [trial.metrics["device_memory"] for trial in known]
        devices += [self.device.memory] if self.device else []
        if not devices:
            return 1.0
        needed = self._factor(known) * self._estimated(architecture) + _CONTEXT
        return next((part for part in _GRID if needed <= part * min(devices)), 1.0)

    def _factor(self, known: Sequence[Trial]) -> float:
        """Return by how much an estimate is multiplied, by the measured trials."""
        ratios = [
            trial.metrics["peak_memory"] / self._estimated(trial.architecture) for trial in known
        ]
        if len(ratios) < _FEW:
            return _WIDE_MARGIN * max([1.0, *ratios])
        return _MARGIN * float(np.quantile(ratios, _QUANTILE, method="higher"))

    def _estimated(self, architecture: Architecture) -> float:
        if architecture not in self._memo:
            self._memo[architecture] = self.estimate(architecture)
        return self._memo[architecture]


def _measured(trial: Trial) -> bool:
    return trial.trained and {"peak_memory", "device_memory"} <= trial.metrics.keys()


def estimator(
    build: Callable[[Architecture], Any],
    recipe: Recipe,
    data: Data | LoopData,
    device: GPUDevice | None = None,
) -> Callable[[Architecture], float]:
    """Return a function that estimates the bytes of training a child, including its data.

    Args:
        build: Makes the child of an architecture.
        recipe: How children are trained.
        data: Their training data.
        device: The GPU; none if it is not known.
    """
    resident = resident_bytes(data)

    def estimated(architecture: Architecture) -> float:
        own = recipe.with_overrides(architecture.under(TRAINING))
        gpu = on_gpu(own, data, bfloat16=device is None or device.bfloat16)
        try:
            needed = _without_memory(build, architecture, data, own.batch_size, gpu)
            if needed is None:
                child = _built(build, architecture, data)
                needed = step_bytes(child, data, own.batch_size, gpu)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a child is a user's code
            _LOG.warning(
                "%s gets a whole GPU: its memory cannot be estimated: %s", architecture, error
            )
            return math.inf
        return resident + needed

    return estimated


def _without_memory(
    build: Callable[[Architecture], Any],
    architecture: Architecture,
    data: Data | LoopData,
    batch_size: int,
    gpu: GPUTraining,
) -> int | None:
    """Return the memory of training a child whose parameters take none here.

    Returns:
        None if the child cannot be built without numbers.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says that loaded weights are not used
            child = _built(build, architecture, data)
        return step_bytes(child, data, batch_size, gpu)
    except (Exception, SystemExit):  # noqa: BLE001 - a user's code may look at numbers
        return None


def _built(
    build: Callable[[Architecture], Any], architecture: Architecture, data: Data | LoopData
) -> Any:
    from raynas.training.child import built  # noqa: PLC0415 - deciding must not load torch
    from raynas.training.loading import example  # noqa: PLC0415

    return built(build, architecture, partial(example, data, 2))
