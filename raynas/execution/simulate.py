"""A search on a table under a virtual clock: no Ray, no training, the same conductor.

As many workers as you like each take a trial, and the clock jumps from one look at a training to
the next. What a searcher or a scheduler does here, it would have done on a cluster on which every
training took the recorded time and deciding took none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from raynas.errors import ConfigError, TrialError
from raynas.execution.conductor import Conductor
from raynas.execution.plan import Plan
from raynas.execution.proposals import unscored
from raynas.schedulers import Director, Verdict
from raynas.tables import Recorded, Table
from raynas.tables.checks import answer
from raynas.trial import History, Objective, Report, Trial


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be spent; what is reached first ends the search.

    Attributes:
        trainings: Trainings to start, repeats included; answers from the history cost nothing.
        seconds: Simulated time; what is not over by then does not count.
    """

    trainings: float = math.inf
    seconds: float = math.inf


@dataclass(frozen=True, slots=True)
class Cluster:
    """On what is searched.

    Attributes:
        table: Answers for trainings.
        workers: Trainings at once.
        rungs: Epochs after which a scheduler sees a trial before its end. Where the table records
            them as trainings of their own, a trial is trained that long first and, if it may go
            on, from the beginning again, and all of that time counts.
    """

    table: Table
    workers: int = 1
    rungs: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Check the number of workers."""
        if self.workers < 1:
            raise ConfigError(f"a simulation needs at least one worker, got {self.workers}")

    def looks(self, trial: Trial, draw: int) -> Iterator[Recorded]:
        """Yield what a trial says, look by look.

        Raises:
            TrialError: It fails.
            ConfigError: The table has no trainings of that length.
        """
        if trial.started.inherits and not getattr(self.table, "inherits", False):
            raise ConfigError(
                f"trial {trial.number} begins with the weights of trial {trial.started.parent}, "
                "and a table knows only of trainings from scratch: use another scheduler"
            )
        epochs = trial.started.epochs
        seen, waited = trial.started.begin, 0.0
        for length in (*(rung for rung in self.rungs if rung < epochs), epochs):
            for look in answer(self.table, trial.architecture, length, draw):
                waited += look.seconds if look.epoch > trial.started.begin else 0.0
                if look.epoch > seen:
                    yield replace(look, seconds=waited)
                    seen, waited = look.epoch, 0.0
        if seen != epochs:
            raise ConfigError(
                f"a training of {epochs} epochs must end with a look after epoch {epochs}: "
                f"{type(self.table).__name__} ends after {seen}"
            )


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of the virtual clock in which nothing happens.

    Attributes:
        since: Its first second.
        until: The second at which something happens again; infinite at the end of the search.
        trainings: How many have ended by then.
    """

    since: float
    until: float
    trainings: int


class Simulation:
    """A search on a table; iterating over it lets it happen.

    Attributes:
        conductor: Leads the search.
    """

    def __init__(
        self,
        plan: Plan,
        cluster: Cluster,
        budget: Budget,
        objectives: tuple[Objective, ...] = (Objective(),),
    ) -> None:
        """Begin at second zero.

        Args:
            plan: What to do.
            cluster: On what.
            budget: How much of it.
            objectives: What is optimised.
        """
        self._cluster = cluster
        self._budget = budget
        self._now = 0.0
        self._ended = 0
        self._queue: list[tuple[float, int, Recorded, Iterator[Recorded]]] = []
        self._paused: dict[int, Iterator[Recorded]] = {}
        history = History(objectives)
        plan = replace(plan, trials=min(plan.trials, budget.trainings))
        self.conductor = Conductor(plan, history, history.apply, lambda: self._now)
        self.conductor.open(cluster.workers, gpus=0)

    @property
    def history(self) -> History:
        """All that happened so far."""
        return self.conductor.history

    @property
    def exhausted(self) -> bool:
        """Whether the searcher had nothing new to propose while there was budget left."""
        conductor = self.conductor
        return conductor.exhausted and conductor.history.trained < conductor.plan.trials

    def __iter__(self) -> Iterator[Moment]:
        """Go on to the end of the budget or of the search, moment by moment.

        Raises:
            SearcherError: The searcher raised.
            ConfigError: It asked for a length of training that the table does not have.
        """
        self._fill()
        yield self._moment()
        while self._queue and self._queue[0][0] <= self._budget.seconds:
            self._now, number, look, looks = heappop(self._queue)
            fault = unscored(self.history.objectives, look.metrics, look.epoch)
            report = Report(number, look.epoch, look.metrics, look.seconds, errors=look.errors)
            if fault:
                self._fail(number, f"the recorded {fault}")
            elif self.conductor.report(report) is Verdict.GO:
                self._await(number, looks)
            else:
                self._ended += 1
                if isinstance(self.conductor.plan.scheduler, Director):
                    self._paused[number] = looks
            self._fill()
            yield self._moment()

    def _moment(self) -> Moment:
        until = self._queue[0][0] if self._queue else math.inf
        return Moment(self._now, until, self._ended)

    def _fill(self) -> None:
        """Give every free worker a trial."""
        while len(self._queue) < self._cluster.workers and self._now < self._budget.seconds:
            trial = self.conductor.next()
            if trial is None:
                return
            looks = self._paused.pop(trial.number, None)
            if looks is None:
                looks = self._cluster.looks(trial, self._draw(trial))
            else:
                self._ended -= 1
            self._await(trial.number, looks)

    def _await(self, number: int, looks: Iterator[Recorded]) -> None:
        try:
            look = next(looks)
        except TrialError as error:
            self._fail(number, str(error))
        else:
            heappush(self._queue, (self._now + look.seconds, number, look, looks))

    def _fail(self, number: int, reason: str) -> None:
        self.conductor.fail(number, reason)
        self._ended += 1

    def _draw(self, trial: Trial) -> int:
        """Return which training a trial sees: any one at first, another for each repeat."""
        earlier = [
            other.started.seed
            for other in self.history.same(trial.identity)
            if other.trained and other.number < trial.number
            if other.architecture == trial.architecture
        ]
        return (earlier or [trial.started.seed])[0] + len(earlier)
