"""The pictures of a search, drawn seldom, and never in the way of trials."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from raynas.insight import plots
from raynas.insight.board.story import GROUP, MORE
from raynas.insight.board.table import table_picture
from raynas.insight.figures import load_drawing, png
from raynas.insight.graphs import GraphOf
from raynas.insight.pictures.architecture import picture
from raynas.insight.wording import metric
from raynas.space import Decision
from raynas.trial import History, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOG = logging.getLogger("raynas")

_EARLY: Final = 5.0  # seconds; a shorter search has no pictures
_SHARE: Final = 0.02  # of the run's time, for a thread that draws
_LAST_SHARE: Final = 0.005  # for the pictures at the end
_LAST: Final = 0.3  # seconds that these may take in any case, but at most _SHORT_SHARE
_LAST_OF_FEW: Final = 2.0  # the same after a search of few trials
_FEW: Final = 200
_SHORT_SHARE: Final = 0.1
_GROWTH: Final = 1.5  # when the number of trials has grown so much, pictures are drawn anew
_REST: Final = 0.5  # seconds
_LOWEST: Final = 19
_CARD: Final = 5.0  # inches; TensorBoard draws all pictures as wide as its cards
_SHARP: Final = 150  # dots per inch of a picture that is not wider
_LEAST: Final = 1.6  # inches, the height of a plot
_DRAWN: Final = 3  # architectures on the first page; the others are with their trials

_Due = tuple[str, Trial | None]
"""The tag of a picture of the search, empty for none; and the trial that it shows, if any."""

_Picture = tuple[str, bytes, int | None]

Keep = Callable[[str, bytes, int | None], None]
"""Keeps a picture, given its tag, its PNG file and the trial that it belongs to, if any."""


@dataclass(slots=True)
class Album:
    """Draws the pictures of a run whenever the number of trials has grown.

    A thread with the lowest priority draws them, from a copy of the history. At the end, when no
    trial waits any more, all are drawn once more, the most important first; fewer if the run was
    short.

    Attributes:
        decisions: The decisions of the space.
        graph_of: Makes the graphs of architectures.
        keep: Is given each picture, always in the thread that calls.
    """

    decisions: Mapping[str, Decision]
    graph_of: GraphOf
    keep: Keep
    _next: float = 1.0
    _began: float = field(default_factory=time.monotonic)
    _spent: float = 0.0
    _drawn: set[int] = field(default_factory=set)  # trials with a picture of their own
    _done: SimpleQueue[_Picture] = field(default_factory=SimpleQueue)
    _stop: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def follow(self, history: History, best: Sequence[Trial], ended: int) -> None:
        """Keep the pictures that are ready, and let others be drawn if it is time.

        Args:
            history: All events of the run.
            best: The best trials, the best one first.
            ended: How many trials have ended.
        """
        self._collect()
        drawing = self._thread is not None and self._thread.is_alive()
        if ended < self._next or drawing or self._elapsed < _EARLY:
            return
        self._next = _GROWTH * ended + 1
        self._thread = Thread(
            target=self._draw_all, args=(history.copy(), [*best]), name="pictures", daemon=True
        )
        self._thread.start()

    def end(self, history: History, best: Sequence[Trial]) -> None:
        """Draw all pictures once more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        begin = time.monotonic()
        least = _LAST_OF_FEW if len(history.trials) <= _FEW else _LAST
        allowed = min(max(least, _LAST_SHARE * self._elapsed), _SHORT_SHARE * self._elapsed)
        if self._elapsed >= _EARLY:
            load_drawing()
            for due in self._all(best):
                if time.monotonic() - begin < allowed:
                    self._draw(due, history, best)
        self._collect()

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _collect(self) -> None:
        while not self._done.empty():
            self.keep(*self._done.get())

    def _draw_all(self, history: History, best: Sequence[Trial]) -> None:
        """Draw all pictures in a thread, with rests."""
        _give_way()
        load_drawing()
        for due in self._all(best):
            while self._spent > _SHARE * self._elapsed and not self._stop.is_set():
                self._stop.wait(_REST)
            if self._stop.is_set():
                return
            begin = time.thread_time()
            self._draw(due, history, best)
            self._spent += time.thread_time() - begin

    def _all(self, best: Sequence[Trial]) -> list[_Due]:
        """Return what is to be drawn, the most important first."""
        ranked = [
            (f"{GROUP}/architecture of rank {rank}", trial)
            for rank, trial in enumerate(best[:_DRAWN], start=1)
        ]
        new = [("", trial) for trial in best[_DRAWN:] if trial.number not in self._drawn]
        return [*ranked, *((tag, None) for tag in _PLOTS), *new]

    def _draw(self, due: _Due, history: History, best: Sequence[Trial]) -> None:
        tag, trial = due
        try:
            if trial:
                self._draw_trial(tag, trial, history)
            else:
                figure = _PLOTS[tag](history, self.decisions, best)
                if figure.axes:  # else it only says that there is nothing to draw
                    self._done.put((tag, png(_for_a_card(figure)), None))
        except Exception as error:  # noqa: BLE001 - a run must not fail because of a picture
            said = "a picture for TensorBoard (%s) was not drawn: %r"
            _LOG.warning(said, tag or "an architecture", error)

    def _draw_trial(self, tag: str, trial: Trial, history: History) -> None:
        """Draw an architecture for the first page, and once for its trial's own page."""
        name = history.objectives[0].metric
        title = f"trial {trial.number}: {name} {metric(name, trial.metrics[name])}"
        graph = self.graph_of(trial.architecture)
        drawn = png(_for_a_card(picture(graph, title, width=100 * _CARD)))
        if tag:
            self._done.put((tag, drawn, None))
        if trial.number not in self._drawn:
            self._drawn.add(trial.number)
            self._done.put(("network/architecture", drawn, trial.number))


def _give_way() -> None:
    """Give this thread the lowest priority, where the system has priorities of threads."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)


def _for_a_card(figure: Figure) -> Figure:
    """Return the figure, so that its words can be read in a card, and are sharp in it.

    A plot of one panel is made smaller, which makes its words larger.
    """
    width, height = figure.get_size_inches()
    if figure.get_constrained_layout() and len(figure.axes) == 1:
        figure.set_size_inches(_CARD, max(height * _CARD / width, _LEAST))
    if figure.get_figwidth() <= _CARD:
        figure.set_dpi(_SHARP)
    return figure


Plot = Callable[[History, Mapping[str, Decision], Sequence[Trial]], "Figure"]

_PLOTS: Final[Mapping[str, Plot]] = {
    f"{GROUP}/leaderboard": lambda history, _, best: table_picture(history, best),
    f"{GROUP}/scores": lambda history, *_: plots.best_so_far(history),
    f"{GROUP}/outcomes": lambda history, *_: plots.outcomes(history),
    f"{GROUP}/workers": lambda history, *_: plots.workers(history),
    f"{GROUP}/front": lambda history, *_: plots.pareto(history),
    f"{MORE}/curves": lambda history, *_: plots.curves(history),
    f"{MORE}/rungs": lambda history, *_: plots.rungs(history),
    f"{MORE}/importance of decisions": lambda history, decisions, _: plots.importances(
        history, decisions
    ),
    f"{MORE}/decisions and scores": lambda history, decisions, _: plots.marginals(
        history, decisions
    ),
    f"{MORE}/decisions explored": lambda history, decisions, _: plots.explored(history, decisions),
    f"{MORE}/lineage": lambda history, *_: plots.lineage_tree(history),
}
