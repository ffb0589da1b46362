"""What is the same wherever trials run: who starts next, who goes on, what is written down."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from raynas.errors import RaynasError, SchedulerError, SearcherError
from raynas.execution.limits import Limits
from raynas.rng import proposal_rng, training_seed
from raynas.schedulers import Directive, Director, Hold, Resume, Scheduler, Verdict
from raynas.searchers import Keeper, Searcher, recommended
from raynas.space import Space
from raynas.trial import (
    Event,
    Failed,
    Finished,
    History,
    Opened,
    Proposal,
    Report,
    Resumed,
    Retried,
    Started,
    Trial,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is searched, how, and how much of it.

    Attributes:
        space: Where architectures live.
        searcher: Proposes them.
        scheduler: Decides after every epoch who goes on.
        trials: How many trials to start, those answered from the journal counted; may be infinite.
        epochs: The full length of a trial.
        seed: The seed of the run.
        limits: What ends it sooner.
    """

    space: Space
    searcher: Searcher
    scheduler: Scheduler
    trials: float
    epochs: int
    seed: int
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class Conductor:
    """Leads a search from one event to the next; whoever runs the trials asks and tells it.

    Attributes:
        plan: What to do.
        history: What happened so far; trials in it that have not ended, or were ended by a limit,
            go on first.
        record: Writes an event down and folds it into ``history``.
        clock: The time, in seconds.
    """

    plan: Plan
    history: History
    record: Callable[[Event], None]
    clock: Callable[[], float]
    _halfway: deque[int] = field(init=False)
    _opened: bool = field(init=False, default=False)
    _exhausted: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Take up what an earlier process left half done.

        It may have been killed between two events that belong together: a report and the verdict
        on it, a trial's start and the answer to it.
        """
        if isinstance(self.history.last, Report):
            self._judge(self.history.last)
        for trial in self.history.running:
            if not trial.reports and (answer := self._answer(trial.started)):
                self.record(answer)
        trials = self.history.trials.values()
        self._halfway = deque(t.number for t in trials if t.outcome is None or t.cut)

    def open(self, slots: int, gpus: float) -> None:
        """Take note that workers are there, from when on the run's time counts.

        Args:
            slots: Trials at once.
            gpus: GPUs of each.
        """
        self.record(Opened(self.clock(), slots, gpus))
        self._opened = True

    @property
    def limit(self) -> str:
        """The name of a limit of the run that is reached; nothing while there is none."""
        now = self.clock() if self._opened else None
        return self.plan.limits.reached(self.history, now)

    @property
    def finished(self) -> bool:
        """Whether nothing further will start."""
        if self.limit:
            return True
        return not self._halfway and self._over(self._directive())

    @property
    def recommended(self) -> Trial | None:
        """The trial to hand over as it stands; none before one has finished."""
        trial = recommended(self.plan.searcher, self.history)
        failed_since = trial and isinstance(self.history.trials[trial.number].outcome, Failed)
        return self.history.best if failed_since else trial

    @property
    def needed(self) -> set[int]:
        """The trials whose checkpoints must stay.

        Those that run, may go on later or have heirs; and one that would be handed over with the
        weights it has, because it inherited some.
        """
        trials = self.history.trials.values()
        needed = {trial.number for trial in trials if trial.outcome is None or trial.cut}
        if (chosen := self.recommended) and chosen.started.inherits:
            needed.add(chosen.number)
        for part in (self.plan.scheduler, self.plan.searcher):
            if isinstance(part, Director | Keeper):
                needed |= set(part.keeps(self.history))
        return needed

    def next(self) -> Trial | None:
        """Return the next trial to train; none if, for now or once ``finished``, there is none.

        A proposal that the history can answer is answered and not returned.

        Raises:
            SearcherError: The searcher raised, or proposed what is not in the space.
        """
        if self.limit:
            return None
        if self._halfway:
            number = self._halfway.popleft()
            if self.history.trials[number].cut:
                self.record(Resumed(number, self.clock()))
            return self.history.trials[number]
        while not self._over(directive := self._directive()):
            if isinstance(directive, Resume):
                self.record(Resumed(directive.number, self.clock()))
                return self.history.trials[directive.number]
            if isinstance(directive, Hold) or (directive is None and self._closed):
                return None
            proposal = directive or self._propose()
            if proposal is None:
                self._exhausted = True
            elif trial := self._start(proposal):
                return trial
        return None

    def report(self, report: Report) -> Verdict:
        """Take a report; say whether the trial goes on.

        A report that was told before, by a process that was killed, is passed over.
        """
        trial = self.history.trials[report.number]
        if report.epoch <= trial.epoch:
            return Verdict.GO
        report = replace(report, at=self.clock())
        self.record(report)
        return self._judge(report)

    def fail(self, number: int, reason: str, **more: Any) -> None:
        """Take note that a trial ended without a score; ``more`` is as in ``Failed``."""
        self.record(Failed(number, reason, **more, at=self.clock()))

    def retry(self, number: int, reason: str) -> None:
        """Take note that memory ran out beside others; the trial comes next, to run alone."""
        self.record(Retried(number, reason, self.clock()))
        self._halfway.append(number)

    def _judge(self, report: Report) -> Verdict:
        """Decide on the last event, a report; write down what ends its trial.

        A limit comes after the scheduler, so that its verdict is the same as without one; the
        time is the report's, for it may be another process that comes to judge it.
        """
        if report.epoch >= self.history.trials[report.number].started.epochs:
            self.record(Finished(report.number, at=report.at))
            return Verdict.STOP
        try:
            verdict = self.plan.scheduler.decide(report, self.history)
        except Exception as error:  # noqa: BLE001 - a scheduler's fault ends a trial, never the run
            reason = f"the scheduler raised {type(error).__name__}: {error}"
            self.record(Failed(report.number, reason, traceback.format_exc(), at=report.at))
            return Verdict.STOP
        limit = ""
        if verdict is Verdict.GO:
            limit = self.plan.limits.reached(self.history, report.at)
        if verdict is Verdict.STOP or limit:
            self.record(Finished(report.number, stopped=True, at=report.at, limit=limit))
            return Verdict.STOP
        return verdict

    @property
    def _closed(self) -> bool:
        """Whether no further trials will begin, only old ones may go on."""
        return self._exhausted or len(self.history.trials) >= self.plan.trials

    def _over(self, directive: Directive) -> bool:
        """Say whether nothing further will start, given what the scheduler says comes next."""
        may_resume = isinstance(self.plan.scheduler, Director) and self.history.running
        none_left = self._closed and directive is None and not may_resume
        return none_left or directive is Hold.END

    def _directive(self) -> Directive:
        scheduler = self.plan.scheduler
        if not isinstance(scheduler, Director):
            return None
        rng = proposal_rng(self.plan.seed, len(self.history.trials))
        try:
            said = scheduler.direct(self.history, self.plan.space, rng, closed=self._closed)
        except Exception as error:
            raise SchedulerError(
                f"{scheduler!r}, asked what comes next, raised {type(error).__name__}: {error}"
            ) from error
        if said is Hold.WAIT and not self.history.running:
            raise SchedulerError(f"{scheduler!r} waits for trials, and none is running")
        if isinstance(said, Resume) and not self.history.trials[said.number].resumable:
            raise SchedulerError(
                f"{scheduler!r} takes up trial {said.number}, which it had not stopped"
            )
        return said

    def _propose(self) -> Proposal | None:
        number = len(self.history.trials)
        searcher = self.plan.searcher
        try:
            proposal = searcher.propose(self.history, proposal_rng(self.plan.seed, number))
            if proposal is not None:
                self.plan.space.architecture(proposal.architecture)
        except RaynasError as error:
            raise SearcherError(f"{searcher!r}, asked for trial {number}: {error}") from error
        except Exception as error:
            raise SearcherError(
                f"{searcher!r}, asked for trial {number}, raised {type(error).__name__}: {error}"
            ) from error
        return proposal

    def _start(self, proposal: Proposal) -> Trial | None:
        number = len(self.history.trials)
        started = Started(
            number,
            proposal.architecture,
            identity=self.plan.space.identity(proposal.architecture),
            epochs=min(proposal.epochs or self.plan.epochs, self.plan.epochs),
            seed=training_seed(self.plan.seed, number),
            parent=proposal.parent,
            repeat=proposal.repeat,
            inherits=proposal.inherits,
            begin=proposal.begin,
            scores=proposal.scores,
            dropped=proposal.dropped,
            screened=proposal.screened,
            faults=proposal.faults,
            at=self.clock(),
        )
        answer = self._answer(started)
        if proposal.fault:
            answer = Failed(number, proposal.fault, proposal.detail, at=started.at)
        self.record(started)
        if answer is None:
            return self.history.trials[number]
        self.record(answer)
        return None

    def _answer(self, started: Started) -> Finished | Failed | None:
        """Look for an ended trial of the same network that was to train at least as long."""
        if started.repeat:
            return None
        for trial in self.history.same(started.identity):
            if trial.started.epochs < started.epochs or not trial.trained:
                continue
            match trial.outcome:
                case Finished():
                    return Finished(started.number, trial.stopped, trial.number, started.at)
                case Failed(lost=False) as failed:
                    return replace(
                        failed,
                        number=started.number,
                        detail="",
                        answered_by=trial.number,
                        at=started.at,
                    )
        return None
