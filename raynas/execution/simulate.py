"""Simulate a search on a table with a virtual clock: the same conductor, no Ray, no training.

Each simulated worker runs one trial, and the clock jumps from one recorded report to the next. A
searcher or a scheduler acts exactly as on a cluster on which every training takes the recorded
time and decisions take no time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Final

from raynas.errors import ConfigError, TrialError
from raynas.execution.conductor import Conductor
from raynas.execution.plan import Plan
from raynas.execution.proposals import unscored
from raynas.schedulers import Director, Verdict
from raynas.tables import Recorded, Table
from raynas.tables.checks import answer
from raynas.trial import History, Objective, Report, Trial

_STILL: Final = 1000


@dataclass(frozen=True, slots=True)
class Budget:
    """The budget of a simulation; the first limit that is reached ends the search.

    Attributes:
        trainings: How many trainings may start, including repeats; answers from the history do
            not count.
        seconds: Simulated time; a report after this time does not count.
    """

    trainings: float = math.inf
    seconds: float = math.inf


@dataclass(frozen=True, slots=True)
class Cluster:
    """A simulated cluster.

    Attributes:
        table: The recorded trainings.
        workers: How many trainings run at once.
        rungs: Epochs after which a scheduler sees a trial before its end. If the table records
            these as separate trainings, a trial that continues is trained again from the
            beginning, and the time of all its trainings counts.
    """

    table: Table
    workers: int = 1
    rungs: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Check the number of workers."""
        if self.workers < 1:
            raise ConfigError(f"a simulation needs at least one worker, got {self.workers}")

    def looks(self, trial: Trial, draw: int) -> Iterator[Recorded]:
        """Yield the recorded reports of a trial.

        Raises:
            TrialError: The recorded training failed.
            ConfigError: The table has no trainings of that length.
        """
        if trial.started.inherits and not getattr(self.table, "inherits", False):
            raise ConfigError(
                f"trial {trial.number} begins with the weights of trial {trial.started.parent}, "
                "but the table holds only trainings from scratch: use another scheduler"
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
                f"the last record of a training of {epochs} epochs must be of epoch {epochs}: "
                f"the last record in {type(self.table).__name__} is of epoch {seen}"
            )


@dataclass(frozen=True, slots=True)
class Moment:
    """An interval of the virtual clock without events.

    Attributes:
        since: Its start, in seconds.
        until: The time of the next event, in seconds; infinite at the end of the search.
        trainings: How many trainings have ended before it.
    """

    since: float
    until: float
    trainings: int


class Simulation:
    """A search on a table; iterate over it to run it.

    Attributes:
        conductor: Controls the search.
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
            cluster: The simulated cluster.
            budget: The budget.
            objectives: What is optimised.
        """
        self._cluster = cluster
        self._budget = budget
        self._now = 0.0
        self._ended = 0
        self._still = 0  # trainings that have ended since the clock last moved
        self._queue: list[tuple[float, int, Recorded, Iterator[Recorded]]] = []
        self._paused: dict[int, Iterator[Recorded]] = {}
        history = History(objectives)
        plan = replace(plan, trials=min(plan.trials, budget.trainings))
        self.conductor = Conductor(plan, history, history.apply, lambda: self._now)
        self.conductor.open(cluster.workers, gpus=0)

    @property
    def history(self) -> History:
        """Everything that happened so far."""
        return self.conductor.history

    @property
    def exhausted(self) -> bool:
        """Whether the searcher had nothing new to propose before the budget was used up."""
        conductor = self.conductor
        return conductor.exhausted and conductor.history.trained < conductor.plan.trials

    def __iter__(self) -> Iterator[Moment]:
        """Run to the end of the budget or of the search, one interval after another.

        Raises:
            SearcherError: The searcher raised.
            ConfigError: Only time would end the search, and no time passes; or it proposed a
                length of training that the table does not have.
        """
        self._fill()
        yield self._moment()
        while self._queue and self._queue[0][0] <= self._budget.seconds:
            before = self._now
            self._now, number, look, looks = heappop(self._queue)
            self._still = self._still if self._now == before else 0
            self._check_known(look)
            fault = unscored(self.history.objectives, look.metrics, look.epoch)
            report = Report(number, look.epoch, look.metrics, look.seconds, errors=look.errors)
            if fault:
                self._fail(number, f"the recorded {fault}")
            elif self.conductor.report(report) is Verdict.GO:
                self._await(number, looks)
            else:
                self._end()
                if isinstance(self.conductor.plan.scheduler, Director):
                    self._paused[number] = looks
            self._fill()
            yield self._moment()

    def _check_known(self, look: Recorded) -> None:
        """See that a record holds what is optimised.

        Raises:
            ConfigError: It does not.
        """
        for objective in self.history.objectives:
            if objective.metric not in look.metrics:
                table = type(self._cluster.table).__name__
                raise ConfigError(
                    f"the table {table!r} must record {objective.metric}, which is optimised: got "
                    f"{', '.join(look.metrics) or 'no metric'}; a field of the table says what is "
                    "optimised, as in objective = 'val_error:min'"
                )

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
        self._end()

    def _end(self) -> None:
        """Count a training that has ended.

        Raises:
            ConfigError: Only time would end the search, and no time passes.
        """
        self._ended += 1
        self._still += 1
        if self._still > _STILL and math.isinf(self._budget.trainings):
            raise ConfigError(
                f"the search ends after {self._budget.seconds:g} s, but {_STILL} recorded "
                "trainings in a row took no time: give a number of trainings, too"
            )

    def _draw(self, trial: Trial) -> int:
        """Return which recorded training a trial gets: first any one, then another per repeat."""
        earlier = [
            other.started.seed
            for other in self.history.same(trial.identity)
            if other.trained and other.number < trial.number
            if other.architecture == trial.architecture
        ]
        return (earlier or [trial.started.seed])[0] + len(earlier)
