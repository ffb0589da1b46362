"""Regression: real numbers for each example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from raynas.errors import DataError, kind_of
from raynas.goals.goal import Goal
from raynas.goals.metric import Mean
from raynas.goals.outputs import main_output, require_shape

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Regression(Goal):
    """One or several real numbers for each example, by the mean squared error.

    The network returns ``[batch, outputs]``. The targets are brought to mean 0 and deviation 1
    for the loss; predictions, metrics and the exported network have the units of the targets.

    Attributes:
        extra: More metrics by name, of predictions and targets, both ``[batch, outputs]`` in the
            units of the targets: ``torchmetrics`` objects, or functions.
        objective: As in ``Goal``. ``rmse`` is the root of the mean squared error and ``mae`` the
            mean absolute error, in the units of the targets; ``r2`` is the coefficient of
            determination, averaged over the outputs.
        mean: The mean of the training targets, by output; empty to compute it from the data.
        std: Their standard deviation.
    """

    extra: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "rmse:min"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def losses(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean squared error of each example, in squared standard deviations."""
        found = require_shape(
            main_output(outputs, "prediction"),
            (len(targets), len(self.mean)),
            "one number per target for every example",
        )
        wanted = (targets - _like(targets, self.mean)) / _like(targets, self.std)
        return (found - wanted).square().mean(1)

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean of ``losses``."""
        return self.losses(outputs, targets).mean()

    def metrics(self) -> Mapping[str, Any]:
        """Return ``rmse``, ``mae``, ``r2`` and the extra metrics."""
        return {
            "rmse": RootMeanSquare(),
            "mae": Mean(lambda found, wanted: (found - wanted).abs().mean(1)),
            "r2": Determination(),
            **self.extra,
        }

    def predictions(self, outputs: Any) -> Tensor:
        """Return the predictions in the units of the targets, ``[batch, outputs]`` float32."""
        import torch  # noqa: PLC0415 - deciding must not load torch

        found = main_output(outputs, "prediction")
        found = found.to(torch.promote_types(found.dtype, torch.float32))
        return found * _like(found, self.std) + _like(found, self.mean)

    @property
    def brief(self) -> Mapping[str, Any]:
        """``outputs``, how many numbers each example has."""
        return {"outputs": len(self.mean)}

    def fitted(self, targets: Sequence[Any]) -> tuple[Regression, Sequence[Any]]:
        """Make the targets float32 ``[examples, outputs]``; compute mean and deviation."""
        columns = [_columns(part) for part in targets]
        if self.mean:
            return self, columns
        mean, std = columns[0].mean(0, np.float64), columns[0].std(0, np.float64)
        if (constant := std == 0.0).all():
            raise DataError(
                f"the targets must differ: all training examples have {columns[0][0].tolist()}"
            )
        std[constant] = 1.0
        return replace(self, mean=tuple(mean.tolist()), std=tuple(std.tolist())), columns


def _like(tensor: Tensor, numbers: tuple[float, ...]) -> Tensor | float:
    """Return numbers for a computation with a tensor; nothing is copied to its device."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    if len(numbers) == 1:
        return numbers[0]
    return torch.stack([tensor.new_full((), number) for number in numbers])


def _columns(targets: Any) -> Any:
    array = np.asarray(targets)
    if array.dtype.kind not in "iufb" or array.ndim not in {1, 2}:
        raise DataError(
            "for regression, targets must be real numbers [examples] or [examples, outputs]: "
            f"got {kind_of(targets)}"
        )
    columns = array.reshape(len(array), -1).astype(np.float32)
    usable = np.isfinite(columns).all(1)
    if not usable.all():
        raise DataError(
            f"targets must be finite numbers: example {int(np.argmin(usable))} has NaN or infinity"
        )
    return columns


class RootMeanSquare:
    """The root of the mean squared error, with its standard error by the delta method."""

    def __init__(self) -> None:
        """Begin without examples."""
        self._squares = Mean(lambda found, wanted: (found - wanted).square().mean(1))

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add a batch."""
        self._squares.update(predictions, targets)

    def compute(self) -> float:
        """Return the root of the mean squared error."""
        return float(self._squares.compute() ** 0.5)

    def standard_error(self) -> float | None:
        """Return the standard error of the mean of squares, divided by twice the root."""
        error, root = self._squares.standard_error(), self.compute()
        return None if error is None or root == 0.0 else error / (2.0 * root)


class Determination:
    """The coefficient of determination (R squared), averaged over the outputs."""

    def __init__(self) -> None:
        """Begin without examples."""
        self._count = 0
        self._wrong: Any = 0.0
        self._sum: Any = 0.0
        self._squares: Any = 0.0

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add a batch, in double precision, because differences of large sums are taken."""
        wanted = targets.double()
        self._count += len(targets)
        self._wrong = self._wrong + (predictions.double() - wanted).square().sum(0)
        self._sum = self._sum + wanted.sum(0)
        self._squares = self._squares + wanted.square().sum(0)

    def compute(self) -> float:
        """Return the coefficient; an output without variance counts as 0."""
        total = self._squares - self._sum.square() / self._count
        share = 1.0 - self._wrong / total.clamp(min=1e-12)
        return float(share.where(total > 1e-12, 0.0 * share).mean())
