"""Searches that train for real in this process, one trial after another, without Ray.

What schedulers and searchers are worth is counted in epochs, and those do not depend on who runs
the trials; so the comparisons here leave the cluster out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")


def play(**settings: Any) -> Iterator[tuple[int, Any]]:
    """Search with the settings of an experiment; yield (epochs spent, history) after each."""
    from raynas.execution.conductor import Conductor
    from raynas.experiment.experiment import experiment_from
    from raynas.experiment.resolve.resolved import resolve
    from raynas.experiment.run.folder import checkpoints
    from raynas.trial import History

    with TemporaryDirectory() as folder:
        experiment = experiment_from({"trials": 10**6, "output": Path(folder), **settings})
        resolved = resolve(experiment)
        history = History(experiment.objectives)
        conductor = Conductor(resolved.plan, history, history.apply, lambda: 0.0)
        files = checkpoints(experiment.output)
        files.folder.mkdir(parents=True)
        spent = 0
        while trial := conductor.next():
            files.endow(trial, history)
            for _ in _trained(experiment, resolved, conductor, trial):
                spent += 1
                yield spent, history


def _trained(experiment: Any, resolved: Any, conductor: Any, trial: Any) -> Iterator[None]:
    """Train a trial until it ends or is stopped; yield after every new epoch."""
    from raynas.execution.worker import TrainingContext, train
    from raynas.experiment.run.search import trial_spec
    from raynas.schedulers import Verdict
    from raynas.trial import Failed

    context = TrainingContext(resolved.build, resolved.recipe, resolved.data, "cpu")
    for event in train(context, trial_spec(experiment, conductor, trial)):
        if isinstance(event, Failed):
            conductor.fail(event.number, event.reason, detail=event.detail)
            return
        if event.epoch <= conductor.history.trials[event.number].epoch:
            continue  # told again by a trial that was taken up
        verdict = conductor.report(event)
        yield
        if verdict is Verdict.STOP:
            return


def spend(
    budget: int, epochs: int, done: Callable[[float], bool] = lambda _: False, **settings: Any
) -> tuple[int, float]:
    """Search until it is ``done`` or the budget is spent.

    Args:
        budget: Epochs, over all trials.
        epochs: The full length of a trial.
        done: Is told the least loss (the first objective's) of a trial of full length.
        settings: Those of an experiment.

    Returns:
        The epochs spent, and that loss; infinite if no trial came to its full length.
    """
    spent, best = 0, float("inf")
    for spent, history in play(epochs=epochs, **settings):
        best = min((losses[0] for losses in history.at(epochs).values()), default=best)
        if done(best) or spent >= budget:
            break
    return spent, best
