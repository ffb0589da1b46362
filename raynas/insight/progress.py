"""What is going on while a search runs: a live view on a terminal, plain lines elsewhere."""

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
from rich.table import Table
from rich.text import Text

from raynas.insight import Watcher
from raynas.insight.outcome_counts import OutcomeCounts
from raynas.insight.wording import count, duration, metric, plural, say
from raynas.trial import Event, Failed, Finished, History, Objective, Resumed, Trial

_SHOWN: Final = 8  # running trials in the live view
_PER_SECOND: Final = 4  # repaints
_BAR: Final = 24  # characters

Clock = Callable[[], float]


@contextmanager
def progress(console: Console, total: float, clock: Clock = time.time) -> Iterator[Watcher]:
    """Tell people how far a search is while the context is open.

    What a resumed run holds already is counted with the first event, and not taken for work of
    this session.

    Args:
        console: Where to. A terminal gets a view that repaints itself four times a second and
            is gone in the end; anything else gets a line per trial that ended.
        total: How many trials there will be; infinite if that is open.
        clock: Gives the time in seconds.
    """
    if not console.is_interactive:
        yield Lines(console)
        return
    view = View(console, total, clock)
    with Live(
        console=console,
        get_renderable=view.render,
        refresh_per_second=_PER_SECOND,
        transient=True,
    ):
        yield view


class Lines:
    """Writes one plain line per trial that ended."""

    def __init__(self, console: Console) -> None:
        """Write to ``console``."""
        self._console = console
        self._tally: OutcomeCounts | None = None

    def write(self, event: Event, history: History) -> None:
        """Write a line if ``event`` ends a trial."""
        self._tally = counted(self._tally, event, history)
        if isinstance(event, Finished | Failed):
            say(self._console, line(history, event.number, self._tally.best))


@dataclass(slots=True)
class Pace:
    """How fast the work goes, counted in trials; one half trained counts half.

    Attributes:
        total: How much work there is; infinite if that is open.
        first: When the first event of this session came, and the work done by then.
        last: The same of the last event.
    """

    total: float
    first: tuple[float, float] | None = None
    last: tuple[float, float] = (0.0, 0.0)

    def note(self, now: float, work: float) -> None:
        """Take note of all the work done by ``now``."""
        self.last = (now, work)
        self.first = self.first or self.last

    def left(self, now: float) -> float | None:
        """Return about how many seconds it will still take; none while that cannot be said.

        Trials side by side are in it, for it is the pace of the whole; so are those stopped
        early, as long as they come as often as before.
        """
        if self.first is None or self.last[1] <= self.first[1] or math.isinf(self.total):
            return None
        seconds, work = self.last[0] - self.first[0], self.last[1] - self.first[1]
        at_last_event = (self.total - self.last[1]) * seconds / work
        return max(at_last_event - (now - self.last[0]), 0.0)


class View:
    """The live view: what is done, how long it takes, the best trial, the running ones."""

    def __init__(self, console: Console, total: float, clock: Clock) -> None:
        """Begin now, with nothing to show but the time."""
        self._console = console
        self._clock = clock
        self._began = clock()
        self._pace = Pace(total)
        self._tally: OutcomeCounts | None = None
        # Repainting happens on a thread of its own: it gets texts, never the history.
        self._texts: tuple[Text, ...] = (Text("starting", "dim"),)

    def write(self, event: Event, history: History) -> None:
        """Take note of ``event``; a failure is also printed, to stay."""
        self._tally = counted(self._tally, event, history)
        self._pace.note(self._clock(), work(history))
        if isinstance(event, Failed):
            say(self._console, line(history, event.number, self._tally.best))
        self._texts = tuple(_texts(history, self._tally))

    def render(self) -> Group:
        """Return what the terminal shows now."""
        now, total = self._clock(), self._pace.total
        ended = self._tally.ended if self._tally else 0
        left = self._pace.left(now)
        times = f"{duration(now - self._began)} elapsed"
        if left is not None and ended < total:
            times += f", about {duration(left)} left"
        head = Table.grid(padding=(0, 2))
        if math.isinf(total):
            bar, trials = ProgressBar(None, width=_BAR), plural(ended, "trial")
        else:
            bar = ProgressBar(total, self._pace.last[1], width=_BAR)
            trials = f"{ended} of {total} trials"
        head.add_row(bar, trials, Text(times, "dim"))
        return Group(head, *self._texts)


def counted(counts: OutcomeCounts | None, event: Event, history: History) -> OutcomeCounts:
    """Return the counts after ``event``; the first one counts all that ``history`` holds.

    So does the one after a trial was taken up again, which has been counted as ended.
    """
    if counts is None or isinstance(event, Resumed):
        return OutcomeCounts.of(history)
    if isinstance(event, Finished | Failed):
        counts.add(history.trials[event.number])
    return counts


def work(history: History) -> float:
    """Return the work done, in trials that are trained; a running one counts by its epochs."""
    ended = history.trained - len(history.running)
    return ended + sum(trial.epoch / trial.started.epochs for trial in history.running)


def line(history: History, number: int, best: Trial | None) -> str:
    """Return a trial that ended in one line, with the best one so far at its end."""
    trial, objective = history.trials[number], history.objectives[0]
    parts = [f"trial {number}"]
    match trial.outcome:
        case Failed(reason=reason):
            parts.append(f"failed: {reason}")
        case Finished(answered_by=int(source)):
            parts += [_score(trial, objective), f"answered by trial {source}"]
        case _:
            parts += [_score(trial, objective), _epochs(trial)]
            parts += ["stopped early"] if trial.stopped else []
            parts += [*_params(trial), duration(trial.seconds)]
    if best is not None:
        value = metric(objective.metric, best.metrics[objective.metric])
        parts.append(f"best {value} (trial {best.number})")
    return "  ".join(parts)


def _texts(history: History, counts: OutcomeCounts) -> Iterator[Text]:
    objective, running, best = history.objectives[0], history.running, counts.best
    yield Text(f"{counts}, {len(running)} running")
    if best is not None:
        parts = [_score(best, objective), f"trial {best.number}", _epochs(best), *_params(best)]
        yield Text("best  " + "  ".join(parts), "green")
    for trial in running[:_SHOWN]:
        score = [_score(trial, objective)] if trial.reports else []
        yield Text("  ".join([f"trial {trial.number}", _epochs(trial), *score]), "dim")
    if len(running) > _SHOWN:
        yield Text(f"and {len(running) - _SHOWN} more", "dim")


def _score(trial: Trial, objective: Objective) -> str:
    return f"{objective.metric} {metric(objective.metric, trial.metrics[objective.metric])}"


def _epochs(trial: Trial) -> str:
    return f"epochs {trial.epoch}/{trial.started.epochs}"


def _params(trial: Trial) -> list[str]:
    return [f"params {count(trial.metrics['params'])}"] if "params" in trial.metrics else []
