"""Metrics: objects that see one batch after another and then give a number."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from raynas.errors import ConfigError
from raynas.trees import first, mapped

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Metric(Protocol):
    """A metric over all batches of a split. The metrics of ``torchmetrics`` are such objects.

    A metric may also have ``standard_error()``, the standard error of its value that comes from
    the sampling of the examples.
    """

    def update(self, predictions: Any, targets: Any) -> None:
        """Add a batch."""
        ...

    def compute(self) -> Any:
        """Return the value over all batches, a number or a tensor with one number."""
        ...


class OverAll:
    """A metric by a function that needs all examples at once, such as those of scikit-learn."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        """Keep the function.

        Args:
            function: It is called once, with the predictions and the targets of all examples, on
                the CPU, and returns a number.
        """
        self._function = function
        self._seen: list[tuple[Any, Any]] = []

    def update(self, predictions: Any, targets: Any) -> None:
        """Keep the predictions and targets of a batch, on the CPU."""
        self._seen.append(mapped(lambda tensor: tensor.detach().cpu(), (predictions, targets)))

    def compute(self) -> Any:
        """Call the function."""
        return self._function(*joined(self._seen))


def stacked(numbers: Sequence[Tensor]) -> Tensor:
    """Return several numbers on a device as one tensor, which stays there."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    return torch.stack([*numbers])


def joined(parts: list[Any]) -> Any:
    """Return one tree of tensors for several, concatenated along their first axis."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    like = parts[0]
    if isinstance(like, Mapping):
        return {name: joined([part[name] for part in parts]) for name in like}
    if isinstance(like, tuple | list):
        return type(like)(joined([part[at] for part in parts]) for at in range(len(like)))
    return torch.cat(parts)


class Mean:
    """The mean of one number per example, with its standard error."""

    def __init__(
        self,
        values: Callable[[Any, Any], Tensor | None],
        weight: Callable[[Any], Tensor | int] | None = None,
    ) -> None:
        """Keep the functions.

        Args:
            values: Returns ``[batch]`` for predictions and targets, or the mean of the batch, a
                scalar; with scalars there is no standard error.
            weight: Returns for targets what the mean of a batch counts; none for the number of
                examples.
        """
        self._values = values
        self._weight = weight
        self._count: Any = 0
        self._sum: Any = 0.0
        self._squares: Any = 0.0
        self._each = True

    def update(self, predictions: Any, targets: Any) -> None:
        """Add a batch; nothing is copied from the device."""
        values: Any = self._values(predictions, targets)
        count: Any = len(first(targets))
        if self._weight and not values.ndim:
            count = self._weight(targets)
        self._each = self._each and values.ndim == 1
        self._count += count
        self._sum = self._sum + (values.sum() if values.ndim else values * count)
        self._squares = self._squares + values.square().sum()

    def compute(self) -> float:
        """Return the mean."""
        return float(self._sum) / float(self._count)

    def standard_error(self) -> float | None:
        """Return the standard error of the mean; none if it is unknown."""
        if not self._each:
            return None
        spread = float(self._squares) / self._count - self.compute() ** 2
        return math.sqrt(max(spread, 0.0) / self._count)


def accuracy_error(accuracy: float, examples: float) -> float:
    """Return the standard error of an accuracy (a fraction) over so many examples.

    One right and one wrong answer are added (Laplace), so that the error is never zero.
    """
    share = (accuracy * examples + 1) / (examples + 2)
    return math.sqrt(share * (1 - share) / examples)


class Share:
    """The share of right answers, with its standard error.

    An example may have several answers, such as those of its pixels, which are often right or
    wrong together. So the error comes from the number of examples, not of answers: it is that of a
    ratio of two sums over examples (Cochran, Sampling Techniques, 1977, chapter 6).
    """

    def __init__(
        self,
        right: Callable[[Any, Any], Tensor],
        scored: Callable[[Any], Tensor] | None = None,
    ) -> None:
        """Keep the functions.

        Args:
            right: Returns for predictions and targets which answers are right: truth values
                ``[batch, ...]``.
            scored: Returns for targets which answers count, likewise; none for all.
        """
        self._of = right
        self._scored = scored
        self._examples = 0
        self._sums: Any = 0  # of right answers, of all, of their squares and of their products

    def update(self, predictions: Any, targets: Any) -> None:
        """Add a batch; nothing is copied from the device."""
        right = self._of(predictions, targets)
        there = right.new_ones(right.shape) if self._scored is None else self._scored(targets)
        count = len(right)
        rights = (right & there).reshape(count, -1).sum(1)
        each = there.reshape(count, -1).sum(1)
        products = (rights, each, rights**2, each**2, rights * each)
        self._examples += count
        self._sums = self._sums + stacked([product.sum() for product in products])

    def compute(self) -> float:
        """Return the share, a fraction."""
        right, count, *_ = self._sums.tolist()
        return float(right / count)

    def standard_error(self) -> float:
        """Return the standard error of the share.

        Two examples of mean size are added, one right and one wrong, as in ``accuracy_error``,
        which is the same if each example has one answer.
        """
        right, count, rights, counts, products = self._sums.tolist()
        size = count / self._examples
        share = (right + size) / (count + 2 * size)
        added = ((1 - share) ** 2 + share**2) * size**2
        squares = rights - 2 * share * products + share**2 * counts + added
        return float(math.sqrt(squares / (self._examples + 2) / self._examples) / size)


def value_of(name: str, metric: Metric) -> float:
    """Return a metric's value as a number.

    Raises:
        ConfigError: It is not one number.
    """
    value = metric.compute()
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"the metric {name} must be one number: got {value!r}") from error


def new_metrics(given: Mapping[str, Any]) -> dict[str, Metric]:
    """Return new metric objects for what a user gave by name: objects, or functions.

    An object is copied, so that batches of one split do not count for another; a function is
    called with the predictions and targets of all examples.

    Raises:
        ConfigError: One is neither, or a name is not printable.
    """
    made: dict[str, Metric] = {}
    for name, metric in given.items():
        if not is_name(name):
            raise ConfigError(f"the name of a metric must be printable text, got {name!r}")
        if isinstance(metric, type) or not (isinstance(metric, Metric) or callable(metric)):
            raise ConfigError(
                f"the metric {name} must be a function of predictions and targets, or an object "
                f"with update and compute: got {metric!r}"
            )
        made[name] = copy.deepcopy(metric) if isinstance(metric, Metric) else OverAll(metric)
    return made


def is_name(name: object) -> bool:
    """Return whether this can name a metric: one line of text, which a terminal can show."""
    return isinstance(name, str) and name.isprintable() and bool(name.strip())
