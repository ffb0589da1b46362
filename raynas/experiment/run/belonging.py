"""Runs that belong to another run and lie in its folder: supernets, and final trainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raynas.errors import ConfigError
from raynas.oneshot.search import SHARED
from raynas.storage import Location
from raynas.trial.winner import EPOCHS_LEFT


def check_own(output: Location, known: Mapping[str, Any]) -> None:
    """Check that a run is one of its own, which can be resumed.

    Args:
        output: Its folder.
        known: Its settings.

    Raises:
        ConfigError: It belongs to another run.
    """
    objective = str(known.get("objective"))
    if objective.startswith(SHARED):
        raise ConfigError(
            f"{output} holds the supernets of another run, which trains and resumes them: "
            f"resume {output.parent}"
        )
    if objective.startswith(EPOCHS_LEFT):
        raise ConfigError(
            f"{output} holds the final trainings of another run: raynas retrain {output.parent} "
            "continues them"
        )
