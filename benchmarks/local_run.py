"""Searches that train for real in this process, one trial after another, without Ray.

What schedulers and searchers are worth is counted in epochs, and those do not depend on who runs
the trials; so the comparisons here leave the cluster out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
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
        experiment = resolved.experiment
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
    from raynas.execution.worker import Notice, TrainingContext, train
    from raynas.experiment.run.search import trial_spec
    from raynas.schedulers import Verdict
    from raynas.trial import Failed

    context = TrainingContext(
        resolved.build,
        resolved.recipe,
        resolved.data,
        "cpu",
        loop=resolved.loop,
        repeats=resolved.repeats,
    )
    for event in train(context, trial_spec(experiment, conductor, trial)):
        if isinstance(event, Notice):
            continue
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


@dataclass(frozen=True)
class Found:
    """What a search found, and its data.

    Attributes:
        metrics: The winner's test metrics.
        epochs: How many epochs the search spent.
        data: The task's data.
        test: Trains another network like the winner, and returns its test metrics.
    """

    metrics: Any
    epochs: int
    data: Any
    test: Callable[[Any], Any]


def winner_of(seconds: float, **settings: Any) -> Found:
    """Search for so many seconds of one core; train and test the winner as raynas does.

    A trial that runs at the end is trained to its own end.
    """
    from raynas.execution.conductor import Conductor
    from raynas.experiment.experiment import experiment_from
    from raynas.experiment.resolve.resolved import resolve
    from raynas.experiment.run.folder import checkpoints
    from raynas.trial import History

    with TemporaryDirectory() as folder:
        experiment = experiment_from({"trials": 10**6, "output": Path(folder), **settings})
        resolved = resolve(experiment)
        experiment = resolved.experiment
        history = History(experiment.objectives)
        conductor = Conductor(resolved.plan, history, history.apply, lambda: 0.0)
        checkpoints(experiment.output).folder.mkdir(parents=True)
        spent, started = 0, time.process_time()
        while time.process_time() - started < seconds and (trial := conductor.next()):
            checkpoints(experiment.output).endow(trial, history)
            spent += sum(1 for _ in _trained(experiment, resolved, conductor, trial))
        chosen = conductor.recommendation
        assert chosen is not None, "no trial finished"
    tested = partial(_tested, resolved, experiment.epochs, experiment.seed)
    found = tested(lambda: resolved.build(chosen.trial.architecture))
    return Found(found, spent, resolved.data, tested)


def _tested(resolved: Any, epochs: int, seed: int, make: Callable[[], Any]) -> Any:
    """Train a network on training and validation data, and test it."""
    import torch

    from raynas.rng import seed_weights, winner_seed
    from raynas.training.examples import Examples
    from raynas.training.train import Training, evaluate

    data, device = resolved.data, torch.device("cpu")
    seed_weights(winner_seed(seed))
    known = Examples.of(data.merged(), data, device)
    training = Training(make(), known, resolved.recipe, epochs=epochs, seed=winner_seed(seed))
    for _ in range(epochs):
        training.step()
    scores = evaluate(training.child, Examples.of(data.test, data, device))
    params = sum(each.numel() for each in training.child.parameters())
    return {**{f"test_{name}": value for name, value in scores.metrics.items()}, "params": params}
