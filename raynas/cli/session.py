"""Running an experiment before people's eyes."""

from __future__ import annotations

import shlex

import typer
from rich.console import Console

from raynas.experiment.experiment import Experiment
from raynas.experiment.folder import WINNER
from raynas.experiment.references import find_space
from raynas.experiment.run import run
from raynas.insight.drawing import draw
from raynas.insight.progress import progress
from raynas.insight.summary import print_summary
from raynas.insight.wording import say


def follow(experiment: Experiment) -> None:
    """Run an experiment with a live view, then say what came of it and where to look further.

    Raises:
        typer.Exit: Ctrl-C was pressed; how to go on has been said.
    """
    console = Console(highlight=False)
    output = shlex.quote(str(experiment.output))
    try:
        drawn = find_space(experiment.space, experiment.space_options).draw or draw
        with progress(console, experiment.trials) as watcher:
            result = run(experiment, [watcher])
    except KeyboardInterrupt:
        say(console, f"\nstopped; nothing is lost. To go on: raynas resume {output}")
        raise typer.Exit(130) from None
    print_summary(console, result.history, drawn)
    say(console, f"\nthe network:   {experiment.output / WINNER}")
    say(console, f"all trials:    raynas show {output}")
    say(console, f"their curves:  tensorboard --logdir {output}")
