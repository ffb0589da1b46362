"""One trial as text and as data: what was decided, how well it did, and how and why it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from raynas.errors import ConfigError
from raynas.insight.estimates import WIDTH
from raynas.insight.leaderboard import records, rows
from raynas.insight.text.drawing import draw as draw_decisions
from raynas.insight.text.sparkline import sparkline
from raynas.insight.wording import duration, metric, plural
from raynas.space import Architecture
from raynas.trial import Failed, Finished, History, Retried, Trial, codec

_CURVE: Final = 24  # characters of a curve
_SAME: Final = 8  # trials of the same network that are named
_REMEDIES: Final = {
    "gpu": "a whole GPU",
    "node": "a whole node",
    "other_node": "another node",
    "worker": "a new worker",
}
_BLAMED: Final = {
    "architecture": "the architecture is to blame: the same network would fail again",
    "circumstances": "its circumstances are to blame, such as a lost worker",
    "part": "a part of the run is to blame: a scheduler or a proxy raised an error",
}
Draw = Callable[[Architecture], str]


def found(history: History, number: int) -> Trial:
    """Return the trial of a number.

    Raises:
        ConfigError: There is no such trial.
    """
    if number not in history.trials:
        has = f"it has the trials 0 to {max(history.trials)}" if history.trials else "it has none"
        raise ConfigError(f"a trial of this run must be named, got {number}: {has}")
    return history.trials[number]


def trial_lines(history: History, number: int, draw: Draw) -> Iterator[str]:
    """Yield a trial in lines of text.

    Args:
        history: All events of the run.
        number: The number of the trial.
        draw: Returns its network as text.

    Raises:
        ConfigError: There is no such trial.
    """
    trial = found(history, number)
    row = next(one for one in rows(history) if one["trial"] == number)
    rank = f", rank {row['rank']} of {len(history.trials)}" if row["rank"] else ""
    yield f"trial {number}{rank}{', the winner' if row['winner'] else ''}"
    for label, text in (*_facts(history, trial),):
        yield f"  {label:9}  {text}"
    yield "\ndecisions"
    yield from (f"  {line}" for line in draw_decisions(trial.architecture).splitlines())
    yield "\nnetwork"
    yield from (f"  {line}" for line in draw(trial.architecture).splitlines())
    if trial.reports:
        yield f"\nmetrics after epoch {trial.epoch}"
        yield from _metrics(trial)
    if isinstance(trial.outcome, Failed) and trial.outcome.detail:
        yield "\ntraceback"
        yield from (f"  {line}" for line in trial.outcome.detail.rstrip().splitlines())


def trial_record(history: History, number: int) -> dict[str, Any]:
    """Return a trial for JSON: its row of the leaderboard, and its events as in the journal.

    Raises:
        ConfigError: There is no such trial.
    """
    trial = found(history, number)
    row = next(one for one in rows(history) if one["trial"] == number)
    outcome = codec.to_data(trial.outcome) if trial.outcome else None
    return {
        **records([row])[0],
        "started": codec.to_data(trial.started),
        "reports": [codec.to_data(report) for report in trial.reports],
        "retries": [codec.to_data(retry) for retry in trial.retries],
        "outcome": outcome,
    }


def end_of(trial: Trial) -> str:
    """Return how and why a trial ended, in one line."""
    reached = f"epoch {trial.epoch} of {trial.started.epochs}"
    match trial.outcome:
        case None:
            return (
                f"running, after {reached}" if trial.epoch else "running, before its first epoch"
            )
        case Failed(reason=reason, cause=cause, answered_by=source):
            if source is not None:
                return f"failed, not trained: trial {source} of the same network failed: {reason}"
            return f"failed after {reached}: {reason}; {_BLAMED[cause]}"
        case Finished(answered_by=int(source)):
            return f"not trained: it has the reports of trial {source}, which is the same network"
        case Finished(limit=str(limit)) if limit:
            return f"stopped after {reached} by a limit of the run: {limit}"
        case Finished(stopped=True):
            return f"stopped by the scheduler after {reached}"
    return f"finished after {reached}"


def _facts(history: History, trial: Trial) -> Iterator[tuple[str, str]]:
    started = trial.started
    yield "ended" if trial.outcome else "now", end_of(trial)
    for retry in trial.retries:
        yield "retried", _retried(retry)
    if started.parent is not None:
        yield "parent", _parent(history, trial)
    if started.inherits:
        begin = plural(started.begin, "epoch")
        yield "inherited", f"the weights of trial {started.parent}, which count as {begin}"
    if started.replaces is not None:
        yield "replaced", f"trial {started.replaces}, which was stopped for it"
    if started.screening.mode:
        yield "screened", _screened(trial)
    began = datetime.fromtimestamp(started.at, UTC)
    epochs = plural(len(trial.reports) if trial.trained else 0, "epoch")
    yield "time", f"{duration(trial.seconds)} for {epochs}, begun {began:%Y-%m-%d %H:%M:%S} UTC"
    workers = dict.fromkeys(filter(None, trial.reports.workers if trial.trained else ()))
    if workers:
        yield "worker", ", ".join(workers)
    yield "identity", _identity(history, trial)
    division = f", division {started.division} of the data" if started.division else ""
    yield "seed", f"{started.seed}{division}"


def _retried(retry: Retried) -> str:
    lost = f", {duration(retry.seconds)} lost" if retry.seconds else ""
    return f"with {_REMEDIES[retry.remedy]}{lost}: {retry.reason}"


def _parent(history: History, trial: Trial) -> str:
    parent = history.trials[trial.started.parent or 0]
    mine, its = trial.architecture, parent.architecture
    other = [path for path in (*mine, *its) if mine.get(path) != its.get(path)]
    names = ", ".join(dict.fromkeys(other))
    return f"trial {parent.number}; {f'other: {names}' if names else 'equal decisions'}"


def _screened(trial: Trial) -> str:
    screening = trial.started.screening
    scores = ", ".join(f"{name} {score:.4g}" for name, score in screening.scores.items())
    said = {"chosen": "chosen by proxies", "blind": "not chosen by proxies, to test them"}
    mode = said.get(screening.mode, "proxies were switched off")
    dropped = f"; {plural(screening.dropped, 'proposal')} dropped for it"
    return mode + (f": {scores}" if scores else "") + (dropped if screening.dropped else "")


def _identity(history: History, trial: Trial) -> str:
    others = [one.number for one in history.same(trial.identity) if one.number != trial.number]
    if not others:
        return trial.identity
    more = ", …" if len(others) > _SAME else ""
    trials = "trial" if len(others) == 1 else "trials"
    return f"{trial.identity}, also of {trials} {', '.join(map(str, others[:_SAME]))}{more}"


def _metrics(trial: Trial) -> Iterator[str]:
    last, widest = trial.reports[-1], max(map(len, trial.metrics))
    for name, value in last.metrics.items():
        error = last.errors.get(name)
        margin = f" ± {metric(name, WIDTH * error)}" if error else ""
        known = [report.metrics.get(name, float("nan")) for report in trial.reports]
        curve = sparkline(known, _CURVE) if len({*known}) > 1 else ""
        yield f"  {name:{widest}}  {metric(name, value) + margin:20}  {curve}".rstrip()
