"""Runs without Ray: a few lines play the workers that the conductor leads."""

import itertools
from dataclasses import dataclass, field, replace

import numpy as np

from raynas.execution.conductor import Conductor
from raynas.execution.plan import Plan
from raynas.schedulers import Verdict
from raynas.trial import Failed, History, Objective, Report, Retried


@dataclass(slots=True)
class Run:
    """A run being led: the conductor and what it has written down."""

    plan: Plan
    events: list = field(default_factory=list)
    gpus: float = 0.0
    objectives: tuple = (Objective(),)
    constraints: tuple = ()
    conductor: Conductor = field(init=False)

    def __post_init__(self):
        history = History(self.objectives, constraints=self.constraints)
        clock = itertools.count(1000.0 * len(self.events))  # hours in between
        for event in self.events:
            history.apply(event)

        def record(event):
            history.apply(event)
            self.events.append(event)

        self.conductor = Conductor(self.plan, history, record, lambda: next(clock))

    @property
    def history(self):
        return self.conductor.history

    def opened(self, workers=1):
        """Let workers come, from when on time counts: a second for every look at the clock."""
        self.conductor.open(workers, self.gpus)
        return self

    def to_end(self, workers=1, order=None, child=None):
        """Let workers train what is asked for; ``order`` says which of them reports next."""
        live, child = [], child or learn
        while live or not self.conductor.finished:
            while len(live) < workers and (trial := self.conductor.next()):
                live.append((trial, child(trial)))
            if not live:
                break
            at = int(order.integers(len(live))) if order is not None else 0
            trial, told = live[at]
            if self._told(next(told)) is Verdict.STOP:
                del live[at]
        return self

    def _told(self, event):
        spent = {name: getattr(event, name) for name in ("seconds", "worker")}
        if isinstance(event, Retried):
            self.conductor.retry(event.number, event.reason, event.remedy, **spent)
            return Verdict.STOP
        if isinstance(event, Failed):
            self.conductor.fail(event.number, event.reason, cause=event.cause, **spent)
            return Verdict.STOP
        return self.conductor.report(event)


def learn(trial):
    """Play a worker: tell every epoch from the first on, as one that has lost its checkpoint.

    What was trained of inherited weights is not told.
    """
    rng = np.random.default_rng((trial.started.seed, int(trial.identity, 16)))
    for epoch in range(trial.started.begin + 1, trial.started.epochs + 1):
        yield Report(trial.number, epoch, {"val_accuracy": float(rng.random())}, seconds=1.0)


def stumble(trial):
    """Play a worker some of whose children diverge, at an epoch that is theirs."""
    last = int(trial.identity, 16) % 8
    yield from itertools.islice(learn(trial), max(0, last - trial.started.begin))
    yield Failed(trial.number, f"training diverged after epoch {last}")


def timeless(events):
    return [replace(event, at=0.0) for event in events]
