"""What trials run on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from raynas.execution.packing import Resources
from raynas.experiment import amounts
from raynas.experiment.settings.checks import at_least_one


@dataclass(frozen=True, kw_only=True)
class Compute:
    """What trials run on; it may change when a run is resumed.

    Attributes:
        cpus_per_trial: Processor cores of each worker of a trial; fractions allowed.
        gpus_per_trial: GPUs of each worker of a trial; fractions allowed; ``auto`` for the part
            that it is predicted to need; none for ``auto`` where there is a GPU, and 0 elsewhere.
        workers_per_trial: How many processes train a trial together, and the winner, each on its
            part of every batch; where GPUs are predicted, each of several has a whole one.
        supernet_workers: How many processes train a supernet together in the same way; none for as
            many as a trial.
        max_concurrent: Trials at once; none for as many as fit.
        address: A Ray cluster to join; none for ``RAY_ADDRESS``, or else a new local one.
        verbose: Whether Ray may speak.
        grace: How long trials may take to come to a checkpoint when a signal ends the run, in
            seconds or as in ``30s``.
        trial_timeout: How long a trial may run, in seconds or as in ``10m``: after that it has
            failed, and its worker is replaced; none for a limit on the time without a report, 20
            times the longest epoch so far and at least an hour.

    Raises:
        ConfigError: A value is out of range.
    """

    cpus_per_trial: float = 1.0
    gpus_per_trial: float | Literal["auto"] | None = None
    workers_per_trial: int = 1
    supernet_workers: int | None = None
    max_concurrent: int | None = None
    address: str | None = None
    verbose: bool = False
    grace: float | str = 30.0
    trial_timeout: float | str | None = None

    def check_compute(self) -> None:
        """Check what needs nothing looked up."""
        at_least_one(self, "max_concurrent", "workers_per_trial", "supernet_workers")
        self.grace_seconds, self.trial_seconds  # noqa: B018 - raise on what is malformed
        gpus = 1.0 if self.gpus_per_trial == "auto" else self.gpus_per_trial or 0.0
        Resources(self.cpus_per_trial, gpus).checked()

    @property
    def workers_per_supernet(self) -> int:
        """How many processes train a supernet together."""
        return self.supernet_workers or self.workers_per_trial

    @property
    def grace_seconds(self) -> float:
        """The grace time in seconds; 0 is allowed."""
        return amounts.seconds(self.grace, "grace", zero=True)

    @property
    def trial_seconds(self) -> float | None:
        """How long a trial may run, in seconds; none for a limit on the time without a report."""
        if self.trial_timeout is None:
            return None
        return amounts.seconds(self.trial_timeout, "trial_timeout")
