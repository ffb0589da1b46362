"""What of an experiment does not go together, seen before anything starts."""

from __future__ import annotations

from typing import Any, Final

from raynas.data import Data, Loop, LoopData
from raynas.errors import ConfigError
from raynas.execution.training_context import TRAINING
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.user_code import blamed
from raynas.schedulers import Scheduler, TrialsWanted
from raynas.schedulers.pbt import PBT
from raynas.searchers import SEARCHERS, Searcher
from raynas.space import Space
from raynas.training.recipe import LEAST_ROWS, Recipe

_METHODS: Final = ("check", "decide")


def check_scheduler(
    scheduler: Scheduler, reference: Any, searcher: Searcher, epochs: int, trials: float
) -> None:
    """See that a scheduler suits a run.

    Args:
        scheduler: Decides.
        reference: How it was asked for.
        searcher: Whose trials it decides on.
        epochs: The full length of a trial.
        trials: How many there will be, at most; may be infinite.

    Raises:
        ConfigError: It does not, or it is no scheduler, or its ``check`` raises.
    """
    called = getattr(reference, "__name__", reference)
    lacking = [name for name in _METHODS if not callable(getattr(scheduler, name, None))]
    if lacking:
        raise ConfigError(
            f"scheduler {called!r} needs methods check(epochs) and decide(report, history), and "
            f"has no {' and no '.join(lacking)}"
        )
    with blamed(f"scheduler {called!r}"):
        scheduler.check(epochs)
        if isinstance(scheduler, TrialsWanted):
            scheduler.check_trials(trials)
    if getattr(scheduler, "one_length", False) and getattr(searcher, "fidelities", None):
        raise ConfigError(
            f"scheduler {called!r} decides how long trials are trained, and with fidelities so "
            "does the searcher: leave fidelities out, or use the scheduler 'none' or 'asha'"
        )


def check_fidelity(experiment: Experiment, scheduler: Scheduler, searcher: Searcher) -> None:
    """See that folds and seeds can be a fidelity, and weights be inherited, where asked for.

    Raises:
        ConfigError: They cannot.
    """
    if experiment.inherit_weights:
        check_parents(searcher)
    if experiment.fidelity != "repeats":
        return
    if experiment.folds == experiment.seeds == 1:
        raise ConfigError(
            "the fidelity 'repeats' needs several trainings of each architecture: set folds or "
            "seeds above 1"
        )
    if experiment.inherit_weights or isinstance(scheduler, PBT):
        who = "inherit_weights" if experiment.inherit_weights else "the scheduler 'pbt'"
        raise ConfigError(
            f"with the fidelity 'repeats', a trial has several networks, one after another, so "
            f"{who} cannot pass weights on: leave it out, or use the fidelity 'epochs'"
        )


def check_parents(searcher: Any) -> None:
    """See that a searcher has children who could inherit weights.

    Raises:
        ConfigError: It never names a parent.
    """
    if getattr(searcher, "breeds", True):
        return
    kind = type(searcher)
    name = next((name for name, made in SEARCHERS.items() if made is kind), kind.__name__)
    breeding = ", ".join(name for name, made in SEARCHERS.items() if getattr(made, "breeds", True))
    raise ConfigError(
        f"with inherit_weights children begin with the weights of parents, and the searcher "
        f"{name!r} names none: leave it out, or use one of {breeding}"
    )


def check_workers(
    experiment: Experiment, recipe: Recipe, space: Space, data: Data | LoopData, loop: Loop | None
) -> None:
    """See that several workers can divide the batches of a trial, or of a supernet.

    The size of batches that is decided with each architecture or by a data set is not known yet,
    and a loop of a user's own divides them itself.

    Args:
        experiment: Says how many workers there are.
        recipe: The recipe.
        space: The space.
        data: The data of the task.
        loop: Its own loop, if it has one.

    Raises:
        ConfigError: Batches are too small.
        DataError: The tensors of a batch have no row for each example.
    """
    if loop or not isinstance(data, Data):
        return
    if not (data.batched or f"{TRAINING}.batch_size" in space.decisions):
        recipe.check_workers(experiment.workers_per_trial)
    most = max(experiment.workers_per_trial, experiment.workers_per_supernet)
    if most == 1 or data.arrays:
        return
    import torch  # noqa: PLC0415 - slow to load

    from raynas.training.loading import Loaded  # noqa: PLC0415 - loads torch

    with blamed("the data set of training examples"):
        Loaded(data.train, data, torch.device("cpu"), LEAST_ROWS, 0).check_divisible(most)
