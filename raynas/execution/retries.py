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

_TIMES: Final[Mapping[Remedy, int]] = {"gpu": 1, "node": 1, "worker": 2}
_FRAME: Final = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+)', re.MULTILINE)
_LIBRARIES: Final = (str(Path(__file__).parents[1]), "/site-packages/torch/")


def may_retry(trial: Trial, remedy: Remedy) -> bool:
    """Return whether a trial that failed may be tried again with this remedy."""
    return trial.tries(remedy) < _TIMES[remedy]


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
