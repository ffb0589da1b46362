"""Divide rows or a text into parts before they are encoded, so that only training data count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError, shown
from raynas.goals import Goal

T = TypeVar("T", str, NDArray[np.float64])
Rows = NDArray[np.int64]


def divided(
    targets: NDArray[Any],
    goal: Goal,
    seed: int,
    valid: float,
    test: float,
    parts: Sequence[str] = (),
) -> tuple[Rows, Rows, Rows]:
    """Return the rows of the training, validation and test data, as ``Data.split`` draws them.

    Args:
        targets: The targets of all rows.
        goal: What is learnt.
        seed: The run's seed.
        valid: The fraction of all rows for validation.
        test: The fraction of all rows for the test.
        parts: The part of each row, ``train``, ``valid`` or ``test``, if they are divided already;
            a part that has no row is taken from ``train``.

    Raises:
        DataError: A part would be empty.
    """
    known = Split(np.arange(len(targets))[:, np.newaxis], targets)
    given = {part: known.take(np.flatnonzero(np.array(parts) == part)) for part in {*parts}}
    data = Data.split(
        given.get("train", known),
        seed=seed,
        valid=given.get("valid", valid),
        test=given.get("test", test),
        goal=goal,
    )
    train, held, tested = (part.inputs[:, 0] for part in data.parts)
    return train, held, tested


def pieces(whole: T, valid: float, test: float) -> dict[str, T]:
    """Return the training, validation and test piece of a text or an array, in this order.

    Args:
        whole: The text or array.
        valid: The fraction for validation.
        test: The fraction for the test.
    """
    end = len(whole) - round(len(whole) * test)
    middle = end - round(len(whole) * valid)
    return {
        "training": whole[:middle],
        "validation": whole[middle:end],
        "test": whole[end:],
    }


def check_pieces(valid: float, test: float) -> None:
    """Check that fractions leave a piece for training.

    Raises:
        ConfigError: They do not.
    """
    if min(valid, test) <= 0 or valid + test >= 1:
        raise ConfigError(
            f"valid and test must be above 0, and less than 1 together: got {valid} and {test}"
        )


def labelled(values: Sequence[str], names: Sequence[str]) -> NDArray[np.int64]:
    """Return the labels of classes by name, with the order of ``names``.

    Raises:
        DataError: There is one class only, or most classes have one example.
    """
    if len(names) < 2:
        raise DataError(
            f"the target must have two classes or more: all {len(values)} examples are "
            f"{', '.join(map(repr, names)) or 'without one'}"
        )
    if len(names) > 2 and len(names) > len(values) / 2:
        raise DataError(
            f"the values of the target must repeat, at least twice on average: {len(values)} "
            f"examples have {len(names)} different ones, such as {shown(names[0])}; choose "
            "another target, or change its cells to numbers"
        )
    label = {name: number for number, name in enumerate(names)}
    return np.array([label[value] for value in values], np.int64)
