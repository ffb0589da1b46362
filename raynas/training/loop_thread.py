"""Run a loop that reports by a call, in a thread, as a generator of its reports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

from torch import nn

from raynas.training.loop_context import LoopContext

_PATIENCE: Final = 60.0  # seconds that a loop may take to end when it is told to stop

LEFT_BEHIND: list[threading.Thread] = []
"""Threads of loops that did not end: their process must not train another network."""


class Go(Enum):
    """The decision after a report: whether the loop continues."""

    ON = "on"
    STOP = "stop"


class StopTraining(BaseException):
    """Ends a loop that reports again after it was told to stop."""


def in_thread(
    fit: Callable[[nn.Module, LoopContext], Any], child: nn.Module, context: LoopContext
) -> Iterator[Mapping[str, Any]]:
    """Run ``fit`` in a thread and yield what it reports; it waits while the caller decides.

    An error of the loop is raised here. If the generator is closed, the loop is told to stop.
    """
    bridge = _Bridge()
    context._reporter = bridge.report  # noqa: SLF001 - the other half of the same bridge
    work = partial(bridge.run, partial(fit, child, context))
    thread = threading.Thread(target=work, name="training-loop", daemon=True)
    thread.start()
    try:
        yield from bridge.reports()
    finally:
        bridge.stop()
        thread.join(_PATIENCE)
        if thread.is_alive():
            LEFT_BEHIND.append(thread)


class _Bridge:
    """Hands reports from the thread of a loop to another thread, and decisions back."""

    def __init__(self) -> None:
        self._told: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._answers: SimpleQueue[Go] = SimpleQueue()
        self._stopped = threading.Event()

    def report(self, metrics: Mapping[str, Any]) -> Go:
        """Hand over a report; return the decision. Called in the thread of the loop."""
        if self._stopped.is_set():
            raise StopTraining
        self._told.put(("report", metrics))
        return self._answers.get()

    def run(self, fit: Callable[[], Any]) -> None:
        """Run the loop, in its thread."""
        try:
            fit()
        except StopTraining:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised in the other thread
            self._told.put(("error", error))
        self._told.put(("end", None))

    def reports(self) -> Iterator[Mapping[str, Any]]:
        """Yield the reports."""
        while True:
            kind, what = self._told.get()
            if kind == "error":
                raise what
            if kind == "end":
                return
            yield what
            self._answers.put(Go.ON)

    def stop(self) -> None:
        """Tell the loop to stop; it may be waiting for a decision."""
        self._stopped.set()
        self._answers.put(Go.STOP)
