"""A run as users start it, but trials and the winner are trained in this process, without Ray."""

import json
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest

import raynas
from raynas.execution.constraint_check import ConstraintCheck
from raynas.execution.measurements import Measurements
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.trainable import as_config, as_told
from raynas.execution.shared_scorer import shared_scores_of
from raynas.execution.training_context import TrainingContext
from raynas.execution.winner import retrain
from raynas.execution.worker import train
from raynas.experiment.resolve.resolved import resolve
from raynas.experiment.run import search as module
from raynas.experiment.run.folder import open_run
from raynas.journal import Journal
from raynas.schedulers import Verdict
from raynas.tasks.digits import Digits
from raynas.tasks.task import Source
from raynas.training.export import program, weights
from raynas.training.exported import network_card
from raynas.trial import Failed, Report


class Few:
    """Some examples of digits."""

    name = "few"
    recipe = MappingProxyType({"batch_size": 20})

    def load(self, source, seed):
        del source
        whole = Digits().load(Source(), seed)
        first = np.arange(40)
        parts = {part: getattr(whole, part).take(first) for part in ("train", "valid", "test")}
        return replace(whole, **parts)


class InProcess:
    """What a connection to Ray does, in this process."""

    def __init__(self, resolved, retrained=retrain):
        data, loop = resolved.data, resolved.loop
        context = TrainingContext(
            resolved.build, resolved.recipe, data, "cpu", loop=loop, repeats=resolved.repeats
        )
        work = resolved.probe
        measure = Measurements(context, work).measure if work else None
        self.context = replace(context, check=ConstraintCheck(resolved.constraints, measure))
        self.retrained = retrained

    def memory_limit(self):
        """Trials run on this machine alone."""

    def run_trials(self, conductor, assign, final):
        if not conductor.finished:
            conductor.open(1, 0.0)
        while trial := conductor.next():
            for event in train(self.context, told(assign(trial))):
                if isinstance(event, Failed):
                    told_of = {"detail": event.detail, "refused": event.refused}
                    conductor.fail(event.number, event.reason, **told_of)
                elif isinstance(event, Report) and conductor.report(event) is Verdict.STOP:
                    break
        if spec := final.choose():
            for event in self.retrained(self.context, told(spec)):
                final.take(event)

    def scoring_pool(self, space, loop, spec):
        del space
        scorer = shared_scores_of(self.context, loop, told(spec))
        return SimpleNamespace(
            space=scorer.space, many=scorer.many, loss=scorer.loss, close=lambda: None
        )


def execute(experiment, resolved, conductor, ending, retrained=retrain):
    """Do what ``_execute`` does; what is told to workers goes through JSON, as with Ray."""
    session = InProcess(resolved, retrained)
    ending.run(session, conductor, partial(module.trial_spec, experiment, conductor))


@contextmanager
def without_ray():
    """Let searches train in this process while the context is open."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_execute", execute)
        yield


def told(spec):
    return as_told(as_config(spec, Resources(1, 0)))[0]


def opened(experiment):
    """Begin or resume the run of an experiment without training; return its history."""
    writer = Journal(experiment.output)
    try:
        resolved = resolve(experiment)
        return open_run(resolved.experiment, resolved, writer)
    finally:
        writer.close()


def kept(folder, child, data):
    """Write a trained child as a run does, and load it as users do."""
    folder.mkdir(exist_ok=True)
    for name, content in {**weights(child).files, **program(child, data).files}.items():
        (folder / name).write_bytes(content)
    (folder / "architecture.json").write_text(json.dumps(network_card(data)))
    return raynas.load_winner(folder)
