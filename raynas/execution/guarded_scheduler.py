"""Call a scheduler; its errors are recorded as faults, which end trials, not the run."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from raynas.errors import ConfigError, SchedulerError
from raynas.rng import proposal_rng
from raynas.schedulers import Begin, Directive, Director, Hold, Resume, Scheduler, Verdict
from raynas.searchers import Keeper, Searcher
from raynas.searchers.wrapper import keeper
from raynas.space import Space
from raynas.trial import Fault, History, Proposal, Report, Trial

_FAULTS: Final = 5  # in succession, after which a scheduler is not asked any more
_LOG = logging.getLogger("raynas")


@dataclass(slots=True)
class GuardedScheduler:
    """Calls the scheduler of one run and checks its answers.

    Attributes:
        scheduler: The scheduler.
        space: The run's search space.
        seed: The run's seed.
    """

    scheduler: Scheduler
    space: Space
    seed: int
    _warned: set[str] = field(init=False, default_factory=set)
    _faults: int = field(init=False, default=0)  # of verdicts, in succession
    _fault: Fault | None = field(init=False, default=None)

    def verdict(self, report: Report, history: History) -> Verdict | Fault:
        """Return whether the trial of a report, the last event, continues."""
        said = self._decided(report, history)
        self._fault = said if isinstance(said, Fault) else None
        self._faults = self._faults + 1 if self._fault else 0
        return said

    def check_faults(self, fault: Fault | None = None, faults: int = 0) -> None:
        """End the run if the scheduler does nothing but raise.

        Args:
            fault: The last fault of its directives; none to look at its verdicts.
            faults: How many there were in succession.

        Raises:
            SchedulerError: There were too many.
        """
        fault, faults = (fault, faults) if fault else (self._fault, self._faults)
        if fault and faults > _FAULTS:
            raise SchedulerError(
                f"{fault.reason} ({faults} times in succession): correct "
                f"{_called(self.scheduler)}, then resume the run"
            )

    def _decided(self, report: Report, history: History) -> Verdict | Fault:
        try:
            said = self.scheduler.decide(report, history)
        except Exception as error:  # noqa: BLE001 - a scheduler may be a user's and raise anything
            return _fault(error)
        if not isinstance(said, Verdict):
            return Fault(f"the scheduler must return a Verdict, got {said!r}")
        return said

    def directive(self, history: History, *, closed: bool) -> Directive | Fault:
        """Return what to do next; none if the searcher decides it."""
        if not isinstance(self.scheduler, Director):
            return None
        rng = proposal_rng(self.seed, len(history.trials))
        try:
            said = self.scheduler.direct(history, self.space, rng, closed=closed)
            self._check(said, history)
        except Exception as error:  # noqa: BLE001 - likewise
            return _fault(error, " when it was asked what to train next")
        return said

    def check(self, proposal: Proposal, epochs: int) -> None:
        """Check that a searcher's proposal for a run of so many epochs suits the scheduler.

        Raises:
            ConfigError: The proposed trial is shorter, and the scheduler needs full length.
        """
        short = proposal.epochs is not None and proposal.epochs < epochs
        if short and getattr(self.scheduler, "one_length", False):
            raise ConfigError(
                f"it proposes a trial of {proposal.epochs} epochs, but must propose {epochs} "
                f"epochs: {self.scheduler!r} decides how long trials are trained"
            )

    def kept(self, searcher: Searcher, history: History) -> set[int]:
        """Return the trials whose checkpoints the scheduler and the searcher may need.

        If one of them raises, all checkpoints that it could need are kept. The best trial is
        needed if it inherited weights, because it is handed over with its own weights.
        """
        best = history.best
        kept = {best.number} if best and best.started.inherits else set()
        if isinstance(self.scheduler, Director):
            kept |= self._asked("scheduler", self.scheduler, history, lambda one: one.resumable)
        if (keeps := keeper(searcher)) is not None:
            kept |= self._asked("searcher", keeps, history, lambda one: one.trained)
        return kept

    def _asked(
        self,
        who: str,
        part: Director | Keeper,
        history: History,
        otherwise: Callable[[Trial], bool],
    ) -> set[int]:
        try:
            return set(part.keeps(history))
        except Exception as error:  # noqa: BLE001 - likewise
            if who not in self._warned:
                self._warned.add(who)
                said = "all checkpoints are kept, because the %s raised %s: %s"
                _LOG.warning(said, who, type(error).__name__, error, exc_info=error)
            return {trial.number for trial in history.trials.values() if otherwise(trial)}

    def _check(self, said: Any, history: History) -> None:
        """Check that a directive can be followed.

        Raises:
            SchedulerError: The directive cannot be followed.
            SpaceError: It proposes an architecture that is not in the space.
        """
        match said:
            case None | Begin() | Hold.END:
                return
            case Hold.WAIT:
                if not history.running:
                    raise SchedulerError("waits for trials, but none is running")
            case Resume(number):
                if number not in history.trials or not history.trials[number].resumable:
                    raise SchedulerError(f"resumes trial {number}, which it had not stopped")
            case Proposal(architecture=architecture, parent=parent):
                self.space.architecture(architecture)
                if parent is not None and parent not in history.trials:
                    raise SchedulerError(
                        f"names trial {parent} as a parent, but there is no such trial"
                    )
            case _:
                raise SchedulerError(f"must return a Directive, got {said!r}")


def _called(scheduler: Scheduler) -> str:
    """Return the name of a scheduler in messages: its options if it shows them, or its class."""
    plain = type(scheduler).__repr__ is object.__repr__
    return type(scheduler).__name__ if plain else repr(scheduler)


def _fault(error: Exception, when: str = "") -> Fault:
    """Return the fault of a scheduler that raised; ``when`` says what it was asked."""
    if isinstance(error, SchedulerError):  # it did not raise, see ``GuardedScheduler``
        return Fault(f"the scheduler {error}")
    said = f"the scheduler raised {type(error).__name__}{when}: {error}"
    return Fault(said, traceback.format_exc())


def paused_last(history: History) -> Trial | None:
    """Return the resumable trial that was stopped last; none if there is no such trial."""
    paused = (trial for trial in history.trials.values() if trial.resumable)
    return max(paused, key=lambda t: (t.outcome.at if t.outcome else 0, t.number), default=None)


def waits(directive: Directive, *, closed: bool) -> bool:
    """Return whether no trial starts now; in a run that is ``closed``, none begins."""
    begins = not isinstance(directive, Resume | Proposal)
    return isinstance(directive, Hold) or (closed and begins)
