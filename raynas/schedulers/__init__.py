"""Who decides which trials go on.

A scheduler is a frozen dataclass of options and decides as a function of a report and the history,
so that rungs survive a restart and the same object serves Ray, a simulation and a test.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Protocol, runtime_checkable

import numpy as np

from raynas.errors import ConfigError, unknown
from raynas.lazy_table import LazyTable
from raynas.options import build
from raynas.schedulers.verdict import Begin, Directive, Hold, Resume, Verdict
from raynas.space import Space
from raynas.trial import History, Report

__all__ = [
    "SCHEDULERS",
    "Begin",
    "Directive",
    "Director",
    "Hold",
    "Resume",
    "Scheduler",
    "TrialsWanted",
    "Verdict",
    "make",
]


class Scheduler(Protocol):
    """Decides, report by report, whether a trial goes on.

    One that makes sense only of trials of the run's full length has a true ``one_length``.
    """

    def check(self, epochs: int) -> None:
        """Raise ``ConfigError`` if this makes no sense for trials of at most ``epochs``.

        Called once, before anything starts.
        """

    def decide(self, report: Report, history: History) -> Verdict:
        """Say whether the trial goes on after ``report``, which ``history`` already holds.

        The same history gives the same verdict; the history is only read.
        """


@runtime_checkable
class Director(Protocol):
    """A scheduler that takes trials up again, or begins some of its own."""

    def direct(
        self, history: History, space: Space, rng: np.random.Generator, *, closed: bool
    ) -> Directive:
        """Say what is to be trained next, before the searcher is asked.

        Args:
            history: All that happened so far; only read.
            space: Where architectures live.
            rng: Where all randomness comes from; consumed.
            closed: Whether no further trials will begin, only old ones go on.
        """

    def keeps(self, history: History) -> Collection[int]:
        """Return the stopped trials whose checkpoints may still be needed."""


@runtime_checkable
class TrialsWanted(Protocol):
    """A scheduler that makes no sense of too few trials."""

    def check_trials(self, trials: float) -> None:
        """Raise ``ConfigError`` if so many, which may be infinite, are too few.

        Called once, before anything starts.
        """


SCHEDULERS: Final[Mapping[str, type[Scheduler]]] = LazyTable(
    {
        "none": "raynas.schedulers.run_to_end:RunToEnd",
        "asha": "raynas.schedulers.asha:ASHA",
        "asha_promotion": "raynas.schedulers.asha:PromotingASHA",
        "halving": "raynas.schedulers.brackets:SuccessiveHalving",
        "hyperband": "raynas.schedulers.brackets:Hyperband",
        "median": "raynas.schedulers.median:MedianStopping",
        "extrapolation": "raynas.schedulers.extrapolation:Extrapolation",
        "moasha": "raynas.schedulers.moasha:MOASHA",
        "pbt": "raynas.schedulers.pbt:PBT",
    }
)
"""Every scheduler by name."""


def make(name: str, options: Mapping[str, object] | None = None) -> Scheduler:
    """Return the scheduler of that name.

    Raises:
        ConfigError: There is no such scheduler, or an option is unknown or unusable.
    """
    if name not in SCHEDULERS:
        raise ConfigError(unknown("scheduler", name, SCHEDULERS))
    return build(f"scheduler {name!r}", SCHEDULERS[name], options or {})
