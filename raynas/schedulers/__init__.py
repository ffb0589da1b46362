"""Who decides which trials go on.

A scheduler is a frozen dataclass of options and decides as a function of a report and the history,
so that rungs survive a restart and the same object serves Ray, a simulation and a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from raynas.errors import ConfigError, unknown
from raynas.options import build
from raynas.schedulers.asha import ASHA
from raynas.schedulers.run_to_end import RunToEnd
from raynas.schedulers.verdict import Verdict
from raynas.trial import History, Report

__all__ = ["SCHEDULERS", "Scheduler", "Verdict", "make"]


class Scheduler(Protocol):
    """Decides, report by report, whether a trial goes on."""

    def check(self, epochs: int) -> None:
        """Raise ``ConfigError`` if this makes no sense for trials of at most ``epochs``.

        Called once, before anything starts.
        """

    def decide(self, report: Report, history: History) -> Verdict:
        """Say whether the trial goes on after ``report``, which ``history`` already holds.

        The same history gives the same verdict; the history is only read.
        """


SCHEDULERS: Final[Mapping[str, type[Scheduler]]] = MappingProxyType(
    {
        "none": RunToEnd,
        "asha": ASHA,
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
