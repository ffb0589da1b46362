"""The goal that targets suggest, if a task names none."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from raynas.errors import DataError, kind_of
from raynas.goals.classification import Classification
from raynas.goals.goal import Goal
from raynas.goals.regression import Regression

_LOG = logging.getLogger("raynas")


def inferred(targets: Any) -> Goal:
    """Return classification for labels ``[examples]``, regression for real numbers.

    Raises:
        DataError: The targets could mean several things.
    """
    if isinstance(targets, np.ndarray) and targets.dtype.kind in "iu" and targets.ndim == 1:
        return Classification()
    if isinstance(targets, np.ndarray) and targets.dtype.kind == "f" and targets.ndim in {1, 2}:
        _LOG.info(
            "the targets are real numbers, so the goal is regression; for classes, give the "
            "labels as whole numbers"
        )
        return Regression()
    hint = ""
    if isinstance(targets, np.ndarray) and targets.ndim == 2:
        one = targets.shape[1] == 1
        hint = "; for classes, give " + ("targets[:, 0]" if one else "targets.argmax(1)")
    raise DataError(
        "a task must name its goal, such as goal=Regression(), because its targets do not tell "
        f"it: got {kind_of(targets)}{hint}"
    )
