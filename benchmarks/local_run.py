"""Searches that train for real in this process, one trial after another, without Ray.

What schedulers and searchers are worth is counted in epochs, and those do not depend on who runs
the trials; so the comparisons here leave the cluster out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
        history = History(experiment.objectives, constraints=experiment.constraints)
        conductor = Conductor(resolved.plan, history, history.apply, lambda: 0.0)
        files = checkpoints(experiment.output)
        files.folder.mkdir(parents=True)
        spent = 0
        while trial := conductor.next():
            files.endow(trial, history)
            files.sweep(lambda: conductor.needed)
            for _ in _trained(experiment, resolved, conductor, trial):
                spent += 1
                yield spent, history


def _trained(experiment: Any, resolved: Any, conductor: Any, trial: Any) -> Iterator[None]:
    """Train a trial until it ends or is stopped; yield after every new epoch."""
    from raynas.execution.constraint_check import ConstraintCheck
    from raynas.execution.measurements import Measurements
    from raynas.execution.training_context import TrainingContext
    from raynas.execution.worker import Notice, train
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
    measure = Measurements(context, resolved.probe).measure if resolved.probe else None
    context = replace(context, check=ConstraintCheck(resolved.constraints, measure))
    for event in train(context, trial_spec(experiment, conductor, trial)):
        if isinstance(event, Notice):
            continue
        if isinstance(event, Failed):
            more = {"detail": event.detail, "cause": event.cause, "refused": event.refused}
            conductor.fail(event.number, event.reason, **more)
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
        best = min((score.losses[0] for score in history.at(epochs).values()), default=best)
        if done(best) or spent >= budget:
            break
    return spent, best


@dataclass(frozen=True)
class Found:
    """What a search found, and its data.

    Attributes:
        metrics: The winner's test metrics.
        epochs: How many epochs the search spent.
        seconds: Of one core, for the search and the winner.
        data: The task's data.
        test: Trains another network as a trial and as a winner; returns its test metrics.
    """

    metrics: Any
    epochs: int
    seconds: float
    data: Any
    test: Callable[[Any], Any]


def winner_of(**settings: Any) -> Found:
    """Search, train and test the winner as raynas does; there are 40 trials if nothing is said."""
    from raynas.execution.conductor import Conductor
    from raynas.experiment.experiment import experiment_from
    from raynas.experiment.resolve.resolved import resolve
    from raynas.experiment.run.folder import checkpoints
    from raynas.trial import History

    started = time.process_time()
    with TemporaryDirectory() as folder:
        experiment = experiment_from({**settings, "output": Path(folder)})
        resolved = resolve(experiment)
        experiment = resolved.experiment
        history = History(experiment.objectives, constraints=experiment.constraints)
        conductor = Conductor(resolved.plan, history, history.apply, lambda: 0.0)
        checkpoints(experiment.output).folder.mkdir(parents=True)
        spent = 0
        while trial := conductor.next():
            checkpoints(experiment.output).endow(trial, history)
            spent += sum(1 for _ in _trained(experiment, resolved, conductor, trial))
        chosen = conductor.recommendation
        assert chosen is not None, "no trial finished"
    make = partial(resolved.build, chosen.trial.architecture)
    until = chosen.trial.metrics.get("best_epoch", resolved.plan.epochs)
    metrics = _tested(resolved, experiment.seed, make, int(until))
    seconds = time.process_time() - started
    return Found(
        metrics, spent, seconds, resolved.data, partial(_alike, resolved, experiment.seed)
    )


def _alike(resolved: Any, seed: int, make: Callable[[], Any]) -> Any:
    """Train a network as a trial, which says for how many epochs, and then as a winner."""
    data = resolved.data
    training = _training(resolved, seed, make, data.train, valid=data.valid)
    until = resolved.plan.epochs
    for _ in range(resolved.plan.epochs):
        until = training.step().metrics.get("best_epoch", until)
    return _tested(resolved, seed, make, int(until))


def _tested(resolved: Any, seed: int, make: Callable[[], Any], until: int) -> Any:
    """Train a network on training and validation data, and test it."""
    data = resolved.data
    training = _training(resolved, seed, make, data.merged())
    for _ in range(until):
        training.step()
    scores = training.test(lambda: _examples(data.test, data))
    params = sum(each.numel() for each in training.child.parameters())
    return {**scores, "params": params}


def _training(
    resolved: Any, seed: int, make: Callable[[], Any], part: Any, valid: Any = None
) -> Any:
    from raynas.rng import seed_weights, winner_seed
    from raynas.training.train import Training

    data = resolved.data
    seed_weights(winner_seed(seed))
    return Training(
        make(),
        _examples(part, data),
        resolved.recipe,
        epochs=resolved.plan.epochs,
        seed=winner_seed(seed),
        valid=valid and _examples(valid, data),
    )


def _examples(part: Any, data: Any) -> Any:
    import torch

    from raynas.training.examples import Examples

    return Examples.of(part, data, torch.device("cpu"))
