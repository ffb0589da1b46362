"""Schedulers: they decide which trials continue.

A scheduler is a frozen dataclass of options. It decides as a function of a report and the
history. So rungs survive a restart, and the same object works with Ray, a simulation and a test.
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
    """Decides after each report whether a trial continues.

    A scheduler that needs all trials to have the run's full length sets ``one_length`` to true.
    """

    def check(self, epochs: int) -> None:
        """Raise ``ConfigError`` if the options do not suit trials of at most ``epochs``.

        Called once, before anything starts.
        """

    def decide(self, report: Report, history: History) -> Verdict:
        """Return whether the trial continues after ``report``, which ``history`` already holds.

        The same history gives the same verdict; the history is only read.
        """


@runtime_checkable
class Director(Protocol):
    """A scheduler that resumes trials, or begins trials of its own."""

    def direct(
        self, history: History, space: Space, rng: np.random.Generator, *, closed: bool
    ) -> Directive:
        """Return what to train next; called before the searcher is asked.

        Args:
            history: Everything that happened so far; it is only read.
            space: The search space.
            rng: The source of all randomness; its state changes.
            closed: Whether no new trials will begin, so that only old ones can continue.
        """

    def keeps(self, history: History) -> Collection[int]:
        """Return the stopped trials whose checkpoints may still be needed."""


@runtime_checkable
class TrialsWanted(Protocol):
    """A scheduler that needs a minimum number of trials."""

    def check_trials(self, trials: float) -> None:
        """Raise ``ConfigError`` if ``trials`` (which may be infinite) are too few.

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
