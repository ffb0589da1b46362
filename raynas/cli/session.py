"""Running an experiment before people's eyes."""

from __future__ import annotations

import shlex
from signal import Signals

import typer
from rich.console import Console

from raynas.cli.interruption import INTERRUPTION
from raynas.errors import Interrupted
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.references import find_space
from raynas.experiment.run.folder import WINNER
from raynas.experiment.run.search import run
from raynas.insight.drawing import draw
from raynas.insight.progress import progress
from raynas.insight.summary import print_summary
from raynas.insight.wording import say
from raynas.journal import exists


def follow(experiment: Experiment) -> None:
    """Run an experiment with a live view, then say what came of it and where to look further.

    Raises:
        typer.Exit: A signal came; how to go on has been said.
    """
    console = Console(highlight=False)
    output = shlex.quote(str(experiment.output))
    try:
        drawn = find_space(experiment.space, experiment.space_options).draw or draw
        with INTERRUPTION.blamed(), progress(console, experiment.most_trials) as watcher:
            result = run(experiment, [watcher], INTERRUPTION)
    except Interrupted as error:
        begun = exists(experiment.output)
        way_on = (
            f"; nothing is lost. To go on: raynas resume {output}" if begun else " before it began"
        )
        say(console, f"\nstopped by {Signals(error.signal).name}{way_on}")
        raise typer.Exit(128 + error.signal) from None
    print_summary(console, result.history, drawn, paused_trials=result.paused_trials)
    say(console, f"\nthe network:   {experiment.output / WINNER}")
    say(console, f"all trials:    raynas show {output}")
    say(console, f"their curves:  tensorboard --logdir {output}")
