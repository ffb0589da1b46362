"""Run an experiment, show its progress, and print its result."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager, nullcontext

from raynas.cli.consoles import NOTICES, RESULTS, watched
from raynas.cli.interruption import INTERRUPTION
from raynas.errors import Interrupted
from raynas.experiment.experiment import Experiment
from raynas.experiment.run.folder import WINNER
from raynas.experiment.run.search import prepared, run_resolved
from raynas.insight import Watcher
from raynas.insight.drawing import draw
from raynas.insight.progress import Lines, live_view
from raynas.insight.summary import print_summary
from raynas.insight.wording import say_whole
from raynas.journal import exists


def follow(experiment: Experiment) -> None:
    """Run an experiment with a live view, then print its result and commands to see more.

    Raises:
        Interrupted: A signal ended the run; its note says how to continue.
    """
    output = shlex.quote(str(experiment.output))
    try:
        with INTERRUPTION.blamed():
            resolved = prepared(experiment)  # before the view: data sets show progress bars
            with _watcher(experiment.most_trials) as watcher:
                result = run_resolved(resolved, [watcher], INTERRUPTION)
    except Interrupted as error:
        if exists(experiment.output):
            error.add_note(f"To continue: raynas resume {output}")
        raise
    drawn = resolved.space.draw or draw
    print_summary(RESULTS, result.history, drawn, paused_trials=result.paused_trials)
    say_whole(RESULTS, f"\nthe network:   {experiment.output / WINNER}")
    say_whole(RESULTS, f"all trials:    raynas show {output}")
    say_whole(RESULTS, f"their curves:  tensorboard --logdir {output}")


def _watcher(trials: float) -> AbstractContextManager[Watcher]:
    return live_view(NOTICES, trials) if watched() else nullcontext(Lines(RESULTS))
