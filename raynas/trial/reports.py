"""The reports of a trial, kept in columns of numbers: a tenth of the memory of an object each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import eq
from typing import Any, Final, overload

from raynas.trial.events import Report

_OWN: Final = 3  # columns before the metrics: epoch, seconds, time
_EXACT: Final = 2**53  # whole numbers below it are floats without loss


@dataclass(frozen=True, slots=True)
class Layout:
    """The meaning of the columns; the same in nearly all reports of a run, which share it.

    Attributes:
        metrics: Names of metrics, in the order of the columns.
        errors: Names of metrics with an error, in the columns after these.
        whole: For each of these columns, whether it holds whole numbers.
        worker: The process that trained.
    """

    metrics: tuple[str, ...]
    errors: tuple[str, ...]
    whole: tuple[bool, ...]
    worker: str

    @property
    def width(self) -> int:
        """How many columns there are."""
        return _OWN + len(self.whole)

    def report(self, number: int, row: Sequence[float]) -> Report:
        """Return the report in a row."""
        values = [int(v) if w else v for v, w in zip(row[_OWN:], self.whole, strict=True)]
        metrics = dict(zip(self.metrics, values, strict=False))
        errors = dict(zip(self.errors, values[len(self.metrics) :], strict=True))
        return Report(number, int(row[0]), metrics, row[1], row[2], self.worker, errors)


_shared = lru_cache(1024)(Layout)


@dataclass(frozen=True, slots=True)
class Run:
    """Successive reports with the same layout; or one that no numbers can hold, as it is.

    Attributes:
        first: The place of its first report.
        offset: Where its first row begins.
        number: The trial's number.
        layout: Of its rows; or the report.
    """

    first: int
    offset: int
    number: int
    layout: Layout | Report


class Columns:
    """The rows of all reports of a trial, one after another; rows are only added."""

    __slots__ = ("count", "runs", "values")

    def __init__(self) -> None:
        """Begin without rows."""
        self.values = array("d")
        self.runs: list[Run] = []
        self.count = 0

    def add(self, report: Report) -> None:
        """Add a row."""
        values = [*report.metrics.values(), *report.errors.values()]
        layout: Layout | Report = report
        if all(map(_is_exact, values)):
            whole = tuple([type(value) is int for value in values])
            layout = _shared(tuple(report.metrics), tuple(report.errors), whole, report.worker)
        last = self.runs[-1] if self.runs else None
        if last is None or (last.number, last.layout) != (report.number, layout):
            self.runs.append(Run(self.count, len(self.values), report.number, layout))
        row = values if isinstance(layout, Layout) else []
        self.values.extend((report.epoch, report.seconds, report.at, *row))
        self.count += 1

    def place(self, at: int) -> tuple[Run, int]:
        """Return the run of a report, and where its row begins."""
        run = self.runs[-1]
        if at < run.first:
            run = self.runs[bisect_left(self.runs, at + 1, key=lambda one: one.first) - 1]
        width = run.layout.width if isinstance(run.layout, Layout) else _OWN
        return run, run.offset + (at - run.first) * width

    def report(self, at: int) -> Report:
        """Return a report."""
        run, begin = self.place(at)
        if isinstance(run.layout, Report):
            return run.layout
        return run.layout.report(run.number, self.values[begin : begin + run.layout.width])

    def value(self, at: int, metric: str) -> float:
        """Return a metric of a report."""
        run, begin = self.place(at)
        if isinstance(run.layout, Report):
            return run.layout.metrics[metric]
        return self.values[begin + _OWN + run.layout.metrics.index(metric)]

    def own(self, at: int, column: int) -> float:
        """Return a value from the first columns: epoch, seconds, time."""
        return self.values[self.place(at)[1] + column]

    def all_of(self, column: int, count: int) -> list[float]:
        """Return one of the first columns, of the first ``count`` reports."""
        found: list[float] = []
        for _, rows in self.runs_of(count):
            found += self.values[rows.start + column : rows.stop : rows.step]
        return found

    def metrics_of(self, metric: str, count: int) -> list[float]:
        """Return a metric of the first ``count`` reports."""
        found: list[float] = []
        for run, rows in self.runs_of(count):
            if isinstance(run.layout, Report):
                found.append(run.layout.metrics[metric])
            else:
                begin = rows.start + _OWN + run.layout.metrics.index(metric)
                found += self.values[begin : rows.stop : rows.step]
        return found

    def runs_of(self, count: int) -> Iterator[tuple[Run, range]]:
        """Yield the runs among the first ``count`` reports, and where their rows begin."""
        ends = [*(run.first for run in self.runs[1:]), count]
        for run, end in zip(self.runs, ends, strict=False):  # there may be no run
            if run.first < count:
                width = run.layout.width if isinstance(run.layout, Layout) else _OWN
                length = min(end, count) - run.first
                yield run, range(run.offset, run.offset + length * width, width)


class Reports(Sequence[Report]):
    """The reports of a trial so far, in ascending epochs; it never changes.

    Reports are made when they are asked for. The reports of a trial at different times share
    their columns.
    """

    __slots__ = ("_columns", "_count", "epoch")

    epoch: int
    """The epoch of the last report; 0 if there is none."""

    def __init__(self, reports: Iterable[Report] = (), before: Reports | None = None) -> None:
        """Hold these reports, after those ``before``, with which they share columns."""
        self._columns: Columns = before._columns if before else Columns()  # noqa: SLF001 - of this class
        self._count, self.epoch = (len(before), before.epoch) if before else (0, 0)
        for report in reports:
            self._add(report)

    def plus(self, report: Report) -> Reports:
        """Return these reports and one more."""
        # Columns to which others have been added already, from these reports, are theirs.
        if not self._count or self._columns.count > self._count:
            return Reports((*self, report))
        return Reports((report,), before=self)

    def _add(self, report: Report) -> None:
        self._columns.add(report)
        self._count, self.epoch = self._count + 1, report.epoch

    def after(self, epoch: int) -> Report | None:
        """Return the report after an epoch; none if there is none of exactly this epoch."""
        at = self._at(epoch)
        return None if at is None else self[at]

    def value_after(self, epoch: int, metric: str) -> float | None:
        """Return a metric after an epoch; none if there is no report of exactly this epoch."""
        at = self._at(epoch)
        return None if at is None else self._columns.value(at, metric)

    @property
    def epochs(self) -> Sequence[int]:
        """The epoch of each."""
        return [*map(int, self._columns.all_of(0, self._count))]

    @property
    def seconds(self) -> Sequence[float]:
        """The duration of each."""
        return self._columns.all_of(1, self._count)

    @property
    def workers(self) -> Sequence[str]:
        """The process that trained each; empty text if it is not known."""
        return [
            run.layout.worker for run, rows in self._columns.runs_of(self._count) for _ in rows
        ]

    def values(self, metric: str) -> Sequence[float]:
        """Return a metric of each."""
        return self._columns.metrics_of(metric, self._count)

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    @overload
    def __getitem__(self, at: int) -> Report: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Report, ...]: ...
    def __getitem__(self, at: int | slice) -> Report | tuple[Report, ...]:
        """Return one report, or a tuple of several."""
        places = range(self._count)[at]
        if isinstance(places, int):
            return self._columns.report(places)
        return tuple(map(self._columns.report, places))

    def __iter__(self) -> Iterator[Report]:
        """Return each report."""
        return map(self._columns.report, range(self._count))

    def __eq__(self, other: object) -> bool:
        """Return whether another sequence holds the same reports."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # reports have none

    def __repr__(self) -> str:
        """Show the reports."""
        return f"Reports({tuple(self)!r})"

    def _at(self, epoch: int) -> int | None:
        # Most often there is one for each epoch; then there is nothing to search.
        if 0 < epoch <= self._count and self._epoch(epoch - 1) == epoch:
            return epoch - 1
        at = bisect_left(range(self._count), epoch, key=self._epoch)
        return at if at < self._count and self._epoch(at) == epoch else None

    def _epoch(self, at: int) -> int:
        return int(self._columns.own(at, 0))


def _is_exact(value: Any) -> bool:
    """Return whether a metric is a number that a column holds without loss."""
    return type(value) is float or (type(value) is int and abs(value) < _EXACT)
