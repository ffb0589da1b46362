"""Run an experiment, show its progress, and print its result."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Protocol, TypeVar

from raynas.cli.consoles import NOTICES, RESULTS, watched
from raynas.cli.interruption import INTERRUPTION
from raynas.errors import Interrupted
from raynas.execution.interruption import Interruption
from raynas.experiment.experiment import Experiment
from raynas.experiment.run.folder import WINNER
from raynas.experiment.run.search import prepared, run_resolved
from raynas.insight import Watcher
from raynas.insight.text.drawing import draw
from raynas.insight.text.progress import Lines, live_view
from raynas.insight.text.summary import print_summary
from raynas.insight.wording import say_whole
from raynas.journal import exists
from raynas.storage import Location


def follow(experiment: Experiment) -> None:
    """Run an experiment with a live view, then print its result and commands to see more.

    Raises:
        Interrupted: A signal ended the run; its note says how to continue.
    """
    output = shlex.quote(str(experiment.output))
    with watched_run(f"raynas resume {output}", experiment.output) as run:
        resolved = prepared(experiment)  # before the view: data sets show progress bars
        result = run(experiment.most_trials, partial(run_resolved, resolved))
    drawn = resolved.space.draw or draw
    print_summary(RESULTS, result.history, drawn, paused_trials=result.paused_trials)
    say_whole(RESULTS, f"\nthe network:   {experiment.output / WINNER}")
    say_whole(RESULTS, f"all trials:    raynas show {output}")
    say_whole(RESULTS, f"as a page:     raynas report {output}")
    say_whole(RESULTS, f"their curves:  tensorboard --logdir {output}")


T = TypeVar("T")
Trials = Callable[[Sequence[Watcher], Interruption], T]


class Run(Protocol):
    """Runs trials with a live view."""

    def __call__(self, count: float, trials: Trials[T]) -> T:
        """Return what ``trials`` returns.

        Args:
            count: How many trials there will be.
            trials: Runs them, given who watches, and who knows of signals.
        """
        ...


@contextmanager
def watched_run(again: str, folder: Location) -> Iterator[Run]:
    """Yield what runs trials with a live view; after a signal, say how to continue.

    Args:
        again: The command that continues.
        folder: The folder of the run, without which there is nothing to continue.

    Raises:
        Interrupted: A signal ended the run; its note says how to continue.
    """

    def run(count: float, trials: Trials[T]) -> T:
        with _watcher(count) as watcher:
            return trials([watcher], INTERRUPTION)

    try:
        with INTERRUPTION.blamed():
            yield run
    except Interrupted as error:
        if exists(folder):
            error.add_note(f"To continue: {again}")
        raise


def _watcher(trials: float) -> AbstractContextManager[Watcher]:
    return live_view(NOTICES, trials) if watched() else nullcontext(Lines(RESULTS))
