"""Where the time of a run went: what was trained, what of it was in vain, what was saved."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raynas.trial import Failed, History, Sitting, Trial


@dataclass(frozen=True, slots=True)
class Share:
    """Training that belongs together.

    Attributes:
        name: Of what: a trial, a worker, epochs up to a rung.
        trials: How many trials took part.
        epochs: Epochs trained.
        seconds: Time spent in them.
    """

    name: str
    trials: int
    epochs: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books of a run, in seconds of one worker unless said otherwise.

    Attributes:
        trained: Spent in epochs, all workers together.
        worked: Spent by processes on the search, all sittings together; wall-clock time.
        held: For how long there were workers, times their number.
        gpu_hours: GPUs held, times hours.
        rungs: Training by the epochs between those after which trials were stopped.
        trials: Training by trial.
        workers: Training by worker process; empty where the journal names none.
        wasted: Training that led to no score, by reason.
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


def ledger(history: History) -> Ledger:
    """Return the books of a run."""
    sittings, trials = history.sittings, [*history.trials.values()]
    trained = [trial for trial in trials if trial.trained and trial.reports]
    return Ledger(
        trained=math.fsum(trial.seconds for trial in trained),
        worked=math.fsum(sitting.seconds for sitting in sittings),
        held=math.fsum(map(_held, sittings)),
        gpu_hours=math.fsum(sitting.gpu_seconds for sitting in sittings) / 3600,
        rungs=list(_by_rung(trained)),
        trials=[Share(str(t.number), 1, len(t.reports), t.seconds) for t in trained],
        workers=list(_by_worker(trained)),
        wasted=_wasted(trials),
        answered=math.fsum(_donor(trial, history) for trial in trials if not trial.trained),
        stopped=spared(history)[1],
    )


def spared(history: History) -> tuple[int, float]:
    """Return the epochs, and about the seconds, that the scheduler has spared by stopping trials.

    A trial that goes on, or in whose place another was trained on, has spared none.
    """
    trials = [*history.trials.values()]
    gone = _superseded(trials)
    epochs, seconds = 0, 0.0
    for trial in trials:
        if trial.resumable and not trial.cut and trial.number not in gone:
            left = trial.started.epochs - trial.epoch
            epochs += left
            seconds += left * trial.seconds / len(trial.reports)
    return epochs, seconds


def _held(sitting: Sitting) -> float:
    return sitting.seconds * sitting.opened.slots


def _by_rung(trained: Sequence[Trial]) -> Iterator[Share]:
    """Divide the epochs after each at which the scheduler has stopped a trial, and the last."""
    stops = {trial.epoch for trial in trained if trial.resumable and not trial.cut}
    first = 1
    for last in sorted(stops | {max((trial.epoch for trial in trained), default=0)}):
        parts = [[r for r in trial.reports if first <= r.epoch <= last] for trial in trained]
        epochs = [report.seconds for part in parts for report in part]
        name = f"{first}" if first == last else f"{first} to {last}"
        if epochs:
            yield Share(name, sum(map(bool, parts)), len(epochs), math.fsum(epochs))
        first = last + 1


def _by_worker(trained: Sequence[Trial]) -> Iterator[Share]:
    by_worker: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for trial in trained:
        for report in trial.reports:
            if report.worker:
                by_worker[report.worker].append((trial.number, report.seconds))
    for worker, parts in sorted(by_worker.items()):
        seconds = math.fsum(spent for _, spent in parts)
        yield Share(worker, len({number for number, _ in parts}), len(parts), seconds)


def _wasted(trials: Sequence[Trial]) -> dict[str, float]:
    wasted = {"failed trials": 0.0, "lost workers": 0.0, "superseded trials": 0.0}
    gone = _superseded(trials)
    for trial in trials:
        if isinstance(trial.outcome, Failed):
            wasted["lost workers" if trial.outcome.lost else "failed trials"] += trial.seconds
        elif trial.number in gone:
            wasted["superseded trials"] += trial.seconds
    return wasted


def _superseded(trials: Sequence[Trial]) -> set[int]:
    """Return the stopped trials whose places were taken by heirs of others, as in PBT."""
    parents: defaultdict[int, set[int | None]] = defaultdict(set)
    for heir in trials:
        if heir.started.inherits:
            parents[heir.started.begin].add(heir.started.parent)
    return {
        trial.number
        for trial in trials
        if trial.resumable and not trial.cut
        if trial.epoch in parents and trial.number not in parents[trial.epoch]
    }


def _donor(trial: Trial, history: History) -> float:
    return history.trials[trial.donor].seconds
