"""The goal that targets suggest, if a task names none."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from raynas.errors import DataError, kind_of
from raynas.goals.classification import Classification
from raynas.goals.goal import Goal
from raynas.goals.regression import Regression

_LOG = logging.getLogger("raynas")


@dataclass(frozen=True)
class Undecided(Goal):
    """The goal of targets that could mean several things, until a task names one.

    Attributes:
        reason: What the task must do, in one sentence.
    """

    reason: str

    def loss(self, outputs: Any, targets: Any) -> Any:  # noqa: ARG002 - the interface
        """Refuse to be used.

        Raises:
            DataError: Always.
        """
        raise DataError(self.reason)


def inferred(targets: Any) -> Goal:
    """Return classification for labels ``[examples]``, regression for real numbers.

    Other targets could mean several things: their goal is ``Undecided``.
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
    return Undecided(
        "a task must name its goal, such as goal=Regression(), because its targets do not tell "
        f"it: got {kind_of(targets)}{hint}"
    )
