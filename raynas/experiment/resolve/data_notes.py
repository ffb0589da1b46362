"""What is unusual in a task's data, said before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.data import Data, Split
from raynas.errors import DataError
from raynas.goals import Classification
from raynas.trees import leaves, named_leaves

_UNEVEN: Final = 10  # times as many examples as another class
_FAR: Final = 10  # times as wide a range of values as that of the training examples
_CHUNK: Final = 1024  # examples
_SHOWN: Final = 5  # names of classes


def unusual(data: Data) -> list[str]:
    """Return what is unusual in arrays: classes, ranges, blank images, repeated examples.

    Raises:
        DataError: An input is NaN or infinite.
    """
    parts = {"training": data.train, "validation": data.valid, "test": data.test}
    for part, split in parts.items():
        for name, array in named_leaves(split.inputs):
            _check_finite(part, name, array)
    notes: list[str] = []
    if isinstance(data.goal, Classification):
        notes += _classes(data.goal, parts)
    for name, _ in named_leaves(data.train.inputs):
        arrays = {part: dict(named_leaves(split.inputs))[name] for part, split in parts.items()}
        suffix = f" of {name}" if name else ""
        notes += [note + suffix for note in (*_ranges(arrays), *_blank(arrays))]
    return [*notes, *_repeated(parts)]


def _check_finite(part: str, name: str, array: NDArray[Any]) -> None:
    start = 0
    for inputs in _chunks(array) if array.dtype.kind == "f" else ():
        usable = np.isfinite(inputs).all(axis=tuple(range(1, inputs.ndim)))
        if not usable.all():
            row = start + int(np.argmin(usable))
            where = f" in {name}" if name else ""
            raise DataError(
                f"inputs must be finite numbers: {part} example {row} has NaN or infinity{where}"
            )
        start += len(inputs)


def _chunks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield an array in parts, so that little memory is needed beside it."""
    return (array[at : at + _CHUNK] for at in range(0, len(array), _CHUNK))


def _classes(goal: Classification, parts: Mapping[str, Split]) -> Iterator[str]:
    """Yield what is said of classes without examples, with few, and of too many classes."""
    names = goal.names or tuple(map(str, range(goal.classes)))
    counts = {
        part: np.bincount(split.targets, minlength=goal.classes) for part, split in parts.items()
    }
    anywhere = sum(counts.values())
    for part, count in {"": anywhere, **counts}.items():
        lacks = (count == 0) & ((anywhere > 0) | (part == ""))
        if lacking := [names[label] for label in np.flatnonzero(lacks)]:
            yield f"no {part} example of {_listed(lacking)}".replace("  ", " ")
    seen = counts["training"]
    least, most = np.where(seen == 0, seen.max(), seen).argmin(), seen.argmax()
    if seen[most] >= _UNEVEN * seen[least]:
        yield (
            f"classes have from {seen[least]} ({names[least]}) to {seen[most]} ({names[most]}) "
            "training examples"
        )
    if goal.classes > len(parts["training"]) // 2:
        yield f"{goal.classes} classes for {len(parts['training'])} training examples"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    classes = "class" if len(names) == 1 else "classes"
    return f"{classes} {', '.join(names[:_SHOWN])}{more}"


def _ranges(arrays: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Yield what is said of values on another scale than those of the training examples."""
    ranges = {
        part: (float(array.min()), float(array.max()))
        for part, array in arrays.items()
        if array.dtype.kind != "i"
    }
    if not ranges:
        return
    least, most = ranges["training"]
    for part, (low, high) in ranges.items():
        wide, narrow = sorted((high - low, most - least), reverse=True)
        if wide >= _FAR * narrow and wide:
            yield (
                f"values of {part} examples are {low:g} to {high:g}, and those of training "
                f"examples {least:g} to {most:g}"
            )
    if arrays["training"].dtype == np.uint8 and most <= 1:
        yield f"bytes, 0 to 255, are only {least:g} to {most:g}"


def _blank(arrays: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    for part, array in arrays.items():
        if array.ndim == 4:
            flat = (inputs.reshape(len(inputs), -1) for inputs in _chunks(array))
            blank = sum(np.count_nonzero((rows == rows[:, :1]).all(axis=1)) for rows in flat)
            if blank:
                has = "has" if blank == 1 else "have"
                yield f"{blank} of {len(array)} {part} images {has} one value in all pixels"


def _repeated(parts: Mapping[str, Split]) -> Iterator[str]:
    """Yield how many validation and test examples are training examples."""
    known = {*_hashes(parts["training"])}
    for part in ("validation", "test"):
        same = sum(one in known for one in _hashes(parts[part]))
        if same:
            yield (
                f"{same} of {len(parts[part])} {part} examples {'is' if same == 1 else 'are'} "
                "also among the training examples"
            )


def _hashes(split: Split) -> Iterator[int]:
    arrays = [*leaves(split.inputs)]
    return (hash(tuple(array[row].tobytes() for array in arrays)) for row in range(len(split)))
