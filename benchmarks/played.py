"""Searches that train for real in this process, one trial after another, without Ray.

What schedulers and searchers are worth is counted in epochs, and those do not depend on who runs
the trials; so the comparisons here leave the cluster out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

FULL = "val_accuracy"


@dataclass(frozen=True)
class Spent:
    """The best fully trained score after so many epochs in all.

    Attributes:
        epochs: Epochs trained by then, ascending.
        best: The best validation accuracy of a trial of full length, at each.
    """

    epochs: list[int]
    best: list[float]

    def until(self, score: float) -> float:
        """Return the epochs after which a score was reached; infinite if it was not."""
        reached = (e for e, b in zip(self.epochs, self.best, strict=True) if b >= score)
        return next(reached, float("inf"))


def play(budget: int, bar: float = float("inf"), **settings: Any) -> Spent:
    """Search until ``budget`` epochs are spent or a score is reached.

    The settings are those of an experiment.
    """
    from raynas.execution.conductor import Conductor
    from raynas.execution.worker import Workshop, train
    from raynas.experiment.experiment import experiment_from
    from raynas.experiment.folder import checkpoints
    from raynas.experiment.parts import look_up
    from raynas.experiment.run import assignment
    from raynas.schedulers import Verdict
    from raynas.trial import Failed, History

    with TemporaryDirectory() as folder:
        experiment = experiment_from({"trials": 10**6, "output": Path(folder), **settings})
        parts = look_up(experiment)
        history = History(experiment.objectives)
        conductor = Conductor(parts.plan, history, history.apply, lambda: 0.0)
        workshop = Workshop(parts.space.build, parts.recipe, parts.data, "cpu")
        spent, found = 0, Spent([], [])
        checkpoints(experiment.output).folder.mkdir(parents=True)
        while spent < budget and (trial := conductor.next()):
            for event in train(workshop, assignment(experiment, conductor, trial)):
                if isinstance(event, Failed):
                    conductor.fail(event.number, event.reason, detail=event.detail)
                    break
                if event.epoch <= history.trials[event.number].epoch:
                    continue  # told again by a trial that was taken up
                spent += 1
                verdict = conductor.report(event)
                if event.epoch == experiment.epochs:
                    best = max(event.metrics[FULL], found.best[-1] if found.best else 0.0)
                    found.epochs.append(spent)
                    found.best.append(best)
                    if best >= bar:
                        return found
                if verdict is Verdict.STOP or spent >= budget:
                    break
        return found
