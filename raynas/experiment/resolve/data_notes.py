"""What is unusual in a task's data, said before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.data import Data, Split
from raynas.errors import DataError

_UNEVEN: Final = 10  # times as many examples as another class
_FAR: Final = 10  # times as wide a range of values as that of the training examples
_SHOWN: Final = 5  # names of classes


def unusual(data: Data) -> list[str]:
    """Return what is unusual in the data: classes, ranges, blank images, repeated examples.

    Raises:
        DataError: An input is NaN or infinite.
    """
    parts = {"training": data.train, "validation": data.valid, "test": data.test}
    for part, split in parts.items():
        _check_finite(part, split)
    return [*_classes(data, parts), *_ranges(parts), *_blank(parts), *_repeated(parts)]


def _check_finite(part: str, split: Split) -> None:
    start = 0
    for inputs in split.parts() if split.inputs.dtype.kind == "f" else ():
        usable = np.isfinite(inputs).all(axis=tuple(range(1, inputs.ndim)))
        if not usable.all():
            row = start + int(np.argmin(usable))
            raise DataError(
                f"inputs must be finite numbers: {part} example {row} has NaN or infinity"
            )
        start += len(inputs)


def _classes(data: Data, parts: Mapping[str, Split]) -> Iterator[str]:
    """Yield what is said of classes without examples, with few, and of too many classes."""
    names = data.names or tuple(map(str, range(data.classes)))
    counts = {
        part: np.bincount(split.labels, minlength=data.classes) for part, split in parts.items()
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
    if data.classes > len(data.train) // 2:
        yield f"{data.classes} classes for {len(data.train)} training examples"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    classes = "class" if len(names) == 1 else "classes"
    return f"{classes} {', '.join(names[:_SHOWN])}{more}"


def _ranges(parts: Mapping[str, Split]) -> Iterator[str]:
    """Yield what is said of values on another scale than those of the training examples."""
    ranges = {
        part: (float(split.inputs.min()), float(split.inputs.max()))
        for part, split in parts.items()
        if not split.ids
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
    inputs = parts["training"].inputs
    if inputs.dtype == np.uint8 and most <= 1:
        yield f"bytes, 0 to 255, are only {least:g} to {most:g}"


def _blank(parts: Mapping[str, Split]) -> Iterator[str]:
    for part, split in parts.items():
        if split.inputs.ndim == 4:
            flat = (inputs.reshape(len(inputs), -1) for inputs in split.parts())
            blank = sum(np.count_nonzero((rows == rows[:, :1]).all(axis=1)) for rows in flat)
            if blank:
                has = "has" if blank == 1 else "have"
                yield f"{blank} of {len(split)} {part} images {has} one value in all pixels"


def _repeated(parts: Mapping[str, Split]) -> Iterator[str]:
    """Yield how many validation and test examples are training examples."""
    known = {*_hashes(parts["training"].inputs)}
    for part in ("validation", "test"):
        same = sum(one in known for one in _hashes(parts[part].inputs))
        if same:
            yield (
                f"{same} of {len(parts[part])} {part} examples {'is' if same == 1 else 'are'} "
                "also among the training examples"
            )


def _hashes(inputs: NDArray[np.generic]) -> Iterator[int]:
    return (hash(row.tobytes()) for row in inputs)
