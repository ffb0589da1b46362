"""What is proposed, and what can happen to it: one frozen value per event."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from raynas.errors import ConfigError, unknown
from raynas.space.architecture import Architecture

ScreeningMode = Literal["", "chosen", "blind", "off"]


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric and its direction.

    Attributes:
        metric: The name under which the task reports it.
        direction: Whether more or less of it is better.
    """

    metric: str = "val_accuracy"
    direction: Literal["max", "min"] = "max"

    def loss(self, metrics: Mapping[str, float]) -> float:
        """Return the metric as something to minimise; what is no number is worse than all else.

        Raises:
            ConfigError: The report does not hold the metric.
        """
        if self.metric not in metrics:
            raise ConfigError(unknown("metric", self.metric, metrics))
        value = metrics[self.metric]
        if math.isnan(value):  # it would compare as neither better nor worse than anything
            return math.inf
        return -value if self.direction == "max" else value


@dataclass(frozen=True, slots=True)
class Screening:
    """What zero-cost proxies had to do with a proposal.

    Attributes:
        mode: The proposal was ``chosen`` by proxies, or taken ``blind`` to judge the proxies by,
            or proxies are switched ``off``; empty where nobody meant to ask them.
        scores: What the proxies say of it, by proxy.
        dropped: How many other proposals were given up for it.
        faults: The traceback of each proxy that raised on it while others did not, by proxy.
    """

    mode: ScreeningMode = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    dropped: int = 0
    faults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something other than the network went wrong: a scheduler or a proxy raised.

    Attributes:
        reason: One sentence.
        detail: The traceback, where there is one.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a searcher asks for.

    Attributes:
        architecture: What to train.
        epochs: How long at most; none for the run's full length.
        repeat: Train it even if the history holds it, under a training seed of its own.
        parent: The number of the trial it was derived from, if any.
        inherits: Whether it begins with the parent's weights, as far as they fit.
        begin: Epochs that count as trained already, those of the weights it inherits.
        replaces: The number of the stopped trial whose place it takes, if any: that one never
            goes on.
        screening: What zero-cost proxies had to do with it.
        fault: Why it is not worth trying, if that is known already: the trial then fails at once.
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


@dataclass(frozen=True, slots=True)
class Opened:
    """A process takes the run up: workers are there, and the run's time goes on.

    Attributes:
        at: When, as in ``Started``.
        slots: Trials at once.
        gpus: GPUs of each.
    """

    at: float
    slots: int = 1
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Started:
    """A trial begins.

    Attributes:
        number: The trial's number, counted from 0.
        architecture: What is trained.
        identity: The space's identity of it.
        epochs: How long it may train.
        seed: The training seed.
        parent: The trial it was derived from, if any.
        repeat: Whether it is trained even if the history holds it.
        inherits: Whether it begins with the parent's weights, as far as they fit.
        begin: Epochs that count as trained already; the first report is of the one after.
        screening: As in ``Proposal``.
        at: Seconds since the epoch (of the virtual clock in a simulation).
        replaces: The stopped trial whose place it takes, if any: that one never goes on.
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


def accuracy_error(accuracy: float, examples: float) -> float:
    """Return the standard error of an accuracy (a fraction) of so many examples.

    One right and one wrong answer are added (Laplace), so that it is not zero where all are right.
    """
    share = (accuracy * examples + 1) / (examples + 2)
    return math.sqrt(share * (1 - share) / examples)


@dataclass(frozen=True, slots=True)
class Report:
    """What a trial says after an epoch.

    Attributes:
        number: The trial's number.
        epoch: Epochs trained so far, counted from 1.
        metrics: By name; accuracies are fractions, times seconds, ``params`` and ``flops`` counts.
        seconds: Time this epoch took, evaluation included.
        at: When, as in ``Started``.
        worker: The process that trained it, where that is known.
        errors: By metric, its standard error by the sampling of the validation examples: how far
            it would vary from one validation set of that size to another. A metric that is not
            here has none, or an unknown one.
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
        stopped: Whether it was ended early, by the scheduler or by a limit of the run.
        answered_by: The earlier trial whose reports were taken over instead of training.
        at: When, as in ``Started``.
        limit: The limit that ended it, if one did. Such a trial is the first to go on when the run
            is given more.
    """

    number: int
    stopped: bool = False
    answered_by: int | None = None
    at: float = 0.0
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A trial ended without a score. Failure is data, never a bad score.

    Attributes:
        number: The trial's number.
        reason: One sentence.
        detail: The traceback, where there is one.
        lost: Whether its worker was lost, which says nothing about the architecture.
        answered_by: The earlier trial that failed in the same way, if this one was not tried.
        out_of_memory: Whether memory ran out, with a whole device to itself if it needs one.
        at: When, as in ``Started``.
        seconds: Time spent on it since its last report, or since it began; none where that is not
            known, as of a worker that was lost.
        worker: The process in which it failed, where that is known.
        fault: Whether a scheduler or a proxy raised, which says nothing about it either.
    """

    number: int
    reason: str
    detail: str = ""
    lost: bool = False
    answered_by: int | None = None
    out_of_memory: bool = False
    at: float = 0.0
    seconds: float = 0.0
    worker: str = ""
    fault: bool = False

    @property
    def blames_architecture(self) -> bool:
        """Whether it is the architecture that has failed."""
        return not (self.lost or self.fault)


@dataclass(frozen=True, slots=True)
class Retried:
    """A trial ran out of memory beside others on a device; it goes on with one to itself.

    Attributes:
        number: The trial's number.
        reason: How memory ran out, in one sentence.
        at: When, as in ``Started``.
        seconds: Time spent in vain, as in ``Failed``.
        worker: The process in which it was, where that is known.
    """

    number: int
    reason: str
    at: float = 0.0
    seconds: float = 0.0
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A trial that had been stopped goes on from where it was.

    Attributes:
        number: The trial's number.
        at: When, as in ``Started``.
    """

    number: int
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Winner:
    """The architecture chosen on validation, after its one look at the test data.

    Attributes:
        number: The trial it was chosen from.
        metrics: What was measured, such as ``test_accuracy`` (a fraction).
        folder: Where it was exported, relative to the run folder.
        at: When, as in ``Started``.
        reason: Why it is not the trial with the best score, in one line; empty if it is.
        front: With several objectives, the trials on the Pareto front that the searcher expects
            on new data; empty where it expects none.
    """

    number: int
    metrics: Mapping[str, float]
    folder: str
    at: float = 0.0
    reason: str = ""
    front: tuple[int, ...] = ()


Outcome = Finished | Failed
TrialEvent = Started | Report | Finished | Failed | Retried | Resumed | Winner
Event = Opened | TrialEvent
