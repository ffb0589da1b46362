"""The control of a search, independent of where trials run.

It decides which trial starts next, which trials continue, and what the journal records.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from raynas.execution.chosen import chosen
from raynas.execution.failing_alike import FailingAlike
from raynas.execution.guarded_scheduler import GuardedScheduler, paused_last, waits
from raynas.execution.interruption import UNINTERRUPTED, Interruption
from raynas.execution.plan import Plan
from raynas.execution.proposals import answer, begin, exhausted, suitable
from raynas.execution.refusals import only_refusals
from raynas.execution.retries import NetworkErrors, may_retry
from raynas.schedulers import Begin, Directive, Director, Hold, Resume, Verdict
from raynas.searchers.recommendation import Recommendation
from raynas.trial import (
    Event,
    Failed,
    Fault,
    Finished,
    History,
    Opened,
    Proposal,
    Remedy,
    Report,
    Resized,
    Resumed,
    Retried,
    Trial,
)

_LOG = logging.getLogger("raynas")


@dataclass(slots=True)
class Conductor:
    """Controls a search from one event to the next; the caller runs the trials.

    The caller asks it for the next trial, and tells it reports and failures.

    Attributes:
        plan: What to do.
        history: What happened so far; trials in it that have not ended, or that a limit ended,
            continue first.
        record: Writes an event to the journal and adds it to ``history``.
        clock: Returns the time, in seconds.
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
    _errors: NetworkErrors = field(init=False)
    _known: int = field(init=False)
    _opened: bool = field(init=False, default=False)
    _exhausted: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Complete the work of an earlier process.

        That process may have been killed between two events that belong together: a report and
        the verdict on it, or a trial's start and its answer from the history.
        """
        self._guidance = GuardedScheduler(self.plan.scheduler, self.plan.space, self.plan.seed)
        self._errors, self._known = NetworkErrors.of(self.history), len(self.history.trials)
        if isinstance(self.history.last, Report):
            self._judge(self.history.last)
        for trial in self.history.running:
            if not trial.reports and (known := answer(trial.started, self.history)):
                self.record(known)
        trials = self.history.trials.values()
        self._halfway = deque(t.number for t in trials if t.outcome is None or t.cut)

    def open(self, slots: int, gpus: float) -> None:
        """Record that workers are ready, so the run's time counts; or how many there are now.

        Args:
            slots: How many trials run at once.
            gpus: GPUs per trial.
        """
        kind = Resized if self._opened else Opened
        self.record(kind(self.clock(), slots, gpus))
        self._opened = True

    @property
    def limit(self) -> str:
        """The name of a limit of the run that is reached; empty if none is reached."""
        if self.interruption.signal:
            return "interruption"
        return self.plan.limits.reached(self.history, self.clock() if self._opened else None)

    @property
    def finished(self) -> bool:
        """Whether no further trial will start."""
        if self.limit:
            return True
        return not self._halfway and self._over(self._directive)

    @property
    def recommended(self) -> Trial | None:
        """The trial to hand over now; none before one has finished."""
        recommended = self.recommendation
        return recommended.trial if recommended else None

    @property
    def recommendation(self) -> Recommendation | None:
        """The trial to hand over, and what it was compared with; none before one has finished."""
        return chosen(self.plan.searcher, self.history)

    @property
    def needed(self) -> set[int]:
        """The trials whose checkpoints must be kept: they run, or others may need them."""
        needed = {trial.number for trial in (*self.history.running, *self.history.cut)}
        return needed | self._guidance.kept(self.plan.searcher, self.history)

    def next(self) -> Trial | None:
        """Return the next trial to train; none if there is none now, or if ``finished``.

        A proposal that the history can answer is answered and not returned.

        Raises:
            SearcherError: The searcher raised, or its proposal is not in the space.
            SchedulerError: The scheduler raised too many times in succession.
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
            elif waits(directive, closed=self._closed):
                return None
            elif trial := self._follow(directive):
                return trial
        return None

    def is_fresh(self, trial: Trial) -> bool:
        """Return whether a trial begins now: no process has worked on it before."""
        return trial.number >= self._known and not trial.reports and not trial.retries

    def report(self, report: Report) -> Verdict:
        """Record a report; return whether the trial continues.

        A report that the journal already holds, from a process that was killed, is ignored.
        """
        trial = self.history.trials[report.number]
        if report.epoch <= trial.epoch:
            return Verdict.GO
        report = replace(report, at=self.clock())
        self._failing.trained()
        self.record(report)
        return self._judge(report)

    def fail(self, number: int, reason: str, **more: Any) -> None:
        """Record that a trial ended without a score; ``more`` holds other fields of ``Failed``.

        Raises:
            ConfigError: The first trials all failed for one reason, and the plan sets no
                ``max_failures``; or all were refused.
        """
        failed = Failed(number, reason, **more, at=self.clock())
        self.record(failed)
        self._errors.note(failed)
        if self.plan.limits.max_failures == math.inf and not failed.refused:
            self._failing.failed(failed)
        if failed.refused and only_refusals(self.history):
            self._exhausted = True
            _LOG.warning(
                "the last proposals were all refused before training, so the search ends here"
            )

    def retry(self, number: int, reason: str, remedy: Remedy, **more: Any) -> bool:
        """Let a trial run again, if it may; return whether. The arguments are of ``Retried``."""
        trial = self.history.trials[number]
        if not may_retry(trial, remedy):
            return False
        self.record(Retried(number, reason, remedy, self.clock(), epoch=trial.epoch, **more))
        self._halfway.append(number)
        return True

    def cut(self, number: int) -> None:
        """Record that the limit of the run ended a trial in mid-epoch; it continues on resume."""
        if self.history.trials[number].reports:
            limit = self.limit or "time"
            self.record(Finished(number, stopped=True, at=self.clock(), limit=limit))

    @property
    def confirmed(self) -> Collection[str]:
        """Where in the code errors were raised that are known to be those of networks."""
        return self._errors.places

    def _judge(self, report: Report) -> Verdict:
        """Decide whether a trial continues after the last event, a report; record its end.

        The scheduler is asked before limits are checked, so that its verdict does not depend on
        limits. The time is that of the report, because another process may make the decision.
        """
        if report.epoch >= self.history.trials[report.number].started.epochs:
            self.record(Finished(report.number, at=report.at))
            return Verdict.STOP
        verdict = self._guidance.verdict(report, self.history)
        if isinstance(verdict, Fault):
            self.record(
                Failed(report.number, verdict.reason, verdict.detail, "part", at=report.at)
            )
            return Verdict.STOP
        limit = ""
        if verdict is Verdict.GO:
            limit = self.plan.limits.reached(self.history, report.at)
        if verdict is Verdict.STOP or limit:
            self.record(Finished(report.number, stopped=True, at=report.at, limit=limit))
            return Verdict.STOP
        if self.interruption.signal:  # not recorded: the trial continues when the run is resumed
            return Verdict.STOP
        return verdict

    @property
    def exhausted(self) -> bool:
        """Whether the searcher will probably propose nothing new."""
        return self._exhausted or exhausted(self.history, self.plan.space)

    @property
    def _closed(self) -> bool:
        """Whether no new trials will begin, so that only old ones can continue."""
        return self.exhausted or self.history.trained >= self.plan.trials

    @property
    def _directive(self) -> Directive | Fault:
        return self._guidance.directive(self.history, closed=self._closed)

    def _over(self, directive: Directive | Fault) -> bool:
        """Return whether no further trial will start, given the scheduler's directive."""
        may_resume = isinstance(self.plan.scheduler, Director) and bool(self.history.running)
        if isinstance(directive, Fault):  # see _blame
            may_resume = may_resume or paused_last(self.history) is not None
        elif not (directive is None or isinstance(directive, Begin)):
            return directive is Hold.END
        return self._closed and not may_resume

    def _follow(self, directive: Directive) -> Trial | None:
        """Follow the scheduler's directive; return the trial to train, if there is one."""
        match directive:
            case Resume(number):
                self.record(Resumed(number, self.clock()))
                return self.history.trials[number]
            case Proposal():
                return self._start(directive)
            case _:
                return self._begin(surely=directive is Begin.TRAINED)

    def _blame(self, fault: Fault, faults: int) -> bool:
        """Let the next trial fail because of the scheduler's fault; return whether there is one.

        The next trial is the searcher's proposal or, if no new trials begin, the trial that was
        stopped last. While other trials run, the scheduler may work again after their reports.

        Raises:
            SchedulerError: There were too many faults in succession.
        """
        self._guidance.check_faults(fault, faults)
        if not self._closed:
            self._begin(fault)
            if not self._exhausted:
                return True
        if self.history.running or (paused := paused_last(self.history)) is None:
            return False
        self.record(Resumed(paused.number, self.clock()))
        self.fail(paused.number, fault.reason, detail=fault.detail, cause="part")
        return True

    def _begin(self, fault: Fault | None = None, *, surely: bool = False) -> Trial | None:
        """Begin the searcher's proposal; return it if it is trained. A ``fault`` makes it fail."""
        proposal = suitable(self.plan, self._guidance, self.history, surely=surely)
        if proposal is None:
            self._exhausted = True
            return None
        if fault is not None:
            proposal = replace(proposal, fault=fault)
        return self._start(proposal)

    def _start(self, proposal: Proposal) -> Trial | None:
        plan, number = self.plan, len(self.history.trials)
        started = begin(
            proposal, number, plan.space, epochs=plan.epochs, seed=plan.seed, at=self.clock()
        )
        known = answer(started, self.history)
        self.record(started)
        if known is None:
            return self.history.trials[number]
        self.record(known)
        return None
