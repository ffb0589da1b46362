"""Examples and their targets, as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.data.convert import converted_inputs, converted_targets
from raynas.errors import DataError, kind_of
from raynas.trees import first, leaves, mapped, named_leaves

_CHUNK = 1024  # examples per step, so that the statistics of a large set need little memory
_DTYPES: Final = ("uint8", "float32", "int64")


@dataclass(frozen=True, slots=True, repr=False)
class Split:
    """Examples and their targets, as arrays, or lists and dictionaries of arrays.

    Attributes:
        inputs: ``[examples, channels, height, width]`` (images; uint8 or float32),
            ``[examples, features]``, ``[examples, length, features]`` (float32) or
            ``[examples, length]`` (ids, such as those of tokens; int64); other numbers of
            dimensions are possible. The network gets several inputs in the same list or
            dictionary.
        targets: What is to be learnt, in the form that the goal needs, such as labels
            ``[examples]`` int64.
    """

    inputs: Any
    targets: Any

    def __post_init__(self) -> None:
        """Check the kind of the arrays, and that every example has a target."""
        for array in leaves(self.inputs):
            if str(getattr(array, "dtype", "")) not in _DTYPES or np.ndim(array) < 2:
                raise self._unusable()
        for array in leaves(self.targets):
            if str(getattr(array, "dtype", "")) not in _DTYPES:
                raise self._unusable()
        lengths = {len(array) if np.ndim(array) else 0 for array in self._arrays()}
        empty = first(self.inputs) is None or first(self.targets) is None
        if empty or len(lengths) > 1 or 0 in lengths:
            raise DataError(
                "a split must have one target for each example, and at least one example: "
                f"got {self._count(self.inputs)} examples and {self._count(self.targets)} targets"
            )

    def _unusable(self) -> DataError:
        return DataError(
            f"a split must hold inputs and targets of {', '.join(_DTYPES)}: got "
            f"{_described(self.inputs)} and {_described(self.targets)}; Split.of(inputs, targets) "
            "converts them"
        )

    def _arrays(self) -> Iterator[NDArray[Any]]:
        yield from leaves(self.inputs)
        yield from leaves(self.targets)

    @staticmethod
    def _count(tree: Any) -> str:
        counts = dict.fromkeys(len(array) if np.ndim(array) else 1 for array in leaves(tree))
        return " and ".join(map(str, counts)) or "0"

    @classmethod
    def of(cls, inputs: Any, targets: Any, *, images: bool = True) -> Split:
        """Convert arrays of any number type to the form that training needs.

        Args:
            inputs: An array, or a dictionary or tuple of arrays. Each array is
                ``[examples, channels, height, width]``, ``[examples, height, width]`` (grey
                images), ``[examples, features]`` or ``[examples, length]`` (ids). In two
                dimensions, whole numbers are ids, such as those of tokens: they become int64 and
                are never normalised. uint8, booleans and real numbers are measurements and become
                float32. Images of uint8 stay uint8, other images become float32 with the same
                values. A list of rows is one array; several inputs are a dictionary or a tuple.
            targets: ``[examples]`` or more dimensions, likewise; whole numbers become int64, real
                numbers float32.
            images: Whether three dimensions are grey images. If not, they are
                ``[examples, length, features]``, a series.

        Raises:
            DataError: The arrays have another shape, the channels are the last axis, or a value is
                not a finite number; the message names the first row.
        """
        return cls(
            _each(
                "inputs", inputs, lambda name, part: converted_inputs(name, part, images=images)
            ),
            _each("targets", targets, converted_targets),
        )

    def __repr__(self) -> str:
        """Return the types and shapes of the split, without its contents."""
        return f"Split({_described(self.inputs)}, {_described(self.targets)})"

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(first(self.targets))

    @property
    def ids(self) -> bool:
        """Whether all inputs are ids, which the network gets unchanged."""
        return all(array.dtype.kind == "i" for array in leaves(self.inputs))

    @property
    def digest(self) -> str:
        """A hash over all inputs and targets in their order, to recognise the split."""
        digest = hashlib.blake2b(digest_size=8)
        for array in self._arrays():
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def nbytes(self) -> int:
        """The memory of all arrays, in bytes."""
        return sum(array.nbytes for array in self._arrays())

    def take(self, rows: NDArray[np.int64]) -> Split:
        """Return the examples at ``rows``."""
        return Split(*mapped(lambda array: array[rows], (self.inputs, self.targets)))

    def divide(self, fraction: float, rng: np.random.Generator) -> tuple[Split, Split]:
        """Return two parts; the second one holds ``fraction`` of the examples.

        If the targets are labels, this holds for every class: the share of each class is rounded
        up or down. The share of all examples is rounded down; both parts keep the order of the
        examples.

        Raises:
            DataError: One of the parts would be empty.
        """
        rows = rng.permutation(len(self))
        if labelled(self.targets):
            rows = rows[np.argsort(self.targets[rows], kind="stable")]
        # Rows are sorted by class. An example is taken when the running count times the fraction
        # passes the next whole number.
        taken = np.diff(np.floor(np.arange(len(self) + 1) * fraction)) > 0
        if taken.all() or not taken.any():
            raise DataError(
                "a fraction to set aside must leave examples in both parts: "
                f"got {fraction} of {len(self)} examples"
            )
        return self.take(np.sort(rows[~taken])), self.take(np.sort(rows[taken]))

    def parts(self) -> Iterator[Split]:
        """Yield the split in parts of a few examples."""
        return (
            self.take(np.arange(at, min(at + _CHUNK, len(self))))
            for at in range(0, len(self), _CHUNK)
        )


def labelled(targets: Any) -> bool:
    """Return whether targets are labels: one whole number for each example."""
    return isinstance(targets, np.ndarray) and targets.ndim == 1 and targets.dtype.kind in "iu"


def merged(first_part: Split, second_part: Split) -> Split:
    """Return two splits together."""
    return Split(
        _joined(first_part.inputs, second_part.inputs),
        _joined(first_part.targets, second_part.targets),
    )


def _joined(one: Any, two: Any) -> Any:
    others = leaves(two)
    return mapped(lambda array: np.concatenate([array, next(others)]), one)


def _each(what: str, tree: Any, convert: Any) -> Any:
    """Convert each array of a dictionary or tuple; a list is one array."""
    if isinstance(tree, dict):
        return {name: _each(f"{what}[{name!r}]", part, convert) for name, part in tree.items()}
    if isinstance(tree, tuple) and tree and all(map(_is_input, tree)):
        return tuple(_each(f"{what}[{at}]", part, convert) for at, part in enumerate(tree))
    return convert(what, tree)


def _is_input(part: Any) -> bool:
    """Return whether a part of a tuple is an input, and not a row of numbers."""
    if isinstance(part, tuple):
        return bool(part) and all(map(_is_input, part))
    return isinstance(part, dict) or hasattr(part, "shape")


def _described(tree: Any) -> str:
    named = [(name, kind_of(array)) for name, array in named_leaves(tree)]
    return ", ".join(f"{name}: {kind}" if name else kind for name, kind in named) or "nothing"
