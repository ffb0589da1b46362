"""The time that a run used: for training, for training that was wasted, and what it saved."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeVar

from raynas.insight.lineage import lasting, replaced
from raynas.trial import Failed, History, Retried, Session, Trial

Key = TypeVar("Key", int, str)

_UNKNOWN: Final = "not known"  # the name of a worker that the journal does not name


@dataclass(frozen=True, slots=True)
class Share:
    """The training of one trial, by one worker, or between two rungs.

    Attributes:
        name: The trial, the worker or the range of epochs.
        trials: The number of trials in it.
        epochs: The number of complete epochs.
        seconds: The time, including epochs that failed.
    """

    name: str
    trials: int
    epochs: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Totals:
    """The times of a run, in seconds of one worker unless another unit is given.

    Wasted time is a part of ``trained``, saved time is not.

    Attributes:
        trained: The time spent in epochs, including failed ones, summed over all workers.
        worked: The wall-clock time of the search, summed over all sessions.
        held: The wall-clock time of each session times its number of workers, summed.
        gpu_hours: The number of reserved GPUs times the hours, summed.
        wasted: The training whose result is lost, by reason. Training is not lost if another
            trial has inherited its weights.
        answered: The training time that was saved because the journal had the results.
        stopped: The estimated training time that was saved by stopping trials early.
    """

    trained: float
    worked: float
    held: float
    gpu_hours: float
    wasted: Mapping[str, float]
    answered: float
    stopped: float

    @property
    def utilisation(self) -> float | None:
        """The fraction of ``held`` in which workers trained; none if ``held`` is not known."""
        return min(self.trained / self.held, 1.0) if self.held else None


@dataclass(frozen=True, slots=True)
class Ledger(Totals):
    """The times of a run, and who used them.

    The shares by rung, by trial and by worker divide the same time in three ways; each sums to
    ``trained``.

    Attributes:
        rungs: The training between the epochs after which trials were stopped.
        trials: The training of each trial.
        workers: The training of each worker process; empty if the journal names no workers.
    """

    rungs: Sequence[Share]
    trials: Sequence[Share]
    workers: Sequence[Share]

    def as_data(self) -> dict[str, Any]:
        """Return the ledger as data for JSON."""
        return {"utilisation": self.utilisation, **asdict(self)}


def totals(history: History, paused_trials: Collection[int] = ()) -> Totals:
    """Return the times of a run without their shares, which take longer to compute.

    Args:
        history: All events of the run.
        paused_trials: The paused trials. They may continue, so stopping them saved nothing.
    """
    sessions, trials = history.sessions, history.trials.values()
    return Totals(
        trained=math.fsum(trial.seconds for trial in trials),
        worked=math.fsum(session.seconds for session in sessions),
        held=math.fsum(map(_held, sessions)),
        gpu_hours=math.fsum(session.gpu_seconds for session in sessions) / 3600,
        wasted=_wasted(history),
        answered=math.fsum(_donor(trial, history) for trial in trials if not trial.trained),
        stopped=spared(history, paused_trials)[1],
    )


def ledger(history: History, paused_trials: Collection[int] = ()) -> Ledger:
    """Return the ledger of a run; for the arguments see ``totals``."""
    trials = [*history.trials.values()]
    spells = [spell for trial in trials for spell in _spells(trial)]
    whole = totals(history, paused_trials)
    return Ledger(
        **{field.name: getattr(whole, field.name) for field in fields(Totals)},
        rungs=list(_by_rung(trials, spells)),
        trials=list(_by_trial(spells)),
        workers=list(_by_worker(spells)),
    )


def spared(history: History, paused_trials: Collection[int] = ()) -> tuple[int, float]:
    """Return the epochs and the estimated seconds that were saved by stopping trials early.

    A trial that continued, or that another trial replaced, saved nothing.

    Args:
        history: All events of the run.
        paused_trials: As for ``ledger``.
    """
    going_on = replaced(history).union(paused_trials)
    epochs, seconds = 0, 0.0
    for trial in history.trials.values():
        if trial.resumable and not trial.cut and trial.number not in going_on:
            left = trial.started.epochs - trial.epoch
            epochs += left
            seconds += left * math.fsum(trial.reports.seconds) / len(trial.reports)
    return epochs, seconds


@dataclass(frozen=True, slots=True)
class _Spell:
    """A period of work: an epoch, or a part of an epoch that failed."""

    trial: int
    epoch: int
    seconds: float
    worker: str
    whole: bool


def _spells(trial: Trial) -> Iterator[_Spell]:
    if not trial.trained:
        return
    reports, number = trial.reports, trial.number
    for epoch, seconds, worker in zip(
        reports.epochs, reports.seconds, reports.workers, strict=True
    ):
        yield _Spell(number, epoch, seconds, worker, whole=True)
    following = min(trial.epoch + 1, trial.started.epochs)  # the epoch that failed
    for spell in trial.lost:
        epoch = following
        if isinstance(spell, Retried):  # the epoch that was started again
            later = (report.epoch for report in reports if report.at > spell.at)
            epoch = next(later, following)
        if spell.seconds:
            yield _Spell(number, epoch, spell.seconds, spell.worker, whole=False)


def _share(name: str, spells: Sequence[_Spell]) -> Share:
    trials, epochs = {spell.trial for spell in spells}, sum(spell.whole for spell in spells)
    return Share(name, len(trials), epochs, _seconds(spells))


def _seconds(spells: Sequence[_Spell]) -> float:
    return math.fsum(spell.seconds for spell in spells)


def _held(session: Session) -> float:
    return session.seconds * session.opened.slots


def _by_rung(trials: Sequence[Trial], spells: Sequence[_Spell]) -> Iterator[Share]:
    """Yield the training between the epochs after which the scheduler has stopped trials."""
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
    """Return the wasted seconds by reason; work before a retry counts as "retries"."""
    wasted = dict.fromkeys(("failed trials", "lost workers", "superseded trials", "retries"), 0.0)
    until = lasting(history)
    for trial in history.trials.values():
        reason = "superseded trials"  # trials that did not fail lose training only if replaced
        if isinstance(trial.outcome, Failed):
            circumstances = trial.outcome.cause == "circumstances"
            reason = "lost workers" if circumstances else "failed trials"
        for spell in trial.lost:
            wasted["retries" if isinstance(spell, Retried) else reason] += spell.seconds
        if trial.trained and trial.epoch > until[trial.number]:
            for epoch, seconds in zip(trial.reports.epochs, trial.reports.seconds, strict=True):
                wasted[reason] += seconds if epoch > until[trial.number] else 0.0
    return wasted


def _donor(trial: Trial, history: History) -> float:
    return history.trials[trial.donor].seconds
