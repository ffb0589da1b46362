"""Where the time of a run went: what was trained, what of it was in vain, what was saved."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

from raynas.insight.lineage import lasting, replaced
from raynas.trial import Failed, History, Report, Retried, Session, Trial

Key = TypeVar("Key", int, str)

_UNKNOWN: Final = "not known"  # of a worker


@dataclass(frozen=True, slots=True)
class Share:
    """Training that belongs together.

    Attributes:
        name: Of what: a trial, a worker, epochs up to a rung.
        trials: How many trials took part.
        epochs: Epochs trained to their end.
        seconds: Time spent, in epochs that failed too.
    """

    name: str
    trials: int
    epochs: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books of a run, in seconds of one worker unless said otherwise.

    Training by rung, by trial and by worker are three views of the same seconds, and each adds up
    to ``trained``; what was wasted is a part of them, what was saved is not.

    Attributes:
        trained: Spent in epochs, those that failed among them, all workers together.
        worked: Spent by processes on the search, all sessions together; wall-clock time.
        held: For how long there were workers, times their number.
        gpu_hours: GPUs held, times hours.
        rungs: Training by the epochs between those after which trials were stopped.
        trials: Training by trial.
        workers: Training by worker process; empty where the journal names none.
        wasted: Training of which nothing is left, by reason; what an heir has taken over from a
            trial that failed or was replaced is not wasted.
        answered: What training would have taken that was answered from the journal.
        stopped: About what training would have taken that stopping early has spared.
    """

    trained: float
    worked: float
    held: float
    gpu_hours: float
    rungs: Sequence[Share]
    trials: Sequence[Share]
    workers: Sequence[Share]
    wasted: Mapping[str, float]
    answered: float
    stopped: float

    @property
    def utilisation(self) -> float | None:
        """Share of the time that workers were there in which they trained; none if unknown."""
        return min(self.trained / self.held, 1.0) if self.held else None

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {"utilisation": self.utilisation, **asdict(self)}


def ledger(history: History, paused_trials: Collection[int] = ()) -> Ledger:
    """Return the books of a run.

    Args:
        history: What happened.
        paused_trials: The trials that are paused and may yet go on: these have spared nothing.
    """
    sessions, trials = history.sessions, [*history.trials.values()]
    spells = [spell for trial in trials for spell in _spells(trial)]
    return Ledger(
        trained=math.fsum(spell.seconds for spell in spells),
        worked=math.fsum(session.seconds for session in sessions),
        held=math.fsum(map(_held, sessions)),
        gpu_hours=math.fsum(session.gpu_seconds for session in sessions) / 3600,
        rungs=list(_by_rung(trials, spells)),
        trials=list(_by_trial(spells)),
        workers=list(_by_worker(spells)),
        wasted=_wasted(history),
        answered=math.fsum(_donor(trial, history) for trial in trials if not trial.trained),
        stopped=spared(history, paused_trials)[1],
    )


def spared(history: History, paused_trials: Collection[int] = ()) -> tuple[int, float]:
    """Return the epochs, and about the seconds, that the scheduler has spared by stopping trials.

    A trial that goes on, or in whose place another was trained on, has spared none.

    Args:
        history: What happened.
        paused_trials: As for ``ledger``.
    """
    going_on = replaced(history).union(paused_trials)
    epochs, seconds = 0, 0.0
    for trial in history.trials.values():
        if trial.resumable and not trial.cut and trial.number not in going_on:
            left = trial.started.epochs - trial.epoch
            epochs += left
            seconds += left * _seconds(trial.reports) / len(trial.reports)
    return epochs, seconds


@dataclass(frozen=True, slots=True)
class _Spell:
    """A stretch of work: an epoch, or less that led to nothing."""

    trial: int
    epoch: int
    seconds: float
    worker: str
    whole: bool


def _spells(trial: Trial) -> Iterator[_Spell]:
    following = min(trial.epoch + 1, trial.started.epochs)  # the one that failed
    for spell in trial.spells:
        epoch, whole = following, False
        if isinstance(spell, Report):
            epoch, whole = spell.epoch, True
        elif isinstance(spell, Retried):  # the one that was begun again
            later = (report.epoch for report in trial.reports if report.at > spell.at)
            epoch = next(later, following)
        if whole or spell.seconds:
            yield _Spell(trial.number, epoch, spell.seconds, spell.worker, whole)


def _share(name: str, spells: Sequence[_Spell]) -> Share:
    trials, epochs = {spell.trial for spell in spells}, sum(spell.whole for spell in spells)
    return Share(name, len(trials), epochs, _seconds(spells))


def _seconds(spells: Sequence[_Spell | Report]) -> float:
    return math.fsum(spell.seconds for spell in spells)


def _held(session: Session) -> float:
    return session.seconds * session.opened.slots


def _by_rung(trials: Sequence[Trial], spells: Sequence[_Spell]) -> Iterator[Share]:
    """Divide the epochs after each at which the scheduler has stopped a trial, and the last."""
    stops = {trial.epoch for trial in trials if trial.resumable and not trial.cut}
    first = 1
    for last in sorted(stops | {max((spell.epoch for spell in spells), default=0)}):
        part = [spell for spell in spells if first <= spell.epoch <= last]
        if part:
            yield _share(f"{first}" if first == last else f"{first} to {last}", part)
        first = last + 1


def _by_trial(spells: Sequence[_Spell]) -> Iterator[Share]:
    for trial, part in _grouped(spells, lambda spell: spell.trial):
        yield _share(str(trial), part)


def _by_worker(spells: Sequence[_Spell]) -> Iterator[Share]:
    if any(spell.worker for spell in spells):
        for worker, part in sorted(_grouped(spells, lambda spell: spell.worker or _UNKNOWN)):
            yield _share(worker, part)


def _grouped(
    spells: Sequence[_Spell], key: Callable[[_Spell], Key]
) -> Iterable[tuple[Key, list[_Spell]]]:
    groups: defaultdict[Key, list[_Spell]] = defaultdict(list)
    for spell in spells:
        groups[key(spell)].append(spell)
    return groups.items()


def _wasted(history: History) -> dict[str, float]:
    """Add up what did not last; what was begun again, of whatever trial, is a reason by itself."""
    wasted = dict.fromkeys(("failed trials", "lost workers", "superseded trials", "retries"), 0.0)
    until = lasting(history)
    for trial in history.trials.values():
        reason = "superseded trials"  # of those that did not fail, only these do not last
        if isinstance(trial.outcome, Failed):
            circumstances = trial.outcome.cause == "circumstances"
            reason = "lost workers" if circumstances else "failed trials"
        for spell in trial.spells:
            if isinstance(spell, Retried):
                wasted["retries"] += spell.seconds
            elif isinstance(spell, Failed) or spell.epoch > until[trial.number]:
                wasted[reason] += spell.seconds
    return wasted


def _donor(trial: Trial, history: History) -> float:
    return history.trials[trial.donor].seconds
