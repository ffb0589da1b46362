"""Run a loop that reports by a call, in a thread, as a generator of its reports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

from torch import nn

from raynas.training.loop_context import LoopContext

_PATIENCE: Final = 60.0  # seconds that a loop may take to end when it is told to stop

_UNFINISHED: list[threading.Thread] = []


def left_behind() -> bool:
    """Return whether a loop that was told to stop still runs in this process.

    Such a process must not train another network.
    """
    return any(thread.is_alive() for thread in _UNFINISHED)


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
            _UNFINISHED.append(thread)


class _Bridge:
    """Hands reports from the thread of a loop to another thread, and decisions back."""

    def __init__(self) -> None:
        self._told: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._answers: SimpleQueue[bool] = SimpleQueue()
        self._stopped = threading.Event()

    def report(self, metrics: Mapping[str, Any]) -> bool:
        """Hand over a report; return whether to continue. Called in the thread of the loop."""
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
            self._answers.put(True)  # noqa: FBT003 - a queue of truth values

    def stop(self) -> None:
        """Tell the loop to stop; it may be waiting for a decision."""
        self._stopped.set()
        self._answers.put(False)  # noqa: FBT003
