"""The normalisation of inputs: mean and standard deviation per channel or feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raynas.data.split import Split
from raynas.trees import leaves, mapped


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and standard deviation of an input, per channel or feature.

    Attributes:
        mean: The mean, in the units of the input.
        std: The standard deviation; 1 where it would be 0.
        axis: The axis of the channels or features in ``[examples, ...]``.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    axis: int

    def shape(self, ndim: int) -> tuple[int, ...]:
        """Return the shape in which mean and deviation are broadcast to a whole batch."""
        return tuple(-1 if axis == self.axis else 1 for axis in range(ndim))


def channel_axis(array: NDArray[Any]) -> int:
    """Return the axis of the channels or features: the second one, or the last one of a series.

    Images are ``[examples, channels, height, width]``, a series is
    ``[examples, length, features]``.
    """
    return 2 if array.ndim == 3 else 1


def moments(split: Split) -> Any:
    """Return the ``Moments`` of each input of a split; none for ids.

    Returns:
        A tree of the same form as the inputs.
    """
    return mapped(_of, split.inputs)


def _of(array: NDArray[Any]) -> Moments | None:
    if array.dtype.kind == "i":
        return None
    axis = channel_axis(array)
    axes = tuple(at for at in range(array.ndim) if at != axis)
    count = array.size / array.shape[axis]
    parts = [array[at : at + 1024] for at in range(0, len(array), 1024)]  # views
    mean = sum(part.sum(axes, np.float64) for part in parts) / count
    shape = tuple(-1 if at == axis else 1 for at in range(array.ndim))
    squares = (np.square(part - mean.reshape(shape)).sum(axes) for part in parts)
    std = np.sqrt(sum(squares) / count)
    std[std == 0.0] = 1.0
    return Moments(tuple(mean.tolist()), tuple(std.tolist()), axis)


def extent(array: NDArray[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the least and the largest value per channel or feature; for ids, over all ids."""
    axis = channel_axis(array)
    axes = None if array.dtype.kind == "i" else tuple(a for a in range(array.ndim) if a != axis)
    least, most = (np.atleast_1d(of(array, axis=axes)) for of in (np.min, np.max))
    return tuple(least.tolist()), tuple(most.tolist())


def single(tree: Any) -> Any:
    """Return the only leaf of a tree; none if it has several."""
    found = [*leaves(tree)]
    return found[0] if len(found) == 1 else None
