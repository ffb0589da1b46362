"""Data sets of a user's own, as in ``torch.utils.data``; this module does not load torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from raynas.errors import DataError, kind_of
from raynas.goals import Classification, Goal


def is_dataset(part: Any) -> bool:
    """Return whether an object gives examples, by number or one after another."""
    if isinstance(part, list | tuple):
        return True
    if isinstance(part, str | bytes | Mapping) or hasattr(part, "dtype"):
        return False
    return _numbered(part) or isinstance(part, Iterable)


def _numbered(part: Any) -> bool:
    return hasattr(part, "__getitem__") and hasattr(part, "__len__")


def length(part: Any) -> int | None:
    """Return the number of examples; none if it is unknown."""
    try:
        return len(part)
    except TypeError:  # an iterable, or ``torch.utils.data.Dataset`` without a length
        return None


def described(part: Any) -> str:
    """Return the kind of a part of the data, for messages."""
    return kind_of(part)


def check_dataset(parts: Iterable[Any], goal: Goal | None) -> None:
    """Check that data sets have examples, and that the goal is known without their targets.

    Raises:
        DataError: They have none, or the goal is not known.
    """
    for name, part in zip(("train", "valid", "test"), parts, strict=True):
        if length(part) == 0:
            raise DataError(f"every split must hold examples: {name} is empty")
        if isinstance(part, Iterator):
            raise DataError(
                f"a data set is read in every epoch, and {name} is {kind_of(part)}, which can be "
                "read once only: give a list, or an object with __iter__"
            )
    if goal is None:
        raise DataError(
            "data sets need a goal, such as Data(train, valid, test, "
            "goal=Classification(classes=10)), because their targets are not read in advance"
        )
    if isinstance(goal, Classification) and not goal.classes:
        raise DataError(
            "the goal of data sets must give its number of classes, such as "
            "Classification(classes=10): got Classification()"
        )


def describe(part: Any) -> dict[str, object]:
    """Return what a journal recognises a data set by: ``fingerprint()`` if it has that method."""
    told = getattr(part, "fingerprint", None)
    return {
        "examples": length(part),
        "digest": str(told()) if callable(told) else None,
        "kind": type(part).__qualname__,
    }
