"""Two trials beside each other: the decisions that differ, and their metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from raynas.errors import ConfigError
from raynas.insight.text.trial import found
from raynas.insight.wording import duration, metric, on_one_line, plural, status
from raynas.trial import Failed, History, Trial

_NONE: Final = "-"  # where a decision is not active, or a metric not known


def difference_lines(history: History, first: int, second: int) -> Iterator[str]:
    """Yield two trials in columns.

    Args:
        history: All events of the run.
        first: The number of a trial.
        second: The number of another trial.

    Raises:
        ConfigError: There is no such trial, or it is the same one twice.
    """
    one, other = _both(history, first, second)
    names = (f"trial {first}", f"trial {second}")
    differing = {
        path: (_decided(one, path), _decided(other, path)) for path in _decisions(one, other)
    }
    equal = len({*one.architecture, *other.architecture}) - len(differing)
    rows = {"": names, "status": (status(one), status(other))}
    rows["epochs"] = (str(one.epoch), str(other.epoch))
    rows["time"] = (duration(one.seconds), duration(other.seconds))
    rows |= {name: _texts(name, both) for name, both in _metrics(one, other).items()}
    after = min(one.epoch, other.epoch)
    if one.epoch != other.epoch and (common := _common(one, other, after)):
        rows[f"after epoch {after}"] = ("", "")
        rows |= {f"  {name}": _texts(name, both) for name, both in common.items()}
    widths = _widths([*differing.items(), *rows.items()])
    yield from _table({"": names, **differing}, widths)
    verb = "is" if equal == 1 else "are"
    yield (
        f"{plural(equal, 'other decision')} {verb} equal"
        if differing
        else "all decisions are equal"
    )
    yield ""
    yield from _table(rows, widths)
    for trial in (one, other):
        if isinstance(trial.outcome, Failed):
            yield f"trial {trial.number} failed: {on_one_line(trial.outcome.reason)}"


def difference_record(history: History, first: int, second: int) -> dict[str, Any]:
    """Return two trials for JSON; in each pair the first trial comes first.

    Raises:
        ConfigError: There is no such trial, or it is the same one twice.
    """
    one, other = _both(history, first, second)
    return {
        "trials": [first, second],
        "status": [status(one), status(other)],
        "epochs": [one.epoch, other.epoch],
        "seconds": [one.seconds, other.seconds],
        "decisions": _decisions(one, other),
        "metrics": _metrics(one, other),
    }


def _both(history: History, first: int, second: int) -> tuple[Trial, Trial]:
    if first == second:
        raise ConfigError(f"--diff needs two different trials, got {first} twice")
    return found(history, first), found(history, second)


def _decisions(one: Trial, other: Trial) -> dict[str, tuple[Any, Any]]:
    """Return the decisions that differ; none where a decision is not active."""
    mine, its = one.architecture, other.architecture
    pairs = {path: (mine.get(path), its.get(path)) for path in (*mine, *its)}
    return {
        path: pair
        for path, pair in pairs.items()
        if pair[0] != pair[1] or (path in mine) != (path in its)
    }


def _metrics(one: Trial, other: Trial) -> dict[str, tuple[float | None, float | None]]:
    mine, its = one.metrics, other.metrics
    return {name: (mine.get(name), its.get(name)) for name in (*mine, *its)}


def _common(one: Trial, other: Trial, epoch: int) -> dict[str, tuple[float, float]]:
    """Return the metrics of both after an epoch, those that change while a network learns."""
    mine, its = one.reports.after(epoch), other.reports.after(epoch)
    if mine is None or its is None:
        return {}
    last = _metrics(one, other)
    both = {
        name: (mine.metrics[name], its.metrics[name])
        for name in mine.metrics
        if name in its.metrics
    }
    return {name: pair for name, pair in both.items() if pair != last[name]}


def _decided(trial: Trial, path: str) -> str:
    if path not in trial.architecture:
        return _NONE
    value = trial.architecture[path]
    return on_one_line(f"{value:.4g}" if isinstance(value, float) else str(value))


def _texts(name: str, both: tuple[float | None, float | None]) -> tuple[str, str]:
    first, second = (_NONE if value is None else metric(name, value) for value in both)
    return first, second


def _widths(rows: list[tuple[str, tuple[str, str]]]) -> tuple[int, int]:
    names = max(len(name) for name, _ in rows)
    return names, max(len(first) for _, (first, _) in rows)


def _table(rows: Mapping[str, tuple[str, str]], widths: tuple[int, int]) -> Iterator[str]:
    for name, (first, second) in rows.items():
        yield f"{name:{widths[0]}}  {first:{widths[1]}}  {second}".rstrip()
