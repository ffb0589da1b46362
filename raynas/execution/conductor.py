"""What is the same wherever trials run: who starts next, who goes on, what is written down."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from raynas.errors import ConfigError, SearcherError
from raynas.execution.failing_alike import FailingAlike
from raynas.execution.guarded_scheduler import GuardedScheduler, paused_last
from raynas.execution.interruption import UNINTERRUPTED, Interruption
from raynas.execution.plan import Plan
from raynas.execution.proposals import answer, ask, begin, exhausted
from raynas.rng import proposal_rng
from raynas.schedulers import Begin, Directive, Director, Hold, Resume, Verdict
from raynas.searchers import recommendation
from raynas.searchers.recommendation import Recommendation
from raynas.trial import (
    Event,
    Failed,
    Fault,
    Finished,
    History,
    Opened,
    Proposal,
    Report,
    Resumed,
    Retried,
    Trial,
)


@dataclass(slots=True)
class Conductor:
    """Leads a search from one event to the next; whoever runs the trials asks and tells it.

    Attributes:
        plan: What to do.
        history: What happened so far; trials in it that have not ended, or were ended by a limit,
            go on first.
        record: Writes an event down and folds it into ``history``.
        clock: The time, in seconds.
        interruption: Whether a signal asks the run to end.
    """

    plan: Plan
    history: History
    record: Callable[[Event], None]
    clock: Callable[[], float]
    interruption: Interruption = UNINTERRUPTED
    _guidance: GuardedScheduler = field(init=False)
    _halfway: deque[int] = field(init=False)
    _failing: FailingAlike = field(init=False, default_factory=FailingAlike)
    _opened: bool = field(init=False, default=False)
    _exhausted: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Take up what an earlier process left half done.

        It may have been killed between two events that belong together: a report and the verdict
        on it, a trial's start and the answer to it.
        """
        self._guidance = GuardedScheduler(self.plan.scheduler, self.plan.space, self.plan.seed)
        if isinstance(self.history.last, Report):
            self._judge(self.history.last)
        for trial in self.history.running:
            if not trial.reports and (known := answer(trial.started, self.history)):
                self.record(known)
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
        if self.interruption.signal:
            return "interruption"
        now = self.clock() if self._opened else None
        return self.plan.limits.reached(self.history, now)

    @property
    def finished(self) -> bool:
        """Whether nothing further will start."""
        if self.limit:
            return True
        return not self._halfway and self._over(self._directive)

    @property
    def recommended(self) -> Trial | None:
        """The trial to hand over as it stands; none before one has finished."""
        chosen = self.recommendation
        return chosen.trial if chosen else None

    @property
    def recommendation(self) -> Recommendation | None:
        """The trial to hand over, and what it was compared with; none before one has finished.

        Where weights are inherited, that is the best as measured: a searcher judges architectures
        and not weights, and might come back to a trial whose weights were deleted long ago.
        """
        best = self.history.best
        as_measured = Recommendation(best) if best else None
        if any(trial.started.inherits for trial in self.history.trials.values()):
            return as_measured
        chosen = recommendation(self.plan.searcher, self.history)
        if chosen and isinstance(self.history.trials[chosen.trial.number].outcome, Failed):
            return as_measured
        return chosen

    @property
    def needed(self) -> set[int]:
        """The trials whose checkpoints must stay.

        Those that run, may go on later or have heirs; and one that would be handed over with the
        weights it has, because it inherited some.
        """
        trials = self.history.trials.values()
        needed = {trial.number for trial in trials if trial.outcome is None or trial.cut}
        best = self.history.best  # which is handed over where weights are inherited
        if best and best.started.inherits:
            needed.add(best.number)
        return needed | self._guidance.kept(self.plan.searcher, self.history)

    def next(self) -> Trial | None:
        """Return the next trial to train; none if, for now or once ``finished``, there is none.

        A proposal that the history can answer is answered and not returned.

        Raises:
            SearcherError: The searcher raised, or proposed what is not in the space.
            SchedulerError: The scheduler raised again and again.
        """
        if self._halfway and not self.limit:
            number = self._halfway.popleft()
            if self.history.trials[number].cut:
                self.record(Resumed(number, self.clock()))
            return self.history.trials[number]
        self._guidance.check_faults()
        faults = 0
        while not self._over(directive := self._directive):
            if self.limit:
                return None
            if isinstance(directive, Fault):
                faults += 1
                if not self._blame(directive, faults):
                    return None
            elif self._waits(directive):
                return None
            elif trial := self._follow(directive):
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
        self._failing.trained()
        self.record(report)
        return self._judge(report)

    def fail(self, number: int, reason: str, **more: Any) -> None:
        """Take note that a trial ended without a score; ``more`` is as in ``Failed``.

        Raises:
            ConfigError: All have ended so, for one reason; unless the plan says how many may.
        """
        failed = Failed(number, reason, **more, at=self.clock())
        self.record(failed)
        if self.plan.limits.max_failures == math.inf:
            self._failing.failed(failed)

    def retry(self, number: int, reason: str, **more: Any) -> None:
        """Take note that memory ran out beside others; the trial comes next, to run alone."""
        self.record(Retried(number, reason, self.clock(), **more))
        self._halfway.append(number)

    def _judge(self, report: Report) -> Verdict:
        """Decide on the last event, a report; write down what ends its trial.

        A limit comes after the scheduler, so that its verdict is the same as without one; the
        time is the report's, for it may be another process that comes to judge it.
        """
        if report.epoch >= self.history.trials[report.number].started.epochs:
            self.record(Finished(report.number, at=report.at))
            return Verdict.STOP
        verdict = self._guidance.verdict(report, self.history)
        if isinstance(verdict, Fault):
            reason, detail = verdict.reason, verdict.detail
            self.record(Failed(report.number, reason, detail, fault=True, at=report.at))
            return Verdict.STOP
        limit = ""
        if verdict is Verdict.GO:
            limit = self.plan.limits.reached(self.history, report.at)
        if verdict is Verdict.STOP or limit:
            self.record(Finished(report.number, stopped=True, at=report.at, limit=limit))
            return Verdict.STOP
        if self.interruption.signal:  # not written down: the trial goes on when the run does
            return Verdict.STOP
        return verdict

    @property
    def exhausted(self) -> bool:
        """Whether nothing new will be proposed, as far as that can be told."""
        return self._exhausted or exhausted(self.history, self.plan.space)

    @property
    def _closed(self) -> bool:
        """Whether no further trials will begin, only old ones may go on."""
        return self.exhausted or self.history.trained >= self.plan.trials

    @property
    def _directive(self) -> Directive | Fault:
        return self._guidance.directive(self.history, closed=self._closed)

    def _over(self, directive: Directive | Fault) -> bool:
        """Say whether nothing further will start, given what the scheduler says comes next."""
        may_resume = isinstance(self.plan.scheduler, Director) and bool(self.history.running)
        if isinstance(directive, Fault):  # see _blame
            may_resume = may_resume or paused_last(self.history) is not None
        elif not (directive is None or isinstance(directive, Begin)):
            return directive is Hold.END
        return self._closed and not may_resume

    def _waits(self, directive: Directive) -> bool:
        """Say whether nothing starts for now."""
        asks_nobody = isinstance(directive, Resume | Proposal)
        return isinstance(directive, Hold) or (self._closed and not asks_nobody)

    def _follow(self, directive: Directive) -> Trial | None:
        """Do what the scheduler says; return the trial that is to be trained, if it led to one."""
        match directive:
            case Resume(number):
                self.record(Resumed(number, self.clock()))
                return self.history.trials[number]
            case Proposal():
                return self._start(directive)
            case _:
                return self._begin(surely=directive is Begin.TRAINED)

    def _blame(self, fault: Fault, faults: int) -> bool:
        """Let the trial that was to come fail by the scheduler's fault; say whether there is one.

        That is what the searcher proposes or, if no more trials begin, the one that was stopped
        last. While others run, the scheduler may know better after their next reports.

        Raises:
            SchedulerError: This is one fault too many in a row.
        """
        self._guidance.check_faults(fault, faults)
        if not self._closed:
            self._begin(fault)
            if not self._exhausted:
                return True
        if self.history.running or (paused := paused_last(self.history)) is None:
            return False
        self.record(Resumed(paused.number, self.clock()))
        self.fail(paused.number, fault.reason, detail=fault.detail, fault=True)
        return True

    def _begin(self, fault: Fault | None = None, *, surely: bool = False) -> Trial | None:
        """Begin what the searcher proposes, to fail by a ``fault``; return it if it is trained."""
        proposal = self._propose(surely=surely)
        if proposal is None:
            self._exhausted = True
            return None
        if fault is not None:
            proposal = replace(proposal, fault=fault)
        return self._start(proposal)

    def _propose(self, *, surely: bool) -> Proposal | None:
        """Ask the searcher; where there must ``surely`` be something to train, there is."""
        plan, number = self.plan, len(self.history.trials)
        proposal = ask(plan.searcher, plan.space, self.history, plan.seed)
        if proposal is not None:
            try:
                self._guidance.check(proposal, plan.epochs)
            except ConfigError as error:
                raise SearcherError(
                    f"{plan.searcher!r}, asked for trial {number}: {error}"
                ) from error
        if not surely:
            return proposal
        drawn = proposal or Proposal(plan.space.sample(proposal_rng(plan.seed, number)))
        return replace(drawn, repeat=True)

    def _start(self, proposal: Proposal) -> Trial | None:
        plan, number = self.plan, len(self.history.trials)
        started = begin(
            proposal, number, plan.space, epochs=plan.epochs, seed=plan.seed, at=self.clock()
        )
        known = answer(started, self.history, proposal)
        self.record(started)
        if known is None:
            return self.history.trials[number]
        self.record(known)
        return None
