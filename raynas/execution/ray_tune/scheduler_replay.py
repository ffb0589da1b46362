"""Replay a history to a Ray Tune scheduler: with a stub controller and stub trials."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from types import SimpleNamespace
from typing import Any, Final

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import TrialScheduler

from raynas.trial import Failed, Finished, History, Report, Started, Trial, violation

_News = Started | Report | Finished | Failed
_INFEASIBLE: Final = 1e30  # above all losses of trials that keep the constraints


@dataclass(slots=True)
class Controller:
    """A stub of Tune's controller, with the methods that Tune's schedulers call.

    Ended trials are kept, at about 16 kB each: Tune's ``get_trials`` returns them, too, and a
    scheduler may use them. ``HyperBandScheduler`` and ``MedianStoppingRule`` keep them anyway.

    Attributes:
        scheduler: The scheduler.
        stubs: Tune's trials, by the trial numbers of raynas.
    """

    scheduler: TrialScheduler
    stubs: dict[int, TuneTrial] = field(default_factory=dict)

    @property
    def search_alg(self) -> SimpleNamespace:
        """A stub that ignores the calls of ``HyperBandForBOHB`` about paused trials."""
        deaf = SimpleNamespace(on_pause=lambda _: None, on_unpause=lambda _: None)
        return SimpleNamespace(searcher=deaf)

    def get_trials(self) -> list[TuneTrial]:
        """Return all trials."""
        return [*self.stubs.values()]

    def get_live_trials(self) -> set[TuneTrial]:
        """Return the trials that have not ended."""
        return {stub for stub in self.stubs.values() if not stub.is_finished()}

    def add(self, number: int) -> None:
        """Add a trial that has not begun, if it does not exist yet."""
        if number not in self.stubs:
            stub = TuneTrial("raynas", stub=True, trial_id=f"raynas-{number}")
            self.stubs[number] = stub
            self.scheduler.on_trial_add(self, stub)

    def pause_trial(self, trial: TuneTrial, should_checkpoint: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - Tune's
        """Pause a trial."""
        trial.set_status(TuneTrial.PAUSED)

    def stop_trial(self, trial: TuneTrial) -> None:
        """End a trial, and call the scheduler's method for the trial's state."""
        if trial.is_finished():
            return
        if trial.status == TuneTrial.RUNNING:
            self.scheduler.on_trial_complete(self, trial, trial.last_result)
        else:
            self.scheduler.on_trial_remove(self, trial)
        trial.set_status(TuneTrial.TERMINATED)


class SchedulerReplay:
    """Passes the new events of a history to a scheduler."""

    def __init__(self, scheduler: TrialScheduler) -> None:
        """Begin without events.

        Args:
            scheduler: A new scheduler, with its metric and mode set.
        """
        self._scheduler = scheduler
        self._controller = Controller(scheduler)
        self._begun = 0
        self._reports: dict[int, int] = {}  # reports passed so far, of trials that may have more

    def follow(self, history: History) -> Mapping[int, TuneTrial]:
        """Pass the new events in the order of their times; return Tune's trials by number.

        The status of a trial is the scheduler's decision about its last report. A paused trial
        gets the status running again when it runs again in the history.
        """
        numbers = [*self._reports, *range(self._begun, len(history.trials))]
        news = [dated for number in numbers for dated in self._news(history.trials[number])]
        for _, told in sorted(news, key=lambda dated: dated[0]):
            self._tell(told, history)
        unjudged = history.last.number if isinstance(history.last, Report) else None
        for number in [*self._reports]:
            stub, trial = self._controller.stubs[number], history.trials[number]
            if stub.is_finished():
                del self._reports[number]
            elif (trial.outcome is None or trial.cut) and number != unjudged:
                stub.set_status(TuneTrial.RUNNING)
        return self._controller.stubs

    def choose(self, history: History, *, closed: bool) -> TuneTrial | None:
        """Return the trial that the scheduler runs next: a paused one, a new one, or none.

        A chosen trial that was paused after its last epoch has nothing left to train; it is
        ended, and the scheduler chooses again.

        Args:
            history: The history, all of it passed to the scheduler.
            closed: Whether no new trial will begin.
        """
        if not closed:
            self._controller.add(self._begun)
        elif ahead := self._controller.stubs.get(self._begun):
            self._controller.stop_trial(ahead)
            del self._controller.stubs[self._begun]
        while chosen := self._scheduler.choose_trial_to_run(self._controller):
            if chosen.status != TuneTrial.PAUSED or history.trials[number_of(chosen)].resumable:
                return chosen
            chosen.set_status(TuneTrial.RUNNING)
            self._controller.stop_trial(chosen)
        return None

    def _news(self, trial: Trial) -> Iterator[tuple[float, _News]]:
        """Yield the new events of a trial, in order, with times that never decrease."""
        news: list[_News] = [trial.started] if trial.number >= self._begun else []
        if trial.trained:
            news += trial.reports[self._reports.get(trial.number, 0) :]
        if trial.outcome is not None and not trial.cut:
            news.append(trial.outcome)
        yield from zip(accumulate((one.at for one in news), max), news, strict=True)

    def _tell(self, news: _News, history: History) -> None:
        trial = history.trials[news.number]
        if isinstance(news, Started):
            self._begin(trial)
            return
        stub = self._controller.stubs[trial.number]
        match news:
            case Report():
                self._reports[trial.number] += 1
                if not stub.is_finished():
                    self._report(stub, _result(news, history))
            case Finished() if stub.status != TuneTrial.PAUSED:
                self._controller.stop_trial(stub)
            case Failed() if not stub.is_finished():
                self._scheduler.on_trial_error(self._controller, stub)
                stub.set_status(TuneTrial.ERROR)

    def _begin(self, trial: Trial) -> None:
        """Begin a trial (set it running if it is trained), and add the next one."""
        self._begun, self._reports[trial.number] = trial.number + 1, 0
        self._controller.add(trial.number)
        if trial.trained:
            self._controller.stubs[trial.number].set_status(TuneTrial.RUNNING)
        self._controller.add(trial.number + 1)

    def _report(self, stub: TuneTrial, result: dict[str, Any]) -> None:
        stub.set_status(TuneTrial.RUNNING)
        decision = self._scheduler.on_trial_result(self._controller, stub, result)
        stub.update_last_result(result)
        if decision == TrialScheduler.PAUSE:
            self._controller.pause_trial(stub)
        elif decision == TrialScheduler.STOP:
            self._controller.stop_trial(stub)


def number_of(stub: TuneTrial) -> int:
    """Return the trial number of one of Tune's trials."""
    return int(stub.trial_id.rpartition("-")[2])


def _result(report: Report, history: History) -> dict[str, Any]:
    """Return a report as a Tune result; the trial may have later reports.

    Tune compares one number, so what breaks the constraints gets a large one (Deb, 2000, eq. 4).
    """
    reports = history.trials[report.number].reports
    loss = history.objectives[0].loss(report.metrics)
    if broken := violation(history.constraints, report.metrics):
        loss = _INFEASIBLE * (1 + broken)
    spent = math.fsum(reports.seconds[: bisect_right(reports.epochs, report.epoch)])
    return {
        **report.metrics,
        "loss": loss,
        "epoch": report.epoch,
        "training_iteration": report.epoch,
        "time_this_iter_s": report.seconds,
        "time_total_s": spent,
        "trial_id": f"raynas-{report.number}",
    }
