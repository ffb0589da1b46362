"""Asking a scheduler, whose faults are data: they end trials, never the run."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass, field
from typing import Any, Final

from raynas.errors import ConfigError, SchedulerError
from raynas.rng import proposal_rng
from raynas.schedulers import Begin, Directive, Director, Hold, Resume, Scheduler, Verdict
from raynas.searchers import Keeper, Searcher
from raynas.space import Space
from raynas.trial import Fault, History, Proposal, Report, Trial

_FAULTS: Final = 5  # in a row, after which a scheduler is not asked any more
_LOG = logging.getLogger("raynas")


@dataclass(slots=True)
class GuardedScheduler:
    """What a scheduler says of one run.

    Attributes:
        scheduler: Whom to ask.
        space: Where the run's architectures live.
        seed: The run's seed.
    """

    scheduler: Scheduler
    space: Space
    seed: int
    _warned: set[str] = field(init=False, default_factory=set)
    _faults: int = field(init=False, default=0)  # of verdicts, in a row
    _fault: Fault | None = field(init=False, default=None)

    def verdict(self, report: Report, history: History) -> Verdict | Fault:
        """Return whether the trial of a report, the last event, goes on."""
        said = self._decided(report, history)
        self._fault = said if isinstance(said, Fault) else None
        self._faults = self._faults + 1 if self._fault else 0
        return said

    def check_faults(self, fault: Fault | None = None, faults: int = 0) -> None:
        """Give a scheduler up that does nothing but raise.

        Args:
            fault: The last that was wrong with its directives; none to look at its verdicts.
            faults: How many there were in a row.

        Raises:
            SchedulerError: This is one fault too many.
        """
        fault, faults = (fault, faults) if fault else (self._fault, self._faults)
        if fault and faults > _FAULTS:
            raise SchedulerError(
                f"{fault.reason}, {faults} times in a row; mend {_called(self.scheduler)} and "
                "take the run up again"
            )

    def _decided(self, report: Report, history: History) -> Verdict | Fault:
        try:
            said = self.scheduler.decide(report, history)
        except Exception as error:  # noqa: BLE001 - a scheduler may be a user's and raise anything
            return _fault(error)
        if not isinstance(said, Verdict):
            return Fault(f"the scheduler must decide on a Verdict, and said {said!r}")
        return said

    def directive(self, history: History, *, closed: bool) -> Directive | Fault:
        """Return what comes next; none if the scheduler leaves that to the searcher."""
        if not isinstance(self.scheduler, Director):
            return None
        rng = proposal_rng(self.seed, len(history.trials))
        try:
            said = self.scheduler.direct(history, self.space, rng, closed=closed)
            self._check(said, history)
        except Exception as error:  # noqa: BLE001 - likewise
            return _fault(error, ", asked what comes next,")
        return said

    def check(self, proposal: Proposal, epochs: int) -> None:
        """See that a searcher's proposal for a run of so many epochs suits the scheduler.

        Raises:
            ConfigError: It is for a shorter trial, of which the scheduler makes no sense.
        """
        short = proposal.epochs is not None and proposal.epochs < epochs
        if short and getattr(self.scheduler, "one_length", False):
            raise ConfigError(
                f"it proposes a trial of {proposal.epochs} epochs where the run has {epochs}, and "
                f"{self.scheduler!r} decides itself how long trials are trained"
            )

    def kept(self, searcher: Searcher, history: History) -> set[int]:
        """Return the trials whose checkpoints the scheduler and the searcher may need.

        Where one of them raises, that is all there might be.
        """
        kept: set[int] = set()
        trials = history.trials.values()
        if isinstance(self.scheduler, Director):
            paused = {trial.number for trial in trials if trial.resumable}
            kept |= self._asked("scheduler", self.scheduler, history, paused)
        if isinstance(searcher, Keeper):
            trained = {trial.number for trial in trials if trial.trained}
            kept |= self._asked("searcher", searcher, history, trained)
        return kept

    def _asked(
        self, who: str, part: Director | Keeper, history: History, otherwise: set[int]
    ) -> set[int]:
        try:
            return set(part.keeps(history))
        except Exception as error:  # noqa: BLE001 - likewise
            if who not in self._warned:
                self._warned.add(who)
                said = "the %s, asked which checkpoints to keep, raised %s: %s; all are kept"
                _LOG.warning(said, who, type(error).__name__, error, exc_info=error)
            return otherwise

    def _check(self, said: Any, history: History) -> None:
        """See that a directive can be followed.

        Raises:
            SchedulerError: It cannot.
            SpaceError: It proposes what is not in the space.
        """
        match said:
            case None | Begin() | Hold.END:
                return
            case Hold.WAIT:
                if not history.running:
                    raise SchedulerError("waits for trials, and none is running")
            case Resume(number):
                if number not in history.trials or not history.trials[number].resumable:
                    raise SchedulerError(f"takes up trial {number}, which it had not stopped")
            case Proposal(architecture=architecture, parent=parent):
                self.space.architecture(architecture)
                if parent is not None and parent not in history.trials:
                    raise SchedulerError(f"names trial {parent} as a parent, and there is none")
            case _:
                raise SchedulerError(f"must say a Directive, and said {said!r}")


def _called(scheduler: Scheduler) -> str:
    """Return what people know a scheduler by: its options if it shows them, or its class."""
    plain = type(scheduler).__repr__ is object.__repr__
    return type(scheduler).__name__ if plain else repr(scheduler)


def _fault(error: Exception, asked: str = "") -> Fault:
    """Return what a scheduler that was ``asked`` something has raised."""
    if isinstance(error, SchedulerError):  # it did not raise, see ``GuardedScheduler``
        return Fault(f"the scheduler{asked} {error}")
    said = f"the scheduler{asked} raised {type(error).__name__}: {error}"
    return Fault(said, traceback.format_exc())


def paused_last(history: History) -> Trial | None:
    """Return the trial that was stopped last, of those that could go on; none if there is none."""
    paused = (trial for trial in history.trials.values() if trial.resumable)
    return max(paused, key=lambda t: (t.outcome.at if t.outcome else 0, t.number), default=None)
