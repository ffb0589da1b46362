"""The progress of a running search: a live view on a terminal, otherwise plain lines."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from raynas.insight.comparison import steps
from raynas.insight.outcome_counts import OutcomeCounts
from raynas.insight.text.sparkline import sparkline
from raynas.insight.wording import count, duration, harmless, metric, plural, say, status
from raynas.trial import Event, Failed, Finished, History, Objective, Report, Resumed, Trial

_SHOWN: Final = 8  # the most running trials in the live view
_AROUND: Final = 8  # lines of the terminal for the other parts of the view and for notices
_PER_SECOND: Final = 4  # repaints per second
_BAR: Final = 24  # the width of the progress bar, in characters
_CURVE: Final = 40  # the width of the curve of best scores, in characters

Clock = Callable[[], float]


@contextmanager
def live_view(console: Console, total: float, clock: Clock = time.time) -> Iterator[View]:
    """Show the progress of a search on a terminal while the context is open.

    The view is repainted four times a second, below everything that is printed to the same
    console, to ``sys.stdout`` and to ``sys.stderr``; it disappears at the end. The trials of
    earlier sessions of a resumed run are counted, but not in the speed of this session.

    Args:
        console: The terminal.
        total: The number of trials of the search; infinite if it is not limited.
        clock: Returns the time in seconds.
    """
    view = View(console, total, clock)
    with Live(
        console=console,
        get_renderable=view.render,
        refresh_per_second=_PER_SECOND,
        transient=True,
    ):
        yield view


class Lines:
    """Writes one plain line for each ended trial, for outputs that are not terminals."""

    def __init__(self, console: Console) -> None:
        """Write to ``console``."""
        self._console = console
        self._tally: OutcomeCounts | None = None

    def write(self, event: Event, history: History) -> None:
        """Write a line if ``event`` ends a trial."""
        self._tally = counted(self._tally, event, history)
        if isinstance(event, Finished | Failed):
            best = self._tally.leading(history)
            say(self._console, f"{line(history, event.number)}{_so_far(best, history)}")


@dataclass(slots=True)
class Pace:
    """The speed of the search. The unit of work is a trial; a half trained trial counts half.

    Attributes:
        total: The work of the whole search; infinite if it is not limited.
        first: The time of the first event of this session, and the work done by then.
        last: The time of the last event, and the work done by then.
    """

    total: float
    first: tuple[float, float] | None = None
    last: tuple[float, float] = (0.0, 0.0)

    def note(self, now: float, work: float) -> None:
        """Record the time of an event and the work done by then."""
        self.last = (now, work)
        self.first = self.first or self.last

    def left(self, now: float) -> float | None:
        """Return the estimated seconds until the end; none while they cannot be estimated.

        The estimate uses the mean speed of all trials together, so it includes parallel trials
        and trials that are stopped early.
        """
        if self.first is None or self.last[1] <= self.first[1] or math.isinf(self.total):
            return None
        seconds, work = self.last[0] - self.first[0], self.last[1] - self.first[1]
        at_last_event = (self.total - self.last[1]) * seconds / work
        return max(at_last_event - (now - self.last[0]), 0.0)


class View:
    """The live view: the progress, the times, the best trial and the running trials.

    A line that is longer than the width of the terminal is cut, and never wrapped. Lines are
    reserved for as many running trials as there have been at once, so the view only grows.
    """

    def __init__(self, console: Console, total: float, clock: Clock) -> None:
        """Begin now; before the first event the view shows only the time."""
        self._console = console
        self._clock = clock
        self._began = clock()
        self._pace = Pace(total)
        self._spinner = Spinner("line")
        self._tally: OutcomeCounts | None = None
        self._best: list[float] = []  # so far, after each trial that ended
        # Another thread repaints the view; it reads only these texts, never the history.
        self._ended: int | None = None
        self._texts: tuple[Text, ...] = ()
        self._running: tuple[Text, ...] = ()
        self._reserved = 0  # lines for running trials

    def write(self, event: Event, history: History) -> None:
        """Update the view after an event; a failure is also printed above the view."""
        begun, self._tally = self._tally, counted(self._tally, event, history)
        if begun is None:
            scores = (step.best for step in steps(history))
            self._best = [one.metrics[history.objectives[0].metric] for one in scores]
        elif isinstance(event, Finished | Failed) and self._tally.best:
            self._best.append(self._tally.best.metrics[history.objectives[0].metric])
        if isinstance(event, Report | Finished | Failed):  # earlier events are before any training
            self._pace.note(self._clock(), work(history))
        if isinstance(event, Failed):
            say(self._console, line(history, event.number))
        self._texts = (*_texts(history, self._tally), self._curve(history.objectives[0]))
        self._running = tuple(_going_on(history))
        slots = history.sessions[-1].opened.slots if history.sessions else 1
        self._reserved = max(self._reserved, len(self._running), slots)
        self._ended = self._tally.ended

    def render(self) -> Group:
        """Return the current contents of the view."""
        times = Table.grid(padding=(0, 1))
        times.add_row(self._spinner, _row(self._times(), "dim"))
        if self._ended is None:
            return Group(_row("starting Ray"), times)
        return Group(self._head(self._ended), times, *self._texts, *self._shown())

    def _head(self, ended: int) -> Table:
        head, total = Table.grid(padding=(0, 2)), self._pace.total
        if math.isinf(total):
            head.add_row(ProgressBar(None, width=_BAR), _row(plural(ended, "trial")))
        else:
            bar = ProgressBar(total, self._pace.last[1], width=_BAR)
            head.add_row(bar, _row(f"{ended} of {plural(int(total), 'trial')}"))
        return head

    def _times(self) -> str:
        now = self._clock()
        left = self._pace.left(now)
        times = f"{duration(now - self._began)} elapsed"
        if left is None or (self._ended or 0) >= self._pace.total:
            return times
        return f"{times}, about {duration(left)} left"

    def _curve(self, objective: Objective) -> Text:
        """Return the best scores so far as a line; it is empty before there are two."""
        if len(self._best) < 2 or self._console.options.ascii_only:
            return _row("")
        first, last = (metric(objective.metric, one) for one in (self._best[0], self._best[-1]))
        return _row(f"      {sparkline(self._best, _CURVE)}  {first} → {last}", "green")

    def _shown(self) -> Iterator[Text]:
        """Yield the running trials, as many as fit on the terminal, and the reserved lines."""
        running, room = self._running, min(_SHOWN, max(self._console.height - _AROUND, 1))
        yield from running[:room]
        if len(running) > room:
            yield _row(f"and {len(running) - room} more", "dim")
        reserved = min(self._reserved, room + 1)  # the line about more is one of them
        yield from (_row("") for _ in range(len(running), reserved))


def counted(counts: OutcomeCounts | None, event: Event, history: History) -> OutcomeCounts:
    """Return the counts after an event.

    All trials of the history are counted for the first event, and if the best trial has failed
    after it was resumed. Otherwise the counts are updated.
    """
    best = counts.best if counts else None
    lost = isinstance(event, Failed) and best is not None and best.number == event.number
    if counts is None or lost:
        return OutcomeCounts.of(history)
    if isinstance(event, Resumed):
        counts.resume()
    if isinstance(event, Finished | Failed):
        counts.add(history.trials[event.number])
    return counts


def work(history: History) -> float:
    """Return the work done, in trials; a running trial counts by its fraction of epochs."""
    ended = history.trained - len(history.running)
    return ended + sum(trial.epoch / trial.started.epochs for trial in history.running)


def line(history: History, number: int) -> str:
    """Return one line about an ended trial."""
    trial, objective = history.trials[number], history.objectives[0]
    parts = [f"trial {number}"]
    match trial.outcome:
        case Failed(reason=reason):
            parts.append(f"{status(trial)}: {reason}")
        case Finished(answered_by=int(source)):
            parts += [_score(trial, objective), f"answered by trial {source}"]
        case _:
            parts += [_score(trial, objective), _epochs(trial)]
            parts += ["stopped early"] if trial.stopped else []
            parts += [*_params(trial), duration(trial.seconds)]
    return "  ".join(parts)


def _so_far(best: Trial | None, history: History) -> str:
    if best is None:
        return ""
    name = history.objectives[0].metric
    score = f"{metric(name, best.metrics[name])}{_regret(best, history)}"
    return f"  best {score} (trial {best.number})"


def _texts(history: History, counts: OutcomeCounts) -> Iterator[Text]:
    objective, running = history.objectives[0], len(history.running)
    yield _row(f"{counts}, {running} running" if running else str(counts))
    best, parts = counts.leading(history), ["none so far"]
    if best is not None:
        score = f"{_score(best, objective)}{_regret(best, history)}"
        parts = [score, f"trial {best.number}", _epochs(best), *_params(best)]
    yield _row("best  " + "  ".join(parts), "green")


def _regret(best: Trial, history: History) -> str:
    name = history.objectives[0].metric
    regret = history.regret(best.metrics[name])
    return "" if regret is None else f", regret {metric(name, regret)}"


def _going_on(history: History) -> Iterator[Text]:
    """Yield what is done now: a line for each running trial, or for the winner."""
    running = history.running
    yield from (_running(trial, history.objectives[0]) for trial in running)
    if (now := history.winner_epoch) and not running:
        yield _row(f"training the winner: epoch {now.epoch} of {now.epochs}")
    elif history.winner and not history.winner.folder:
        yield _row("exporting the winner")


def _running(trial: Trial, objective: Objective) -> Text:
    score = [_score(trial, objective)] if trial.reports else []
    return _row("  ".join([f"trial {trial.number}", _epochs(trial), *score]), "dim")


def _row(text: str, style: str = "") -> Text:
    """Return one line of the view, which is cut if the terminal is too narrow."""
    return Text(harmless(text), style, no_wrap=True, overflow="ellipsis")


def _score(trial: Trial, objective: Objective) -> str:
    return f"{objective.metric} {metric(objective.metric, trial.metrics[objective.metric])}"


def _epochs(trial: Trial) -> str:
    return f"epochs {trial.epoch}/{trial.started.epochs}"


def _params(trial: Trial) -> list[str]:
    return [f"params {count(trial.metrics['params'])}"] if "params" in trial.metrics else []
