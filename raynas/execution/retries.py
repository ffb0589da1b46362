"""Which failures a trial is tried again after, and which errors are known to be a network's.

A network is blamed for an error only if the error happens in a worker that has trained nothing
before, or at a place in the code where it happened in such a worker. In any other worker, an
earlier network may be the cause, for example because it has changed a global variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from raynas.trial import Failed, History, Outcome, Remedy, Trial

_TIMES: Final[Mapping[Remedy, int]] = {"gpu": 1, "node": 1, "other_node": 9, "worker": 2}
_MEMORY: Final = ("gpu", "node")  # what a trial needs once, it needs until its end
_FRAME: Final = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+)', re.MULTILINE)
_LIBRARIES: Final = (str(Path(__file__).parents[1]), "/site-packages/torch/")


def may_retry(trial: Trial, remedy: Remedy) -> bool:
    """Return whether a trial that failed may be tried again with this remedy.

    Lost workers and nodes count only if the trial has trained no epoch since.
    """
    counted = remedy in _MEMORY
    tries = [one for one in trial.retries if one.remedy == remedy]
    return sum(counted or one.epoch == trial.epoch for one in tries) < _TIMES[remedy]


def remedy_for(failed: Failed, *, shared: bool) -> Remedy | None:
    """Return how to try again what a worker reported as failed; none for not at all.

    Args:
        failed: The failure.
        shared: Whether others may have run on the same GPU, and used the memory.
    """
    if failed.out_of_memory:
        return "gpu" if shared else None
    return "worker" if failed.cause == "circumstances" else None


def place(failed: Failed) -> str:
    """Return where in the code an error was raised; empty if no traceback tells it.

    This is the last line outside torch and raynas, which raise the errors of all networks; if
    there is none, the last line.
    """
    frames = [match.group("file", "line") for match in _FRAME.finditer(failed.detail)]
    own = [frame for frame in frames if not any(one in frame[0] for one in _LIBRARIES)]
    return ":".join((own or frames or [("",)])[-1])


@dataclass(frozen=True, slots=True)
class NetworkErrors:
    """Errors that are known to be those of networks.

    Attributes:
        places: Where in the code they were raised, as ``place`` returns it.
    """

    places: set[str]

    @classmethod
    def of(cls, history: History) -> NetworkErrors:
        """Return the errors in a history."""
        errors = cls(set())
        for trial in history.failed:
            errors.note(trial.outcome)
        return errors

    def note(self, outcome: Outcome | None) -> None:
        """Add the error that ended a trial, if it was its network's."""
        if isinstance(outcome, Failed) and outcome.cause == "architecture" and outcome.detail:
            self.places.add(place(outcome))
