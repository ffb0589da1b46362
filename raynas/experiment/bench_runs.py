"""The runs of a bench, and what people are told of them beside the figures."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raynas.tables import Table

_LOG = logging.getLogger("raynas")

Scores = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one searcher.

    Attributes:
        by_trainings: Validation and test accuracy of what it would have handed over, by point;
            NaN where it had nothing yet, or did not get so far.
        by_seconds: Likewise.
        ms_per_trial: Real milliseconds per trial.
        stopped: Trainings that the scheduler ended early.
        failures: Why trainings failed, one reason for each that did.
        trials: How many trials there were.
    """

    by_trainings: Scores
    by_seconds: Scores
    ms_per_trial: float
    stopped: int
    failures: tuple[str, ...] = ()
    trials: int = 0


def tell(scheduler: Any, table: Table, runs: Mapping[str, Sequence[Run]]) -> None:
    """Tell people why rows may be empty, or alike.

    Args:
        scheduler: What was to stop trainings early, as people call it.
        table: On what.
        runs: The runs of each searcher.
    """
    for name, of_one in runs.items():
        idle = sum(not run.trials for run in of_one)
        if idle:
            _LOG.warning("%s: proposed nothing in %d of %d runs", name, idle, len(of_one))
        if reasons := [reason for run in of_one for reason in run.failures]:
            _LOG.warning(
                "%s: failed trainings in all runs together: %d; the first: %s",
                name,
                len(reasons),
                reasons[0],
            )
    every = [run for of_one in runs.values() for run in of_one]
    compared = scheduler != "none" and any(run.trials > len(run.failures) for run in every)
    if compared and not any(run.stopped for run in every):
        _LOG.warning(
            "the scheduler %r stopped no training; the table's trainings end after %s epochs, and "
            "it has to compare trials at one of these (asha: --set scheduler.grace_epochs=%d)",
            scheduler,
            ", ".join(map(str, table.lengths)),
            table.lengths[0],
        )
