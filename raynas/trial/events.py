"""Proposals, and the events of a trial: one frozen class per event."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from raynas.errors import ConfigError, unknown
from raynas.space.architecture import Architecture
from raynas.trial.winner import Winner, WinnerEpoch

ScreeningMode = Literal["", "chosen", "blind", "off"]

Cause = Literal["architecture", "circumstances", "part"]
"""Who is to blame for a failure: the architecture, so that the same network would fail again; the
trial's circumstances, such as a worker that was lost; or a part of the run: a scheduler or a proxy
raised, or a probe could not measure. Only the first is remembered of a network."""

Remedy = Literal["gpu", "node", "other_node", "worker"]
"""What a trial gets when it is tried again: a whole GPU, a whole node, or a worker that has not
trained anything before."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric and its direction.

    Attributes:
        metric: The name of the metric in the task's reports.
        direction: Whether a higher (``max``) or a lower (``min``) value is better.
    """

    metric: str = "val_accuracy"
    direction: Literal["max", "min"] = "max"

    def loss(self, metrics: Mapping[str, float]) -> float:
        """Return the metric as a loss to minimise; NaN becomes infinity.

        Raises:
            ConfigError: The report does not hold the metric.
        """
        if self.metric not in metrics:
            raise ConfigError(unknown("metric", self.metric, metrics))
        value = metrics[self.metric]
        if math.isnan(value):  # comparisons with NaN are always false
            return math.inf
        return -value if self.direction == "max" else value


@dataclass(frozen=True, slots=True)
class Screening:
    """How zero-cost proxies screened a proposal.

    Attributes:
        mode: ``chosen`` by proxies; ``blind``, not chosen by them, to test the proxies; ``off`` if
            proxies are switched off; empty in a run without proxies.
        scores: Its scores, by proxy.
        dropped: How many other proposals were dropped for it.
        faults: The traceback of each proxy that raised on it while others did not, by proxy.
    """

    mode: ScreeningMode = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    dropped: int = 0
    faults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """An error that is not the network's: a scheduler or a proxy raised.

    Attributes:
        reason: One sentence.
        detail: The traceback, where there is one.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A searcher's proposal of a trial.

    Attributes:
        architecture: What to train.
        epochs: The largest number of epochs; none for the run's full length.
        repeat: Whether to train it even if the history holds it, with another training seed.
        parent: The number of the trial it was derived from, if any.
        inherits: Whether it begins with the parent's weights, as far as they fit.
        begin: The epochs of the inherited weights, which count as trained already.
        replaces: The number of the stopped trial that it replaces, if any: that trial is never
            resumed.
        screening: How zero-cost proxies screened it.
        fault: Why it should not be trained, if that is known: the trial then fails at once.
        division: The number of the division into training and validation data; 0 for the task's.
        random: Whether it was drawn from the space's prior, whatever scores earlier trials have.
            These trials show what random search would find.
    """

    architecture: Architecture
    epochs: int | None = None
    repeat: bool = False
    parent: int | None = None
    inherits: bool = False
    begin: int = 0
    replaces: int | None = None
    screening: Screening = Screening()
    fault: Fault | None = None
    division: int = 0
    random: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A process starts or resumes the run: workers are ready, and the run's time counts.

    Attributes:
        at: The time, as in ``Started``.
        slots: How many trials run at once.
        gpus: GPUs per trial.
    """

    at: float
    slots: int = 1
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Resized:
    """The cluster has grown or shrunk, so another number of trials runs at once.

    Attributes:
        at: The time, as in ``Started``.
        slots: How many trials run at once.
        gpus: GPUs per trial.
    """

    at: float
    slots: int
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Started:
    """A trial begins.

    Attributes:
        number: The trial's number, counted from 0.
        architecture: What is trained.
        identity: The space's identity of it.
        epochs: The largest number of epochs.
        seed: The training seed.
        parent: The trial it was derived from, if any.
        repeat: Whether it is trained even if the history holds it.
        inherits: Whether it begins with the parent's weights, as far as they fit.
        begin: Epochs that count as trained already; the first report is of the next epoch.
        screening: As in ``Proposal``.
        at: The time, in seconds since 1970 (in a simulation: of the virtual clock).
        replaces: The stopped trial that it replaces, if any: that trial is never resumed.
        fault: Why it is not trained, as in ``Proposal``.
        division: As in ``Proposal``.
        random: As in ``Proposal``.
    """

    number: int
    architecture: Architecture
    identity: str
    epochs: int
    seed: int
    parent: int | None = None
    repeat: bool = False
    inherits: bool = False
    begin: int = 0
    screening: Screening = Screening()
    at: float = 0.0
    replaces: int | None = None
    fault: Fault | None = None
    division: int = 0
    random: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a trial after an epoch.

    Attributes:
        number: The trial's number.
        epoch: Epochs trained so far, counted from 1.
        metrics: By name; accuracies are fractions, times seconds, ``params`` and ``flops`` counts.
        seconds: The duration of this epoch, evaluation included.
        at: The time, as in ``Started``.
        worker: The process that trained it, if known.
        errors: By metric: its standard error from the sampling of the validation examples, which
            says how much it varies between validation sets of that size. A metric that is not
            here has no error, or an unknown one.
    """

    number: int
    epoch: int
    metrics: Mapping[str, float]
    seconds: float = 0.0
    at: float = 0.0
    worker: str = ""
    errors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial ended with a score: its last report.

    Attributes:
        number: The trial's number.
        stopped: Whether the scheduler or a limit of the run ended it early.
        answered_by: The earlier trial whose reports were copied instead of training.
        at: The time, as in ``Started``.
        limit: The limit that ended it, if one did. Such trials continue first when the run is
            resumed with a higher limit.
    """

    number: int
    stopped: bool = False
    answered_by: int | None = None
    at: float = 0.0
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A trial ended without a score. A failure is recorded as such, never as a bad score.

    Attributes:
        number: The trial's number.
        reason: One sentence.
        detail: The traceback, if there is one.
        cause: Who is to blame.
        answered_by: The earlier trial of the network that failed, if this one was not trained.
        out_of_memory: Whether memory ran out, even with a whole GPU or node for this trial.
        at: The time, as in ``Started``.
        seconds: The time spent on it since its last report, or since it began; 0 if unknown, for
            example if the worker was lost.
        worker: The process in which it failed, if known.
        refused: Whether it was not trained, because it breaks a constraint.
    """

    number: int
    reason: str
    detail: str = ""
    cause: Cause = "architecture"
    answered_by: int | None = None
    out_of_memory: bool = False
    at: float = 0.0
    seconds: float = 0.0
    worker: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Retried:
    """A trial failed, perhaps by its circumstances; it continues from its last checkpoint.

    Attributes:
        number: The trial's number.
        reason: Why it failed, in one sentence.
        remedy: What it gets this time.
        at: The time, as in ``Started``.
        seconds: The time that was lost, as in ``Failed``.
        worker: The process of the trial, if known.
        epoch: The epochs that the trial had trained.
    """

    number: int
    reason: str
    remedy: Remedy = "gpu"
    at: float = 0.0
    seconds: float = 0.0
    worker: str = ""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Resumed:
    """A trial that was stopped continues from its last epoch.

    Attributes:
        number: The trial's number.
        at: The time, as in ``Started``.
    """

    number: int
    at: float = 0.0


Outcome = Finished | Failed
TrialEvent = Started | Report | Finished | Failed | Retried | Resumed | WinnerEpoch | Winner
Event = Opened | Resized | TrialEvent
