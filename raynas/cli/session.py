"""Running an experiment before people's eyes."""

from __future__ import annotations

import shlex
import signal
from types import FrameType
from typing import Self

import typer
from rich.console import Console

from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.references import find_space
from raynas.experiment.run.folder import WINNER
from raynas.experiment.run.search import run
from raynas.insight.drawing import draw
from raynas.insight.progress import progress
from raynas.insight.summary import print_summary
from raynas.insight.wording import say
from raynas.journal import exists
from raynas.trial import Event, History


class CtrlC:
    """Raises ``KeyboardInterrupt`` again, at the next event, where Python has swallowed it.

    It does so when Ctrl-C comes in the middle of a fork or of a finaliser, and starting Ray is
    full of them.
    """

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._pressed = False
        self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        signal.signal(signal.SIGINT, self._before)

    def write(self, event: Event, history: History) -> None:  # noqa: ARG002 - as a watcher
        """Raise what should have been raised before."""
        if self._pressed:
            raise KeyboardInterrupt

    def _press(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as a handler
        self._pressed = True
        raise KeyboardInterrupt


def follow(experiment: Experiment) -> None:
    """Run an experiment with a live view, then say what came of it and where to look further.

    Raises:
        typer.Exit: Ctrl-C was pressed; how to go on has been said.
    """
    console = Console(highlight=False)
    output = shlex.quote(str(experiment.output))
    try:
        drawn = find_space(experiment.space, experiment.space_options).draw or draw
        with CtrlC() as ctrl_c, progress(console, experiment.most_trials) as watcher:
            result = run(experiment, [watcher, ctrl_c])
    except KeyboardInterrupt:
        begun = exists(experiment.output)
        way_on = (
            f"; nothing is lost. To go on: raynas resume {output}" if begun else " before it began"
        )
        say(console, f"\nstopped{way_on}")
        raise typer.Exit(130) from None
    print_summary(console, result.history, drawn, paused_trials=result.paused_trials)
    say(console, f"\nthe network:   {experiment.output / WINNER}")
    say(console, f"all trials:    raynas show {output}")
    say(console, f"their curves:  tensorboard --logdir {output}")
